"""Recognise how a table writes its times, and turn them into seconds since 1970."""

from dataclasses import dataclass

import polars as pl

from recbole_llmdistill.dataset_converters.number_forms import PLAIN

_TIME_OF_DAY = r"(?:[T ]+(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d(?:[.,]\d+)?))?(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"
_DAY, _MONTH = r"(?P<d>0?[1-9]|[12]\d|3[01])", r"(?P<m>0?[1-9]|1[0-2])"
_UNITS = ((10**17, 10**9, "nanoseconds"), (10**14, 10**6, "microseconds"), (10**11, 10**3, "milliseconds"))
"""From which number on a time is counted in nano-, micro- or milliseconds: in seconds it would be the year 5138."""


@dataclass(frozen=True)
class TimeForm:
    """A way to write a moment as text.

    Attributes:
        example: for messages.
        pattern: a regular expression with groups y, m, d, H, M, S, half and zone; None for numbers.
    """

    example: str
    pattern: str | None

    def fits(self, text: pl.Expr) -> pl.Expr:
        """Whether a cell without spaces around it looks like this."""
        return text.str.contains(self.pattern or PLAIN.pattern)

    def parse(self, text: pl.Expr, unit: int = 1) -> pl.Expr:
        """Seconds since 1970 (UTC where the cell names no zone), with their fraction; null where it is no such moment.

        Args:
            text: the cells.
            unit: of numbers, units per second.
        """
        if self.pattern is None:
            return text.cast(pl.Float64, strict=False) / unit
        parts = text.str.extract_groups(self.pattern).struct
        number = {name: parts.field(name).cast(pl.Int32, strict=False) for name in "ymdHM"}
        day = pl.concat_str(parts.field("y"), parts.field("m").str.zfill(2), parts.field("d").str.zfill(2))
        date = day.str.to_date("%Y%m%d", strict=False).cast(pl.Int32).cast(pl.Float64)
        half = parts.field("half").str.to_lowercase()
        of_twelve = number["H"] % 12 + pl.when(half == "p").then(12).otherwise(0)
        hour = pl.when(half.is_null()).then(number["H"].fill_null(0)).otherwise(of_twelve)
        minute = number["M"].fill_null(0)
        second = parts.field("S").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).fill_null(0)
        digits = parts.field("zone").str.replace_all("[^0-9]", "").str.pad_end(4, "0").cast(pl.Int32, strict=False)
        ahead = (digits // 100 * 3600 + digits % 100 * 60).fill_null(0)
        ahead = pl.when(parts.field("zone").str.starts_with("-")).then(-ahead).otherwise(ahead)
        legal = (hour < 24) & (minute < 60) & (second < 61)
        return pl.when(legal).then(date * 86400 + hour * 3600 + minute * 60 + second - ahead)


@dataclass(frozen=True)
class GivenForm:
    """The form of ``--time-format``.

    Attributes:
        example: the format, e.g. ``%d/%m/%Y %H:%M``.
    """

    example: str

    def parse(self, text: pl.Expr) -> pl.Expr:
        """As :meth:`TimeForm.parse`."""
        moment = text.str.to_datetime(self.example, strict=False, time_unit="us", time_zone="UTC")
        return moment.dt.epoch("us").cast(pl.Float64) / 1e6


ISO = TimeForm("2019-10-31 12:00:00", rf"^(?P<y>\d{{4}})[-/.]{_MONTH}[-/.]{_DAY}{_TIME_OF_DAY}{_ZONE}$")
COMPACT = TimeForm(
    "20191031 or 20191031120000",
    r"^(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
    r"(?:T?(?P<H>[01]\d|2[0-3])(?P<M>[0-5]\d)(?P<S>[0-5]\d))?(?P<half>[AaPp])?(?P<zone>Z)?$",
)
NUMBER = TimeForm("a number of seconds", None)
DOTTED = TimeForm("31.10.2019 12:00", rf"^{_DAY}\.{_MONTH}\.(?P<y>\d{{4}}),?{_TIME_OF_DAY}{_ZONE}$")
DAY_FIRST = TimeForm("31/10/2019 12:00", rf"^{_DAY}[/-]{_MONTH}[/-](?P<y>\d{{4}}),?{_TIME_OF_DAY}{_ZONE}$")
MONTH_FIRST = TimeForm("10/31/2019 12:00", rf"^{_MONTH}[/-]{_DAY}[/-](?P<y>\d{{4}}),?{_TIME_OF_DAY}{_ZONE}$")
FORMS = (ISO, COMPACT, NUMBER, DOTTED, DAY_FIRST, MONTH_FIRST)
"""In this order: eight or fourteen digits that could be a date are one, not seconds of 1970 or milliseconds of 2610."""


def unit_of(number: float) -> tuple[int, str]:
    """Units a second of a time given as a number, by its size, and their name."""
    return next(((unit, name) for least, unit, name in _UNITS if abs(number) >= least), (1, "seconds"))


def unit_expression(number: pl.Expr) -> pl.Expr:
    """As :func:`unit_of`, of each number; null of zero, which is the same moment in every unit."""
    unit = pl.lit(1)
    for least, per_second, _ in reversed(_UNITS):
        unit = pl.when(number.abs() >= least).then(per_second).otherwise(unit)
    return pl.when(number != 0).then(unit)


def typed_seconds(column: str, data_type: pl.DataType) -> pl.Expr:
    """Seconds since 1970 of a column of dates or datetimes; of one with a zone, in UTC."""
    if data_type == pl.Date:
        return pl.col(column).cast(pl.Int32).cast(pl.Float64) * 86400
    return pl.col(column).dt.epoch("us").cast(pl.Float64) / 1e6
