"""Find a publisher's files where a user has put them: unpacked, gzipped, or still in their zip archive."""

import bz2
import fnmatch
import glob
import gzip
import hashlib
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from tqdm import tqdm

from recbole_llmdistill.errors import InputError

_CHUNK = 1 << 20
_DECOMPRESS: dict[str, Callable[[Any], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda file: pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"),
}
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


@dataclass(frozen=True)
class RawFile:
    """A file in a folder, or a member of a zip archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """File name without folder and ``.gz``, ``.zst``, ``.bz2`` or ``.xz``."""
        path = Path(self.member or self.path)
        return path.stem if path.suffix.lower() in _DECOMPRESS else path.name

    @property
    def cost(self) -> int:
        """0: can be read as it is; 1: has to be unzipped; 2: has to be taken out of an archive."""
        if self.member:
            return 2
        return int(self.path.suffix.lower() in _DECOMPRESS)

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
        if not given.exists() and not glob.glob(str(given)):
            raise InputError(f"{given}: no such file or folder; the files are offered at {publisher}")
        self.given, self.workspace, self.publisher = given, workspace, publisher
        self.opened: dict[RawFile, Path] = {}
        self._files = list(self._list())

    def _list(self) -> Iterator[RawFile]:
        for path in _files_at(self.given):
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

    def tables(self, pattern: str) -> list[RawFile]:
        """Tables that a name, a path below ``--input`` or a path on the disk means, or a pattern of one of these.

        A folder means the tables in it, but for those that begin with ``.`` or ``_``, as Spark writes beside them.
        Numbers in the names are sorted as numbers. Of equal names the cheapest to read count.
        """
        found = [file for file in self._files if self._fits(file, pattern.lower().rstrip("/"))]
        if not found:
            paths = [path for place in sorted(glob.glob(pattern)) for path in _files_at(Path(place))]
            found = [RawFile(path) for path in paths if _is_table(RawFile(path), Path(pattern))]
        cheapest: dict[str, int] = {}
        for file in found:
            cheapest[file.name] = min(file.cost, cheapest.get(file.name, file.cost))
        return sorted((file for file in found if file.cost == cheapest[file.name]), key=_natural_order)

    def all(self) -> list[RawFile]:
        """All files, numbers in their names sorted as numbers."""
        return sorted(self._files, key=_natural_order)

    def missing(self, pattern: str, option: str) -> InputError:
        """An error about a table that is not there."""
        known = ", ".join(TABLE_SUFFIXES)
        return InputError(
            f"{self.given}: no file {pattern} here, found {self._names()}; name it by {option} "
            f"({known}, also compressed)"
        )

    def _fits(self, file: RawFile, pattern: str) -> bool:
        if not _is_table(file, self.given):
            return False
        path = Path(file.member) if file.member else file.path
        if not file.member and self.given.is_dir():
            path = path.relative_to(self.given)
        names = [
            file.name,
            str(path.with_name(file.name)),
            *(part for folder in path.parents for part in (str(folder), folder.name)),
        ]
        return any(fnmatch.fnmatch(name.lower(), pattern) for name in names)

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
                with open(file.path, "rb") as compressed, _DECOMPRESS[file.path.suffix.lower()](compressed) as content:
                    _copy(content, target, file.path.stat().st_size, compressed.tell, file.name)
            else:
                with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as member:
                    size = archive.getinfo(file.member).file_size
                    decompress = _DECOMPRESS.get(Path(file.member).suffix.lower())
                    content = decompress(member) if decompress else member
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
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{file}: the archive is damaged or incomplete ({error}); download it again from {publisher}"
        ) from error


def _files_at(given: Path) -> list[Path]:
    """A file, those below a folder, or those that a pattern means."""
    if given.is_dir():
        return sorted(path for path in given.rglob("*") if path.is_file())
    return (
        [given] if given.exists() else [Path(place) for place in sorted(glob.glob(str(given))) if Path(place).is_file()]
    )


def _is_table(file: RawFile, below: Path) -> bool:
    """Whether the file is a table by its name, and neither it nor a folder on the way to it is hidden."""
    path = Path(file.member) if file.member else file.path
    if not file.member and path.is_relative_to(below):
        path = path.relative_to(below)
    hidden = any(part.startswith((".", "_")) for part in path.parts if part not in ("..", "."))
    return not hidden and file.name.lower().endswith(TABLE_SUFFIXES)


def _natural_order(file: RawFile) -> list[tuple[int, str]]:
    """``clicks_2`` before ``clicks_10``."""
    parts = re.split(r"(\d+)", str(file))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _read(content: IO[bytes]) -> bytes:
    """The next piece; what the decompressors raise for a broken file becomes an EOFError, a full disk does not."""
    try:
        return content.read(_CHUNK)
    except (OSError, pa.ArrowInvalid) as error:
        raise EOFError(str(error)) from error


def _cheapest(files: list[RawFile]) -> RawFile:
    cost = min(file.cost for file in files)
    cheapest = [file for file in files if file.cost == cost]
    if len(cheapest) > 1:
        raise InputError(f"several files {cheapest[0].name}: {', '.join(map(str, cheapest))}; give --input one folder")
    return cheapest[0]


def _copy(content: IO[bytes], target: Path, total: int, position: Callable[[], int], name: str) -> None:
    with (
        open(target, "wb") as out,
        tqdm(total=total, unit="B", unit_scale=True, desc=f"unpacking {name}", disable=None, leave=False) as bar,
    ):
        while chunk := _read(content):
            out.write(chunk)
            bar.update(position() - bar.n)
