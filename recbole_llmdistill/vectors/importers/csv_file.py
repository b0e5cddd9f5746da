"""CSV and TSV: a column of users or items, and a column a value or one column that holds the whole vector.

Read by Python's csv module: the parser of pandas ends the whole process at some damaged files.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors.numbers import LARGEST_WHOLE, to_float32
from recbole_llmdistill.vectors.importers.columns import Tell, choose_id_column, choose_vector_columns
from recbole_llmdistill.vectors.importers.piece import Piece, one_vector_each, stack

ROWS = 4096
_LONGEST_CELL = 2**31 - 1
_COMMA, _SPACE = re.compile(r"\d,\d"), re.compile(r"\d\s+[-+.\d]")  # where spaces separate, commas do not
_WHOLE = re.compile(r"\s*[-+]?\d+\s*")

Row = tuple[int, list[str]]
"""Number of a line, and its cells."""


def read_csv(
    path: Path, id_column: str | None, vector_column: str | None, tell: Tell, of: Entity = USERS
) -> Iterator[Piece]:
    """Read a CSV file with a header (``.tsv``: separated by tabs).

    Raises:
        InputError: a column is missing, a cell is no number, rows differ in length; names the line.
    """
    csv.field_size_limit(_LONGEST_CELL)  # a vector of thousands of values exceeds the default
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            header = next(reader, None)
            if not header:
                raise InputError(f"{path}: not a readable CSV file (line 1 is empty; expected the names of columns)")
            names = _names([name.strip() for name in header])
            rows = _rows(reader, path, len(names))
            yield from _read(path, names, rows, id_column, vector_column, tell, of)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a readable CSV file (after line {reader.line_num}: {error})") from error


def _names(header: list[str]) -> list[str]:
    """Names of the columns; those without one are called as pandas calls them."""
    names = []
    for number, name in enumerate(header):
        while name == "" or (header[number] == "" and name in header):
            name = f"Unnamed: {number}" if name == "" else f"{name}.1"
        names.append(name)
    return names


def _rows(reader: Any, path: Path, columns: int) -> Iterator[Row]:
    """Lines that are not empty, short ones filled up with empty cells."""
    for cells in reader:
        if len(cells) > columns:
            raise InputError(
                f"{path}: not a readable CSV file (line {reader.line_num} has {len(cells)} cells, the header {columns})"
            )
        if cells:
            yield reader.line_num, cells + [""] * (columns - len(cells))


def _read(
    path: Path,
    names: list[str],
    rows: Iterator[Row],
    id_column: str | None,
    vector_column: str | None,
    tell: Tell,
    of: Entity,
) -> Iterator[Piece]:
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{path}, line 1: column {twice[0]!r} stands in the header {names.count(twice[0])} times")
    part = list(islice(rows, ROWS))
    texts = {name: not all(map(_is_number, (cells[column] for _, cells in part))) for column, name in enumerate(names)}
    identifier = choose_id_column(path, texts, id_column, of)
    values = [name for name in names if name != identifier]
    if vector_column is None:
        values = choose_vector_columns(path, values, tell)
    elif vector_column in values:
        values = [vector_column]
    else:
        raise InputError(f"{path}: no column {vector_column!r}; it has {', '.join(names)}")
    if not values:
        raise InputError(
            f"{path}: no column beside the {of.noun}'s; it needs a column a value, or one that holds vectors"
        )
    whole = len(values) == 1 and texts[values[0]]
    columns = [names.index(name) for name in values]
    while part:
        tokens = [cells[names.index(identifier)] for _, cells in part]
        if whole:
            vectors = [
                _split(cells[columns[0]], f"{path}, line {line}: the vector of {of.noun} {token!r}")
                for token, (line, cells) in zip(tokens, part, strict=True)
            ]
            yield one_vector_each(tokens, stack(vectors, tokens, path, "line", [line for line, _ in part], of))
        else:
            yield one_vector_each(tokens, _numbers(part, columns, values, path, of), values)
        part = list(islice(rows, ROWS))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # which Python's float passes over


def _split(cell: str, whose: str) -> list[float]:
    """The numbers in a cell such as ``[0.1, 0.2]`` or ``0.1 0.2``; ``whose`` they are, for messages."""
    if _COMMA.search(cell) and _SPACE.search(cell):
        raise InputError(f"{whose} has spaces between some numbers and commas within others; write decimal points")
    numbers = cell.strip("[]() ").replace(",", " ").split()
    if not all(map(_is_number, numbers)):
        raise InputError(f"{whose} is no list of numbers")
    return list(map(float, numbers))


def _numbers(rows: Sequence[Row], columns: list[int], names: list[str], path: Path, of: Entity) -> np.ndarray:
    """These columns as ``[rows, columns]``."""

    def place(row: int, column: int) -> str:
        return f"{path}, line {rows[row][0]}, column {names[column]}"

    try:
        values = np.array([[float(cells[column]) for column in columns] for _, cells in rows])
        underscores = any("_" in cells[column] for _, cells in rows for column in columns)
    except ValueError:
        underscores = True
    if underscores:  # only to say where
        row, column = next(
            (row, number)
            for row, (_, cells) in enumerate(rows)
            for number, column in enumerate(columns)
            if not _is_number(cells[column])
        )
        raise InputError(
            f"{place(row, column)}: {rows[row][1][columns[column]]!r} is no number; name the {of.noun} column by "
            f"--{of.noun}-column, and the vectors' by --vector-column if one column holds them"
        )
    for row, column in np.argwhere(np.abs(values) > LARGEST_WHOLE).tolist():
        cell = rows[row][1][columns[column]]
        if _WHOLE.fullmatch(cell):
            raise InputError(
                f"{place(row, column)}: {cell} is a whole number beyond those of float32, as an id would be"
            )
    return to_float32(values, lambda row: f"{path}, line {rows[row][0]}")
