"""Tables and page of a folder of results, in a process that has neither torch nor RecBole."""

import subprocess
import sys

import pytest

import recbole_llmdistill
from recbole_llmdistill.api.compare import CompareOptions, compare

# The package's own __init__ registers models with RecBole; an empty package of that name stands in for it.
DRAW = """
import importlib, pkgutil, sys, types
from pathlib import Path

root = types.ModuleType("recbole_llmdistill")
root.__path__ = [sys.argv[1]]
sys.modules["recbole_llmdistill"] = root


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "recbole", "ray"):
            raise ImportError(f"{name} is not to be imported")


sys.meta_path.insert(0, Refuse())

from recbole_llmdistill.comparison import report
modules = [name for _, name, _ in pkgutil.iter_modules(report.__path__)]
for name in modules:
    importlib.import_module(f"recbole_llmdistill.comparison.report.{name}")
assert {"tables", "page", "figure", "analysis", "result"} <= set(modules)
result = importlib.import_module("recbole_llmdistill.comparison.report.result").report(Path(sys.argv[2]))
assert not [name for name in sys.modules if name.split(".")[0] in ("torch", "recbole")]
print(result.tables["accuracy"].as_text())
"""


@pytest.fixture
def result(common, tmp_path):
    """A comparison of one arm, as a notebook makes it."""
    return compare(
        CompareOptions(
            dataset="tiny", models=["Pop"], seeds=2, out=tmp_path / "out", settings={**common.settings, "epochs": 1}
        )
    )


def test_a_report_needs_neither_torch_nor_recbole(result, tmp_path) -> None:
    out = tmp_path / "out"
    written = {path: path.read_bytes() for path in [*(out / "tables").iterdir(), out / "comparison.html"]}
    for path in written:
        path.unlink()
    done = subprocess.run(
        [sys.executable, "-c", DRAW, recbole_llmdistill.__path__[0], str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == result.tables["accuracy"].as_text()
    assert {path: path.read_bytes() for path in written} == written


def test_from_python_as_in_a_notebook(result, common, tmp_path, monkeypatch) -> None:
    assert [record["seed"] for record in result.records] == [0, 1]
    assert result.failures == {}
    assert tmp_path / "out" / "comparison.html" in result.files
    assert {"accuracy", "costs"} <= result.tables.keys()
    assert result.tables["accuracy"].rows[0][0].text == "Pop"
    # A notebook's own command line is none of RecBole's settings, and stays as it is.
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json", "--epochs=7"])
    options = CompareOptions(
        dataset="tiny", models=["Pop"], seeds=2, out=tmp_path / "out", settings={**common.settings, "epochs": 1},
        report_only=True,
    )  # fmt: skip
    again = compare(options)
    assert again.records == result.records
    assert sys.argv == ["ipykernel_launcher.py", "-f", "kernel.json", "--epochs=7"]
