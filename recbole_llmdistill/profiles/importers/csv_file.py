"""CSV and TSV: a user column, and a column a value or one column that holds the whole vector."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.importers.columns import choose_user_column
from recbole_llmdistill.profiles.importers.piece import Piece, one_vector_each, stack

ROWS = 4096


def read_csv(path: Path, user_column: str | None, vector_column: str | None) -> Iterator[Piece]:
    """Read a CSV file with a header (``.tsv``: separated by tabs).

    Raises:
        InputError: a column is missing, a cell is no number, rows differ in length; names the line.
    """
    import pandas as pd

    separator = "\t" if path.suffix == ".tsv" else ","
    try:
        header = list(pd.read_csv(path, sep=separator, nrows=0).columns)
        user = choose_user_column(path, header, user_column)
        options = {"dtype": {user: str}, "chunksize": ROWS, "keep_default_na": False, "index_col": False}
        chunks = pd.read_csv(path, sep=separator, **options)
        values = [column for column in header if column != user]
        if vector_column is not None:
            if vector_column not in values:
                raise InputError(f"{path}: no column {vector_column!r}; it has {', '.join(header)}")
            values = [vector_column]
        line = 2
        while (chunk := _next(chunks)) is not None:
            tokens = chunk[user].tolist()
            if len(values) == 1 and chunk[values[0]].dtype == object:
                cells = [cell.strip("[]() ").replace(",", " ").split() for cell in chunk[values[0]]]
                yield one_vector_each(tokens, stack(cells, tokens, path, "line", line))
            else:
                yield one_vector_each(tokens, _numbers(chunk[values], path, line))
            line += len(chunk)
    except (
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
    ) as error:
        raise InputError(f"{path}: not a readable CSV file ({' '.join(str(error).split())})") from error


def _next(chunks):
    """The next rows, or None; rows with more cells than the header are an error, where pandas would cut them."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return next(chunks, None)


def _numbers(frame, path: Path, first_line: int) -> np.ndarray:
    import pandas as pd

    for column in frame.select_dtypes(object).columns:
        bad = pd.to_numeric(frame[column], errors="coerce").isna().to_numpy()
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"{path}, line {first_line + row}, column {column}: {frame[column].iloc[row]!r} is no number; name the "
                "user column by --user-column, and the vectors' by --vector-column if one column holds them"
            )
    if not len(frame.columns):
        raise InputError(f"{path}: no column beside the user's; it needs a column a value, or one that holds vectors")
    return frame.to_numpy(dtype=np.float32)
