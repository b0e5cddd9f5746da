"""What polars cannot parse, told in one line with the file and the line."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from recbole_llmdistill.dataset_converters.csv_text import first_not_utf8
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.errors import InputError

_BAD_VALUE = re.compile(r"could not parse `(?P<value>.*?)` as .*? at column '(?P<column>.*?)'", re.DOTALL)
_BAD_CONVERSION = re.compile(
    r"conversion from .*? failed in column '(?P<column>.*?)' for \d+ out of \d+ values: \[\"?(?P<value>.*?)\"?[,\]…]",
    re.DOTALL,
)


@contextmanager
def explain_parse_errors(files: RawFiles) -> Iterator[None]:
    """Context in which a polars error becomes an :class:`InputError`; of the disk, an :class:`OSError`."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        text = str(error)
        if "os error" in text:
            raise OSError(text) from error
        problem = " ".join(re.split(r"\n\n|You might want|The current offset", text)[0].split())
        if "utf-8" in text and (place := _not_utf8(files)):
            raise InputError(f"{place}: the text is not UTF-8; convert the file to UTF-8") from error
        raise InputError(f"{_place(files, text)}: {problem[:300]}") from error


def _not_utf8(files: RawFiles) -> str | None:
    for file, path in files.opened.items():
        found = first_not_utf8(path)
        if found:
            return f"{file}, line {found[0]:,}"
    return None


def _place(files: RawFiles, text: str) -> str:
    """File and line of the value that the error is about, if it can be found; else where all files are."""
    found = _BAD_VALUE.search(text) or _BAD_CONVERSION.search(text)
    if not found:
        return str(files.given)
    for file, path in files.opened.items():
        line = _line_of(path, found["column"], found["value"].strip(' "'))
        if line:
            return f"{file}, line {line}"
    return str(files.given)


def _line_of(path: Path, column: str, value: str) -> int | None:
    """First line with this value in the column of this name; in any column of a file that does not name them."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as lines:
        head = lines.readline()
        separator = max("\t,;|:", key=head.count)
        names = next(csv.reader([head], delimiter=separator), [])
        lines.seek(0)
        reader = csv.reader(lines, delimiter=separator)
        wanted = [names.index(column)] if column in names else None
        for cells in reader:
            places = range(len(cells)) if wanted is None else wanted
            if any(place < len(cells) and cells[place].strip(' "') == value for place in places):
                return reader.line_num
    return None
