"""Find a publisher's files where a user has put them: unpacked, gzipped, or still in their zip archive."""

import fnmatch
import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from recbole_llmdistill.errors import InputError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class RawFile:
    """A file in a folder, or a member of a zip archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """File name without folder and ``.gz``."""
        return Path(self.member or self.path).name.removesuffix(".gz")

    @property
    def cost(self) -> int:
        """0: can be read as it is; 1: has to be unzipped; 2: has to be taken out of an archive."""
        if self.member:
            return 2
        return int(self.path.suffix == ".gz")

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)


class RawFiles:
    """The files below ``--input``.

    Args:
        given: a folder (searched with its sub-folders and zip archives), an archive, or a file.
        workspace: existing folder for what has to be unpacked; the caller removes it.
        publisher: where the files are offered, for messages.

    Raises:
        InputError: there is no such file or folder, or an archive is damaged.
    """

    def __init__(self, given: Path, workspace: Path, publisher: str) -> None:
        if not given.exists():
            raise InputError(f"{given}: no such file or folder; the files are offered at {publisher}")
        self.given, self.workspace, self.publisher = given, workspace, publisher
        self.opened: dict[RawFile, Path] = {}
        self._files = list(self._list())

    def _list(self) -> Iterator[RawFile]:
        paths = (
            sorted(path for path in self.given.rglob("*") if path.is_file()) if self.given.is_dir() else [self.given]
        )
        for path in paths:
            if path.suffix.lower() != ".zip":
                yield RawFile(path)
                continue
            with _damage_told(path, self.publisher), zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/")]
            yield from (RawFile(path, member) for member in members if not member.startswith("__MACOSX"))

    def matching(self, pattern: str, unlike: str | None = None) -> list[RawFile]:
        """Files whose name, without ``.gz``, fits a shell pattern in any case; of equal names the cheapest to read."""
        of_name: dict[str, list[RawFile]] = {}
        for file in self._files:
            name = file.name.lower()
            if fnmatch.fnmatch(name, pattern) and not (unlike and fnmatch.fnmatch(name, unlike)):
                of_name.setdefault(name, []).append(file)
        return [_cheapest(files) for files in of_name.values()]

    def has(self, pattern: str) -> bool:
        """Whether any file fits."""
        return bool(self.matching(pattern))

    def get(self, pattern: str) -> Path:
        """The plain file that fits, unpacked if need be.

        Raises:
            InputError: none fits, or several do, or it is damaged.
        """
        found = self.matching(pattern)
        if not found:
            raise InputError(f"{self.given}: no file {pattern} here, found {self._names()}; {self._offer()}")
        if len(found) > 1:
            raise InputError(f"several files fit {pattern}: {', '.join(map(str, found))}; give --input one of them")
        return self.open(found[0])

    def get_optional(self, pattern: str) -> Path | None:
        """As :meth:`get`, but None where none fits."""
        return self.get(pattern) if self.has(pattern) else None

    def open(self, file: RawFile) -> Path:
        """Path of the plain file, unpacked into the workspace if need be."""
        if file not in self.opened:
            self.opened[file] = file.path if file.cost == 0 else self._unpack(file)
        return self.opened[file]

    def _unpack(self, file: RawFile) -> Path:
        target = self.workspace / str(len(self.opened)) / file.name
        target.parent.mkdir()
        with _damage_told(file, self.publisher):
            if file.member is None:
                with open(file.path, "rb") as compressed, gzip.open(compressed) as content:
                    _copy(content, target, file.path.stat().st_size, compressed.tell, file.name)
            else:
                with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as member:
                    size = archive.getinfo(file.member).file_size
                    content = gzip.GzipFile(fileobj=member) if file.member.endswith(".gz") else member
                    _copy(content, target, size, member.tell, file.name)
        return target

    def digests(self) -> list[dict]:
        """Name, size and SHA-256 of every file that was read, as it lies on the disk."""
        described = []
        for path in dict.fromkeys(file.path for file in self.opened):
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            described.append({"file": path.name, "bytes": path.stat().st_size, "sha256": digest})
        return described

    def error(self, problem: str) -> InputError:
        """An error about these files that says where right ones are offered."""
        return InputError(f"{self.given}: {problem}; {self._offer()}")

    def _offer(self) -> str:
        return f"the publisher offers it at {self.publisher}"

    def _names(self) -> str:
        names = sorted({file.name for file in self._files})
        return (", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")) or "nothing"


@contextmanager
def _damage_told(file: Path | RawFile, publisher: str) -> Iterator[None]:
    """What Python raises for a half, broken or encrypted archive becomes one line."""
    try:
        yield
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, RuntimeError) as error:
        raise InputError(
            f"{file}: the archive is damaged or incomplete ({error}); download it again from {publisher}"
        ) from error


def _cheapest(files: list[RawFile]) -> RawFile:
    cost = min(file.cost for file in files)
    cheapest = [file for file in files if file.cost == cost]
    if len(cheapest) > 1:
        raise InputError(f"several files {cheapest[0].name}: {', '.join(map(str, cheapest))}; give --input one folder")
    return cheapest[0]


def _copy(content: BinaryIO, target: Path, total: int, position: Callable[[], int], name: str) -> None:
    with (
        open(target, "wb") as out,
        tqdm(total=total, unit="B", unit_scale=True, desc=f"unpacking {name}", disable=None, leave=False) as bar,
    ):
        while chunk := content.read(_CHUNK):
            out.write(chunk)
            bar.update(position() - bar.n)
