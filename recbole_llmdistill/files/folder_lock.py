"""One process at a time in a folder of results."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from recbole_llmdistill.errors import InputError

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
        self._path = folder / LOCK
        while not self._take():
            pass

    def _take(self) -> bool:
        """Lock the file; False where whoever had it has just removed it."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._path.exists() and self._path.stat().st_ino == os.fstat(self._file).st_ino:
                return True
        except OSError:
            os.close(self._file)
            raise
        os.close(self._file)
        return False

    def release(self) -> None:
        """Let others in."""
        with suppress(OSError):  # the folder may have become read-only, or be gone
            self._path.unlink()
        os.close(self._file)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()


def lock_output(folder: Path) -> FolderLock:
    """Make a folder of results if it does not exist, and keep other commands from writing there.

    Raises:
        InputError: another command writes there, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FolderLock(folder)
    except BlockingIOError as error:
        raise InputError(
            f"--out={folder}: another command is writing there; wait for it, or give another folder"
        ) from error
    except OSError as error:
        raise InputError(f"--out={folder}: cannot be written ({error.strerror or error})") from error
