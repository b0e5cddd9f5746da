"""Read the columns of an atomic file as RecBole's pandas would, in seconds for millions of rows.

Tokens become pandas categoricals: a number per row, and each different token once. RecBole reads them with pandas'
``python`` engine, as one Python string a row.
"""

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recbole_llmdistill.formats.atomic_files import AtomicFile

if TYPE_CHECKING:
    import polars as pl  # which takes a fifth of a second, and is imported when a file is read

# What pandas.read_csv takes for a missing value, and so does RecBole. In a column of tokens only nothing is missing:
# somebody is called null.
MISSING_NUMBERS = [
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
    *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
]


def read_header(path: Path, encoding: str | None, separator: str) -> dict[str, str] | None:
    """Type of each column in the file's order, or None where the file is one that only pandas reads as RecBole does.

    That is: another encoding than UTF-8, a separator of several characters (a regular expression there), quoted
    cells, blank lines, or lines that end in a carriage return.

    Raises:
        InputError: the first line is no header.
    """
    file = AtomicFile(path, encoding, separator)
    if len(separator.encode()) != 1 or file.codec != "utf-8-sig":
        return None
    with open(path, "rb") as lines:
        if not lines.readline().endswith(b"\n"):
            return None
        with mmap.mmap(lines.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if any(content.find(mark) >= 0 for mark in (b'"', b"\r", b"\n\n", b"\0")):
                return None
    return file.header()


def read_columns(path: Path, separator: str, header: dict[str, str], fields: list[str]) -> pd.DataFrame | None:
    """Columns ``fields`` of types token (categorical) and float (float64), or None where polars refuses the file.

    Args:
        path: the atomic file.
        separator: RecBole's ``field_separator``.
        header: type of each column, from :func:`read_header`.
        fields: columns to read.
    """
    import polars as pl

    names = {field: f"{field}:{header[field]}" for field in fields}
    types = {f"{field}:{kind}": pl.Float64 if kind == "float" else pl.String for field, kind in header.items()}
    try:
        table = pl.read_csv(
            path,
            separator=separator,
            columns=[names[field] for field in fields],
            schema=types,
            quote_char=None,
        )
    except (pl.exceptions.PolarsError, OSError):
        return None
    columns = {}
    for field in fields:
        column = table.drop_in_place(names[field])
        columns[field] = column.to_numpy() if header[field] == "float" else _categorical(column)
    return pd.DataFrame(columns)


def coded(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Code of each value, -1 where it is missing, and the different values that the codes count."""
    if isinstance(values, pd.Categorical):
        return np.asarray(values.codes), values.categories.to_numpy(dtype=object)
    return pd.factorize(np.asarray(values, dtype=object))


def as_categorical(values: np.ndarray) -> pd.Categorical:
    """Tokens as a categorical, whose categories stand in the order of their first appearance."""
    codes, tokens = pd.factorize(values)
    return pd.Categorical.from_codes(codes, pd.Index(tokens, dtype=object), validate=False)


def _categorical(column: "pl.Series") -> pd.Categorical:
    import polars as pl

    tokens = column.unique(maintain_order=True).drop_nulls()
    codes = column.cast(pl.Enum(tokens)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
    return pd.Categorical.from_codes(codes, pd.Index(tokens.to_list(), dtype=object), validate=False)
