"""Files that are there as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recbole_llmdistill.errors import InputError


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path``, with the same suffix, that takes its place when the block ends.

    If the block fails, what was at ``path`` before is still there.
    """
    temporary = path.with_name(f"{path.stem}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file in UTF-8.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with written_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
