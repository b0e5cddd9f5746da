"""What can be wrong in one of RecBole's atomic files, told with the file, the line and what was found.

The header and the first lines are read; the rest is only counted, at the speed of the disk, so that 20 million rows
take a second. All rows are looked at in Python where a count is wrong, cells are quoted, or loading has failed.
"""

import codecs
import csv
import functools
import itertools
import mmap
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from recbole_llmdistill.data.fast.tokens import MISSING_NUMBERS
from recbole_llmdistill.errors import InputError

TYPES = ("token", "token_seq", "float", "float_seq")
_MOST_BYTES = 2**26  # of a line
_LOOKED_AT = 1000  # rows whose cells are read before loading
_CHUNK = 2**24
_UTF_8 = ("utf-8", "utf8", "utf-8-sig", "u8", "utf")
_OTHER_SEPARATORS = {",": "commas", ";": "semicolons", "|": "bars", " ": "spaces", "\t": "tabs"}


@dataclass(frozen=True)
class AtomicText:
    """An atomic file and how it is to be read.

    Attributes:
        path: the file.
        encoding: RecBole's ``encoding``; in UTF-8 a byte order mark is passed over.
        separator: RecBole's ``field_separator``, where longer than one character a regular expression.
        sequence_separator: RecBole's ``seq_separator``.
    """

    path: Path
    encoding: str | None = None
    separator: str = "\t"
    sequence_separator: str = " "
    codec: str = field(init=False)

    def __post_init__(self) -> None:
        encoding = (self.encoding or "utf-8").lower().replace("_", "-")
        object.__setattr__(self, "codec", "utf-8-sig" if encoding in _UTF_8 else encoding)

    def has_mark(self) -> bool:
        """Whether it is UTF-8 that begins with a byte order mark."""
        with self._open() as file:
            return self.codec == "utf-8-sig" and file.read(3) == codecs.BOM_UTF8

    def header(self) -> dict[str, str]:
        """Type of each column, in the order of the file.

        Raises:
            InputError: no file that can be read, no text in the encoding, or no line of ``name:type`` columns.
        """
        _, line = next(self._lines(), (1, None))
        if line is None:
            raise InputError(f"{self.path}: the file is empty")
        if not line.strip():
            raise InputError(f"{self.path}, line 1: no header")
        columns = line.split(self.separator)
        if len(columns) == 1:
            self._refuse_other_separator(line)
        found = [column.rpartition(":") for column in columns]
        for column, (name, _, kind) in zip(columns, found, strict=True):
            if not name or ":" in name:
                raise InputError(
                    f"{self.path}, line 1: {_short(column)} is no column; each is written name:type, as user_id:token, "
                    f"with one of the types {', '.join(TYPES)}; the line is {_short(line)}"
                )
            if kind not in TYPES:
                raise InputError(
                    f"{self.path}, line 1: column {name} has the type {_short(kind)}; types are {', '.join(TYPES)}"
                )
        names = [name for name, _, _ in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"{self.path}, line 1: two columns are called {twice[0]}; rename or remove one")
        return {name: kind for name, _, kind in found}

    def check_rows(self, header: Mapping[str, str], read: Collection[str]) -> None:
        """Refuse a file without rows, rows with too few or too many cells, an open quote, and, among the first
        rows, text that is no number.

        Args:
            header: from :meth:`header`.
            read: columns whose cells matter.

        Raises:
            InputError: names the line.
        """
        first = list(itertools.islice(self._rows(header, read), _LOOKED_AT))
        if not first:
            raise InputError(f"{self.path}: no rows below the header")
        status = self.path.stat()
        if problem := _first_problem_of_shape(self, tuple(header), status.st_size, status.st_mtime_ns):
            raise InputError(problem)

    def explain(self, header: Mapping[str, str], read: Collection[str]) -> None:
        """Look at every cell, which takes minutes for many million rows: for a file that could not be loaded.

        Raises:
            InputError: as of :meth:`check_rows`, of the first row that is wrong.
        """
        for _ in self._rows(header, read):
            pass

    def _rows(self, header: Mapping[str, str], read: Collection[str]) -> Iterator[int]:
        """Numbers of the lines, each after a look at its cells.

        Raises:
            InputError: of the first row that is wrong.
        """
        columns = list(enumerate(header.items()))
        numbers = [(place, name, kind) for place, (name, kind) in columns if name in read and "float" in kind]
        for number, line in self._lines():
            if number == 1 or not line:
                continue
            cells = self._split(line, number)
            if len(cells) != len(header):
                raise InputError(
                    f"{self.path}, line {number}: {len(cells)} cells, and the header has {len(header)} columns "
                    f"({', '.join(header)}); found {_short(cells)}"
                )
            for place, name, kind in numbers:
                parts = cells[place].split(self.sequence_separator) if kind == "float_seq" else [cells[place]]
                for part in parts:
                    if not _is_number(part):
                        raise InputError(self._no_number(number, name, kind, part))
            yield number

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Number and text of each line, without its end.

        Raises:
            InputError: the file cannot be read, or a line is no text in the encoding.
        """
        if self.codec.startswith(("utf-16", "utf-32", "utf16", "utf32")):  # a line ends in more than one byte
            try:
                with open(self.path, encoding=self.codec) as file:
                    for number, line in enumerate(file, start=1):
                        yield number, line.rstrip("\n")
            except (OSError, UnicodeError) as error:
                raise InputError(f"{self.path}: cannot be read as {self.encoding} text ({error})") from error
            return
        with self._open() as file:
            number = 0
            while raw := file.readline(_MOST_BYTES):
                number += 1
                yield number, self._decode(raw, number).rstrip("\r\n")

    def _no_number(self, number: int, name: str, kind: str, cell: str) -> str:
        hint = f"write numbers, or give the column another type than {kind}"
        if re.search(r"\d[-/.]\d+[-/.]\d|\d:\d", cell):
            hint = "write times as numbers, e.g. seconds since 1970"
        elif re.fullmatch(r"\s*-?\d+,\d+\s*", cell):
            hint = "write decimals with a point"
        return f"{self.path}, line {number}: {_short(cell)} in column {name}:{kind} is no number; {hint}"

    def _split(self, line: str, number: int = 1) -> list[str]:
        if len(self.separator) > 1:
            return re.split(self.separator, line)
        if '"' not in line:
            return line.split(self.separator)
        rows = list(csv.reader([line + "\n", "next"], delimiter=self.separator))
        if len(rows) == 1:  # the next line went into an open quote
            raise InputError(
                f"{self.path}, line {number}: a quote is opened and not closed in {_short(line)}; remove the quote, or "
                'close it, with every " within it doubled'
            )
        return rows[0]

    def _refuse_other_separator(self, line: str) -> None:
        for separator, name in _OTHER_SEPARATORS.items():
            if separator != self.separator and line.count(separator) >= 1:
                mend = "leave out field_separator" if separator == "\t" else f"set --field_separator={separator!r}"
                raise InputError(
                    f"{self.path}, line 1: its columns are separated by {name} and not by {self.separator!r}; found "
                    f"{_short(line)}; convert the file, or {mend}"
                )

    def _open(self) -> BinaryIO:
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from error

    def _decode(self, raw: bytes, number: int) -> str:
        try:
            return raw.decode(self.codec if number == 1 or self.codec != "utf-8-sig" else "utf-8")
        except UnicodeError as error:
            guess = "utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "latin-1"
            reason = getattr(error, "reason", error)
            raise InputError(
                f"{self.path}, line {number}: no text in {self.encoding or 'utf-8'} ({reason}); convert the file "
                f"to UTF-8, or set its encoding (e.g. --encoding={guess})"
            ) from error


@functools.lru_cache(maxsize=64)
def _first_problem_of_shape(text: AtomicText, columns: tuple[str, ...], size: int, modified: int) -> str | None:
    """What is wrong with the number of cells or with the quotes of a file of that ``size``, looked at once."""
    if len(text.separator.encode()) == 1 and text.codec in ("utf-8-sig", "latin-1", "ascii", "cp1252"):
        with open(text.path, "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                quoted = content.find(b'"') >= 0
            if not quoted and _count_fits(file, text.separator.encode(), len(columns)):
                return None
    try:
        text.explain(dict.fromkeys(columns, "token"), ())
    except InputError as error:
        return str(error)
    return None


def _count_fits(file: BinaryIO, separator: bytes, columns: int) -> bool:
    separators = lines = 0
    end = b"\n"
    while chunk := file.read(_CHUNK):
        separators += chunk.count(separator)
        lines += chunk.count(b"\n")
        end = chunk[-1:]
    return separators == (columns - 1) * (lines + (end != b"\n"))


def _is_number(cell: str) -> bool:
    if cell.strip() in MISSING_NUMBERS:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
