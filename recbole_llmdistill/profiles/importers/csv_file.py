"""CSV and TSV: a user column, and a column a value or one column that holds the whole vector."""

import csv
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profile_file.numbers import to_float32
from recbole_llmdistill.profiles.importers.columns import Tell, choose_user_column, choose_vector_columns
from recbole_llmdistill.profiles.importers.piece import Piece, one_vector_each, stack

ROWS = 4096
_DECIMAL_COMMA = re.compile(r"\d,\d.*\d\s+[-+.\d]|\d\s+[-+.\d].*\d,\d")  # spaces separate, so commas do not


def read_csv(path: Path, user_column: str | None, vector_column: str | None, tell: Tell) -> Iterator[Piece]:
    """Read a CSV file with a header (``.tsv``: separated by tabs).

    Raises:
        InputError: a column is missing, a cell is no number, rows differ in length; names the line.
    """
    try:
        yield from _read(path, user_column, vector_column, tell)
    except (InputError, OSError):
        raise
    except Exception as error:  # pandas raises a dozen kinds of errors about files that are no tables
        raise InputError(f"{path}: not a readable CSV file ({' '.join(str(error).split())[:300]})") from error


def _read(path: Path, user_column: str | None, vector_column: str | None, tell: Tell) -> Iterator[Piece]:
    import pandas as pd

    options = {
        "sep": "\t" if path.suffix.lower() == ".tsv" else ",",
        "encoding": "utf-8-sig",
        "keep_default_na": False,
        "index_col": False,
    }
    _check_header(path, options["sep"])
    start = _next(pd.read_csv(path, chunksize=100, **options))
    start = pd.read_csv(path, nrows=0, **options) if start is None else start
    texts = {name: not pd.api.types.is_numeric_dtype(start[name]) for name in start.columns}
    user = choose_user_column(path, texts, user_column)
    values = [name for name in texts if name != user]
    if vector_column is None:
        values = choose_vector_columns(path, values, tell)
    elif vector_column not in values:
        raise InputError(f"{path}: no column {vector_column!r}; it has {', '.join(texts)}")
    else:
        values = [vector_column]
    if not values:
        raise InputError(f"{path}: no column beside the user's; it needs a column a value, or one that holds vectors")
    whole = len(values) == 1 and texts[values[0]]
    types = {user: str, values[0]: str} if whole else {user: str}
    chunks = pd.read_csv(path, dtype=types, chunksize=ROWS, **options)
    line = 2
    while (chunk := _next(chunks)) is not None:
        tokens = chunk[user].tolist()
        if whole:
            pairs = zip(chunk[values[0]], tokens, strict=True)
            cells = [_split(cell, path, number, token) for number, (cell, token) in enumerate(pairs, start=line)]
            yield one_vector_each(tokens, stack(cells, tokens, path, "line", line))
        else:
            columns = [_numbers(chunk[name], path, line) for name in values]
            yield one_vector_each(tokens, np.stack(columns, axis=1), values)
        line += len(chunk)


def _check_header(path: Path, separator: str) -> None:
    """Refuse two columns of one name, which pandas would rename."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file, delimiter=separator), [])
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise InputError(f"{path}, line 1: column {twice[0]!r} stands in the header {header.count(twice[0])} times")


def _next(chunks):
    """The next rows, or None; rows with more cells than the header are an error, where pandas would cut them."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # every chunk is looked at by itself
        return next(chunks, None)


def _split(cell: str, path: Path, line: int, user: str) -> list[float]:
    """The numbers in a cell such as ``[0.1, 0.2]`` or ``0.1 0.2``."""
    if _DECIMAL_COMMA.search(cell):
        raise InputError(
            f"{path}, line {line}: the vector of user {user!r} has spaces between some numbers and commas within "
            "others; write decimal points"
        )
    try:
        if "_" in cell:  # which Python's float reads
            raise ValueError
        return [float(number) for number in cell.strip("[]() ").replace(",", " ").split()]
    except ValueError as error:
        raise InputError(f"{path}, line {line}: the vector of user {user!r} is no list of numbers") from error


def _numbers(column, path: Path, first_line: int) -> np.ndarray:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column):
        numbers = pd.to_numeric(column, errors="coerce")
        bad = numbers.isna().to_numpy() & ~column.str.strip().str.lower().eq("nan").to_numpy(dtype=bool)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"{path}, line {first_line + row}, column {column.name}: {column.iloc[row]!r} is no number; name the "
                "user column by --user-column, and the vectors' by --vector-column if one column holds them"
            )
        column = numbers
    place = f"column {column.name}"
    return to_float32(column.to_numpy(), lambda row: f"{path}, line {first_line + row}, {place}")
