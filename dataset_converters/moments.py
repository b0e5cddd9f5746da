"""Recognise how a table writes its times, and turn them into seconds since 1970."""

from pathlib import Path

import polars as pl

from recbole_llmdistill.errors import InputError

_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f%:z",
    "%Y-%m-%d %H:%M:%S%.f%z",
)
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))
"""From which number on a time is counted in nano-, micro- or milliseconds: in seconds it would be the year 5138."""


def seconds(table: pl.LazyFrame, column: str, path: Path) -> pl.Expr:
    """Expression of the seconds since 1970 (UTC) in a column.

    Args:
        table: where the column is; its first thousand values are looked at.
        column: dates, ISO 8601 texts (``2019-10-01 12:00:00``, ``2019-10-01T12:00:00.5Z``; UTC where no zone is
            named), or numbers of seconds, milli-, micro- or nanoseconds, told apart by their size.
        path: for the message.

    Raises:
        InputError: the first values are none of these.
    """
    data_type = table.collect_schema()[column]
    if data_type == pl.Date or isinstance(data_type, pl.Datetime):
        return pl.col(column).dt.epoch("s")
    first = table.select(pl.col(column).drop_nulls().head(1000)).collect().to_series()
    if data_type.is_numeric():
        return _counted(pl.col(column), first)
    if data_type == pl.String:
        numbers = first.cast(pl.Float64, strict=False)
        if numbers.null_count() == 0:
            return _counted(pl.col(column).cast(pl.Float64), numbers)
        for pattern in _FORMATS:
            moments = _without_marks(pl.col(column)).str.to_datetime(pattern, strict=False, time_unit="us")
            if first.to_frame().select(moments.is_not_null().all()).item():
                return _without_marks(pl.col(column)).str.to_datetime(pattern, time_unit="us").dt.epoch("s")
    example = first[0] if len(first) else "nothing"
    raise InputError(
        f"{path.name}: column {column} holds no times: {example!r}; use seconds since 1970 or 2019-10-01 12:00:00"
    )


def _counted(values: pl.Expr, first: pl.Series) -> pl.Expr:
    largest = first.max() or 0
    unit = next((unit for least, unit in _UNITS if largest >= least), 1)
    return (values // unit).cast(pl.Int64)


def _without_marks(text: pl.Expr) -> pl.Expr:
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d)T", "${1} ")
    return text.str.replace(r"\s*(Z|UTC)$", "+00:00")
