"""What all parts declare alike, and how a stranger's module comes into the package."""

import sys
import tomllib
from pathlib import Path
from types import ModuleType

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.files.resources import checkout


def check_declaration(part: type) -> None:
    """Name, one line for people, described options and an extra that exists."""
    assert part.name == part.name.strip().lower()
    assert part.title
    assert "\n" not in part.title
    check_options(part.Options)
    extras = tomllib.loads((checkout() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert part.extra is None or part.extra in extras


def check_options(options: type[Options]) -> None:
    """Each is described and has a default that is allowed."""
    assert issubclass(options, Options)
    for name, field in options.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name
    defaults = options()
    assert options(**defaults.model_dump()) == defaults


def drop_module(monkeypatch, package: ModuleType, folder: Path, name: str, text: str) -> None:
    """Let a package have one more module, until the test ends."""
    folder.mkdir()
    (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}", raising=False)
    monkeypatch.setattr(package, name, None, raising=False)
