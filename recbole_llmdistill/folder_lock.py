"""One process at a time in a folder of results."""

import fcntl
import os
from pathlib import Path

LOCK = ".lock"


class FolderLock:
    """Held from its making to :meth:`release`, to the end of a ``with`` block, or to the end of the process.

    Args:
        folder: that exists.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Let others in."""
        os.close(self._file)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_exception) -> None:
        self.release()
