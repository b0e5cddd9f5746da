"""What can be wrong in one of RecBole's atomic files, told with the file, the line and what was found.

The header and the first lines are read; the rest is only counted, at the speed of the disk, so that 20 million rows
take a second. All rows are looked at in Python where a count is wrong, cells are quoted, or loading has failed.
"""

import csv
import functools
import itertools
import mmap
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from recbole_llmdistill.data.fast.tokens import MISSING_NUMBERS
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.atomic_files import AtomicFile, shortened

_LOOKED_AT = 1000  # rows whose cells are read before loading
_CHUNK = 2**24


@dataclass(frozen=True)
class AtomicText(AtomicFile):
    """An atomic file that is looked at before RecBole reads it.

    Attributes:
        sequence_separator: RecBole's ``seq_separator``.
    """

    sequence_separator: str = " "

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
        for number, line in self.lines():
            if number == 1 or not line:
                continue
            cells = self._split(line, number)
            if len(cells) != len(header):
                raise InputError(
                    f"{self.path}, line {number}: {len(cells)} cells, and the header has {len(header)} columns "
                    f"({', '.join(header)}); found {shortened(cells)}"
                )
            for place, name, kind in numbers:
                parts = cells[place].split(self.sequence_separator) if kind == "float_seq" else [cells[place]]
                for part in parts:
                    if not _is_number(part):
                        raise InputError(self._no_number(number, name, kind, part))
            yield number

    def _no_number(self, number: int, name: str, kind: str, cell: str) -> str:
        hint = f"write numbers, or give the column another type than {kind}"
        if re.search(r"\d[-/.]\d+[-/.]\d|\d:\d", cell):
            hint = "write times as numbers, e.g. seconds since 1970"
        elif re.fullmatch(r"\s*-?\d+,\d+\s*", cell):
            hint = "write decimals with a point"
        return f"{self.path}, line {number}: {shortened(cell)} in column {name}:{kind} is no number; {hint}"

    def _split(self, line: str, number: int = 1) -> list[str]:
        if len(self.separator) > 1:
            return re.split(self.separator, line)
        if '"' not in line:
            return line.split(self.separator)
        rows = list(csv.reader([line + "\n", "next"], delimiter=self.separator))
        if len(rows) == 1:  # the next line went into an open quote
            raise InputError(
                f"{self.path}, line {number}: a quote is opened and not closed in {shortened(line)}; remove the quote, "
                'or close it, with every " within it doubled'
            )
        return rows[0]


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
