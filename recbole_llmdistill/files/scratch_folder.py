"""Folders for work in progress, which vanish with the work, even if it was killed: then the next run removes them."""

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recbole_llmdistill.files.folder_lock import LOCK, FolderLock


@contextmanager
def scratch_folder(prefix: str, parent: Path) -> Iterator[Path]:
    """An empty folder that is removed when the block ends, unless it has been given another name.

    Folders of the same prefix whose process was killed are removed first.

    Args:
        prefix: of its name.
        parent: folder to make it in.
    """
    _remove_stale(prefix, parent)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    lock = FolderLock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def put_in_place(folder: Path, target: Path) -> None:
    """Give a scratch folder its lasting name.

    Args:
        folder: of :func:`scratch_folder`.
        target: that does not exist, or is an empty folder.
    """
    (folder / LOCK).unlink()
    folder.chmod(0o777 & ~_umask())  # mkdtemp makes it private
    folder.rename(target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_stale(prefix: str, parent: Path) -> None:
    for folder in parent.glob(f"{glob.escape(prefix)}*"):
        if (folder / LOCK).is_file():  # younger than a moment it may lack one, and its process be about to take it
            with suppress(OSError), FolderLock(folder):
                shutil.rmtree(folder, ignore_errors=True)
