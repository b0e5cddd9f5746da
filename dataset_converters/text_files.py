"""Read the text formats that publishers use: csv with checked columns, and small tables in old encodings."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from recbole_llmdistill.errors import InputError


def scan_csv(path: Path, columns: Mapping[str, pl.DataType | type[pl.DataType]], separator: str = ",") -> pl.LazyFrame:
    """The named columns of a csv file with a header, in the order of ``columns``.

    Args:
        path: the file, UTF-8; fields may be quoted and hold separators and line breaks.
        columns: name and type of each column that is needed; others are not read.
        separator: between fields.

    Raises:
        InputError: a column is missing; the message names those expected and those found.
    """
    found = csv_header(path, separator)
    check_columns(path, columns, found)
    schema = {name: columns.get(name, pl.String) for name in found}
    return pl.scan_csv(path, schema=schema, separator=separator).select(*columns)


def csv_header(path: Path, separator: str = ",") -> list[str]:
    """Names in the first row."""
    try:
        return pl.read_csv(path, n_rows=0, infer_schema=False, separator=separator).columns
    except pl.exceptions.NoDataError as error:
        raise InputError(f"{path.name} is empty") from error


def check_columns(path: Path, expected: Iterable[str], found: list[str]) -> None:
    """Refuse a table that lacks a column.

    Raises:
        InputError: with the columns expected and found.
    """
    missing = [name for name in expected if name not in found]
    if missing:
        raise InputError(
            f"{path.name}: column {', '.join(missing)} is missing; expected {', '.join(expected)}, "
            f"found {', '.join(found)}"
        )


def read_lines(path: Path) -> list[str]:
    """Lines of a small file in UTF-8, Windows-1252 or Latin-1, whichever decodes it first."""
    return decode(path.read_bytes()).splitlines()


def decode(content: bytes) -> str:
    """Text in UTF-8, Windows-1252 or Latin-1, whichever decodes it first; the last one decodes everything."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def split_fields(path: Path, separator: str, columns: list[str]) -> pl.DataFrame:
    """A small table without header and quotes whose separator may have several characters, all columns as strings.

    The last field takes whatever is left of a line.

    Raises:
        InputError: a line has fewer fields.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(separator, len(columns) - 1)
        if len(fields) == len(columns):
            rows.append(fields)
        elif line:
            raise InputError(f"{path.name}, line {number}: expected {separator.join(columns)}, found {line[:80]!r}")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
