"""Write RecBole atomic files, all or none."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from recbole_llmdistill.dataset_converters.source import ITEM, USER
from recbole_llmdistill.dataset_converters.text_cleaning import clean_text, escape_ids, join_values
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.scratch_folder import put_in_place, scratch_folder

ID_COLUMNS = (f"{USER}:token", f"{ITEM}:token")


@contextmanager
def new_dataset_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` to build the data set in; it becomes ``out`` when all is done, and vanishes otherwise.

    Raises:
        InputError: ``out`` exists and is not empty, RecBole would not read it, or the disk is full.
    """
    if out.name == "ml-100k":
        raise InputError("RecBole reads the data set ml-100k from its own package; choose another name in --out")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out} exists already; remove it or choose another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(f".{out.name}.partial-", out.parent) as partial:
            yield partial
            put_in_place(partial, out)
    except OSError as error:
        raise _describe(error, out) from error


def _describe(error: OSError, out: Path) -> InputError:
    text = str(error)
    if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and out.exists():
        return InputError(f"{out} was written by another process meanwhile; remove it or choose another --out")
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "os error 28" in text or "os error 27" in text
    if full:
        return InputError(f"{out}: no space left to write the data set ({error.strerror or text}); nothing was written")
    return InputError(f"{error.filename or out}: {error.strerror or text}")


def write_atomic_file(table: pl.DataFrame, path: Path) -> None:
    """Write one table.

    Args:
        table: columns are named ``name:type``. Of type ``token_seq``, strings are text and lists are multi-valued
            fields; of type ``token``, strings and categories; of type ``float``, numbers.
        path: file to write.
    """
    written = table.with_columns(_readable(table, column) for column in table.columns)
    written.lazy().sink_csv(path, separator="\t", quote_style="never", engine="streaming")


def _readable(table: pl.DataFrame, column: str) -> pl.Expr | pl.Series:
    data_type = table.schema[column]
    if column in ID_COLUMNS:
        return _by_value(table[column], escape_ids)
    if isinstance(data_type, pl.List):
        return join_values(pl.col(column))
    if data_type == pl.String:
        return clean_text(pl.col(column))
    if isinstance(data_type, pl.Categorical):
        return _by_value(table[column], lambda values: pl.select(clean_text(pl.lit(values))).to_series())
    return pl.col(column)


def _by_value(values: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Change every different value once: a column of millions of rows has few."""
    used = values.unique().cast(pl.String)
    changed = change(used)
    return values if changed.equals(used) else values.cast(pl.String).replace(used, changed)
