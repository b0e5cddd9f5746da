"""Files that are there as a whole or not at all."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recbole_llmdistill.errors import InputError

_TEMPORARY = re.compile(r"\..*\.tmp-[0-9a-f]{8}(\.[^.]*)?")


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path``, with the same suffix, that takes its place when the block ends.

    If the block fails, what was at ``path`` before is still there. Two processes may write the same file at once: the
    later one wins. What killed processes have left in the folder is removed.

    Raises:
        OSError: with ``path`` as its file name, unless the block's error names another.
    """
    try:
        _remove_stale(path.parent)
        temporary, lock = _locked_temporary(path)
        try:
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(lock)
    except OSError as error:
        name = error.filename
        if error.errno is not None and (name is None or _TEMPORARY.fullmatch(os.path.basename(os.fsdecode(name)))):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def _locked_temporary(path: Path) -> tuple[Path, int]:
    """A new file, and the descriptor whose lock says that its writer lives: a killed process holds none."""
    while True:
        temporary = path.with_name(f".{path.stem}.tmp-{secrets.token_hex(4)}{path.suffix}")
        file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # a file system without locks, or one that is taken for stale at this moment
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if temporary.exists():
            return temporary, file
        os.close(file)


def _remove_stale(folder: Path) -> None:
    """Remove temporary files that nobody writes any more."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if _TEMPORARY.fullmatch(name):
                with suppress(OSError), open(folder / name, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(folder / name)


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
