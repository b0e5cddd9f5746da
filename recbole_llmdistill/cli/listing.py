"""``llmdistill encoders ls`` and its like: what there is to choose from; ``prompts cp`` copies a prompt to edit."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.parts import Kind

Row = tuple[str, str]
"""A name, and one line on it."""


def add_parser(commands: argparse._SubParsersAction, kind: str) -> None:
    """Add the command ``kind``, one of :data:`LISTS`, to ``llmdistill``."""
    parser = commands.add_parser(kind, description=f"What {kind} there are.")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    actions.add_parser("ls", help="names, with one line each").set_defaults(run=run, rows=LISTS[kind])
    if kind == "prompts":
        copy = actions.add_parser("cp", help="copy one to edit; give it to generate by --prompt FILE")
        copy.add_argument("name", help="as `llmdistill prompts ls` shows it")
        copy.add_argument("file", nargs="?", type=Path, help="a new file (default: NAME.yaml)")
        copy.set_defaults(run=copy_prompt)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Print the list."""
    _refuse(settings)
    rows = arguments.rows()
    width = max(len(name) for name, _ in rows)
    for name, title in rows:
        print(f"{name:<{width}}  {title}".rstrip())
    return 0


def copy_prompt(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Copy a prompt that comes with the package into a new file."""
    from recbole_llmdistill.profiles.prompts import prompt_names

    _refuse(settings)
    if arguments.name not in (known := prompt_names()):
        raise InputError(f"no prompt {arguments.name!r}; known: {', '.join(known)}")
    source = properties("prompts", f"{arguments.name}.yaml")
    target = arguments.file or Path(f"{arguments.name}.yaml")
    if target.suffix not in (".yaml", ".yml"):
        raise InputError(f"{target}: a prompt is a file that ends in .yaml")
    try:
        with written_atomically(target) as temporary:
            temporary.write_bytes(source.read_bytes())
            os.link(temporary, target)  # unlike a renaming it refuses to replace a file
    except FileExistsError as error:
        raise InputError(f"{target} exists already; name another file") from error
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error
    print(f"{target}: edit it, then llmdistill generate --prompt {target}")
    return 0


def _encoders() -> list[Row]:
    from recbole_llmdistill.vectors.encoders.protocol import ENCODERS

    return _parts(ENCODERS)


def _llms() -> list[Row]:
    from recbole_llmdistill.profiles.llm.protocol import LLMS

    return _parts(LLMS)


def _reducers() -> list[Row]:
    from recbole_llmdistill.vectors.reducers.protocol import REDUCERS

    return _parts(REDUCERS)


def _losses() -> list[Row]:
    from recbole_llmdistill.model.distillation_loss.protocol import LOSSES

    return _parts(LOSSES)


def _parts(kind: Kind) -> list[Row]:
    return [
        (part.written(), part.title + (f" (pip extra {part.extra})" if part.extra else ""))
        for part in kind.parts().values()
    ]


def _converters() -> list[Row]:
    from recbole_llmdistill.dataset_converters.source import sources

    return [(name, source.title) for name, source in sources().items()]


def _prompts() -> list[Row]:
    from recbole_llmdistill.profiles.prompts import load_prompt, prompt_names

    return [(name, load_prompt(name).description) for name in prompt_names()]


def _presets() -> list[Row]:
    """Names, and what the comment says with which each file begins."""
    files = sorted(properties("preset").glob("*.yaml"))
    first_lines = [file.read_text(encoding="utf-8").partition("\n")[0] for file in files]
    return [(file.stem, line.partition(" -- ")[2]) for file, line in zip(files, first_lines, strict=True)]


def _refuse(settings: list[str]) -> None:
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood")


LISTS: dict[str, Callable[[], list[Row]]] = {
    "encoders": _encoders,
    "llms": _llms,
    "reducers": _reducers,
    "converters": _converters,
    "losses": _losses,
    "prompts": _prompts,
    "presets": _presets,
}
"""What can be listed."""
