"""One table of one's own, in one file or many: csv, tsv, txt or parquet."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from polars.datatypes import DataTypeClass

from recbole_llmdistill.dataset_converters.csv_text import CsvText, open_csv
from recbole_llmdistill.dataset_converters.raw_files import TABLE_SUFFIXES, RawFile, RawFiles
from recbole_llmdistill.errors import InputError

_ROW = "\0row"
_PARTITION = re.compile(r"([^=/]+)=([^=/]*)")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """One file of a table.

    Attributes:
        name: file name.
        frame: its rows; names of columns without spaces around them, dictionaries and bytes as strings.
        text: of a csv file, how it is written; None of parquet.
    """

    name: str
    frame: pl.LazyFrame
    text: CsvText | None


@dataclass(frozen=True)
class Table:
    """Rows of all files of a table, in their order.

    Attributes:
        name: for messages.
        parts: the files.
        frame: all rows.
        remarks: what was done to the files.
    """

    name: str
    parts: list[Part]
    frame: pl.LazyFrame
    remarks: list[str]

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.frame.collect_schema().names()

    @property
    def separator(self) -> str | None:
        """Of the fields, None of a parquet file."""
        return self.parts[0].text.separator if self.parts[0].text else None

    def require(self, columns: Iterable[tuple[str, str]]) -> None:
        """Refuse a table that lacks one of the columns, each given with the flag that names it.

        Raises:
            InputError: with the columns found.
        """
        columns, found = list(columns), self.columns
        missing = [(name, flag) for name, flag in columns if name not in found]
        if missing:
            one_column = "" if len(found) > 1 else "; columns are separated by a comma, tab, semicolon or bar"
            raise InputError(
                f"{self.parts[0].name}: column {', '.join(name for name, _ in missing)} is missing; expected "
                f"{', '.join(name for name, _ in columns)}, found {', '.join(found)}; say which columns they are by "
                f"{', '.join(dict.fromkeys(flag for _, flag in missing))}{one_column}"
            )

    def collect(self, lazy: pl.LazyFrame) -> pl.DataFrame:
        """The result of a query on these rows, which are never all in memory."""
        return lazy.collect(engine="streaming")

    def first(self, condition: pl.Expr, column: str) -> tuple[str, Any]:
        """As :meth:`find`, of a condition that holds for some row."""
        found = self.find(condition, column)
        assert found is not None
        return found

    def find(self, condition: pl.Expr, column: str) -> tuple[str, Any] | None:
        """Where the first row is for which the condition holds (file and line, or row), and its value in a column."""
        for part in self.parts:
            rows = part.frame.with_row_index(_ROW).filter(condition).select(_ROW, column).head(1)
            found = self.collect(rows)
            if found.height:
                row, value = found.row(0)
                place = f"line {part.text.line_of_row(row):,}" if part.text else f"row {row + 1:,}"
                return f"{part.name}, {place}", value
        return None


def open_table(
    files: RawFiles, found: list[RawFile], option: str, encoding: str | None = None, quotes: bool = True
) -> Table:
    """Open the files of one table.

    Args:
        files: what they were found in.
        found: the files, in their order.
        option: the flag that names them, for messages.
        encoding: of csv files that are not UTF-8.
        quotes: whether straight double quotes enclose the fields of csv files.

    Raises:
        InputError: a file cannot be read, or the files have not all the same columns.
    """
    suffixes = sorted({Path(file.name).suffix.lower() for file in found})
    if len(suffixes) > 1:
        raise InputError(
            f"several files fit: {', '.join(file.name for file in found[:6])}; name those of one kind by {option}"
        )
    found = [file for file in found if _size(file)] or found[:1]  # Spark writes empty parts, too
    parts = [_open_part(files, file, encoding, quotes) for file in found]
    _check_same_columns(parts, option)
    names = [part.name for part in parts]
    name = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]} ({len(names):,} files)"
    columns = parts[0].frame.collect_schema().names()
    frames = [part.frame.select(columns) for part in parts]
    remarks = [f"read {name}"] if len(names) > 1 else []
    remarks += [remark for part in parts if part.text for remark in part.text.remarks]
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed")
    return Table(name, parts, frame, remarks)


def _size(file: RawFile) -> int:
    return file.path.stat().st_size


def _open_part(files: RawFiles, file: RawFile, encoding: str | None, quotes: bool) -> Part:
    if not file.name.lower().endswith(TABLE_SUFFIXES):
        raise InputError(
            f"{file.name}: known are .csv, .tsv, .txt and .parquet files, also as .gz, .zst, .bz2, .xz or in a .zip"
            + ("; save it as CSV UTF-8" if file.name.lower().endswith((".xls", ".xlsx", ".ods")) else "")
        )
    path = files.open(file)
    text = None
    if file.name.lower().endswith((".parquet", ".pq")):
        frame = _scan_parquet(path, file.name)
    else:
        text = open_csv(path, file.name, files.workspace, encoding, quotes)
        frame = _parsed_once(text, files.workspace)
    present = frame.collect_schema().names()
    folders = {found[1]: found[2] for part in file.path.parts if (found := _PARTITION.fullmatch(part))}
    partitions = {name: value for name, value in folders.items() if name not in present}
    frame = frame.with_columns(
        pl.lit(None if value == _NO_VALUE else value, pl.String).alias(name) for name, value in partitions.items()
    )
    return Part(file.name, frame, text)


def _parsed_once(text: CsvText, workspace: Path) -> pl.LazyFrame:
    """The rows of a csv file in columns on the disk, as each column is looked at several times."""
    target = workspace / f"{text.path.name}.{len(list(workspace.iterdir()))}.parquet"
    try:
        text.scan().sink_parquet(target, compression="lz4", engine="streaming")
    except pl.exceptions.ComputeError:
        surplus = text.surplus_field()
        if not surplus:
            raise
        line, fields = surplus
        raise InputError(
            f"{text.name}, line {line:,}: {fields} fields, but there are {len(text.columns)} columns; put a value that "
            "holds the separator in quotes"
        ) from None
    return pl.scan_parquet(target)


def _scan_parquet(path: Path, name: str) -> pl.LazyFrame:
    try:
        frame = pl.scan_parquet(path, hive_partitioning=False)
        schema = frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{name} is no parquet file, or a damaged one ({' '.join(str(error).split())[:200]})"
        ) from error
    names = [column.strip() for column in schema.names()]
    twice = [column for column in names if names.count(column) > 1]
    if twice:
        raise InputError(f"{name}: {names.count(twice[0])} columns are named {twice[0]!r}; rename all but one")
    return frame.select(
        _decoded(column, data_type).alias(plain)
        for (column, data_type), plain in zip(schema.items(), names, strict=True)
        if plain
    )


def _decoded(column: str, data_type: pl.DataType) -> pl.Expr:
    """Dictionaries (pandas' category), enumerations and bytes as the strings that they stand for."""
    if isinstance(data_type, pl.Categorical | pl.Enum):
        return pl.col(column).cast(pl.String)
    if data_type == pl.Binary:
        return pl.col(column).map_batches(_as_text, return_dtype=pl.String, is_elementwise=True)
    if isinstance(data_type, pl.Array):
        return pl.col(column).cast(pl.List(data_type.inner))
    return pl.col(column)


def _as_text(values: pl.Series) -> pl.Series:
    """Text that was not marked as such; for bytes that are none, their hexadecimal digits."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [value if value is None else _text_or_digits(value) for value in values]  # one by one: alike everywhere
        return pl.Series(values.name, texts, dtype=pl.String)


def _text_or_digits(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _check_same_columns(parts: list[Part], option: str) -> None:
    """All files must have the columns of the first, of the same kinds; a file of one column more is another table."""
    first = parts[0].frame.collect_schema()
    for part in parts[1:]:
        schema = part.frame.collect_schema()
        lacking, further = (
            [name for name in first if name not in schema],
            [name for name in schema if name not in first],
        )
        if lacking or further:
            difference = [f"lacks {', '.join(lacking)}"] * bool(lacking) + [f"has {', '.join(further)}"] * bool(further)
            raise InputError(
                f"{part.name}: other columns than {parts[0].name}: {' and '.join(difference)}; the files of a table "
                f"must have the same columns (name fewer by {option})"
            )
        for name, data_type in first.items():
            if not _alike(data_type, schema[name]):
                raise InputError(
                    f"{part.name}: column {name} is {schema[name]}, in {parts[0].name} it is {data_type}; the files of "
                    "a table must have the same kinds of columns"
                )


def _alike(one: pl.DataType | DataTypeClass, other: pl.DataType | DataTypeClass) -> bool:
    return (
        one == other
        or (one.is_numeric() and other.is_numeric())
        or pl.Null in (one, other)
        or (isinstance(one, pl.Datetime) and isinstance(other, pl.Datetime) and one.time_zone == other.time_zone)
        or (isinstance(one, pl.List) and isinstance(other, pl.List) and _alike(one.inner, other.inner))
    )
