"""What the columns of a table hold, and as which fields of an atomic file they are written."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from recbole_llmdistill.dataset_converters import timestamps
from recbole_llmdistill.dataset_converters.number_forms import (
    FORMS,
    PLAIN,
    UNIT,
    WITH_COMMA,
    WITH_POINT,
    NumberForm,
    choose,
    most_common,
    present,
)
from recbole_llmdistill.dataset_converters.table_files import Table
from recbole_llmdistill.dataset_converters.time_order import EXACT_IN_FLOAT32
from recbole_llmdistill.errors import InputError

_TRUE_OR_FALSE = "(?i)^(true|false)$"
_WHOLE_NUMBER = r"^[+-]?(0|[1-9]\d*)$"
_IDENTIFIER = re.compile(
    r"(.*[_\W])?(id|ids|uuid|guid|hash|key|token|index)|(?-i:.*[a-z](Id|ID|UUID))|Unnamed: \d+|__index_level_\d+__|",
    re.DOTALL | re.IGNORECASE,
)
_ROUNDED = r"^\d([.,]\d+)?[eE]\+\d+$"
_MOST = 0.9
"""Share of a column's values from which on the others are told of, as they keep it from being one of numbers."""


@dataclass(frozen=True)
class Column:
    """A column, and the field that it becomes.

    Attributes:
        name: in the table.
        kind: what it holds.
        values: of the field; a list of strings, a string or a number. None where no field can hold it.
        distinct: about how many different values there are; counted for text alone.
        remark: what was done, or why it is no field; empty where there is nothing to say.
        largest: of numbers, the largest absolute value.
    """

    name: str
    kind: Literal["number", "text", "list", "numbers", "yes or no", "time", "code", "nothing"]
    values: pl.Expr | None
    distinct: int = 0
    remark: str = ""
    largest: float = 0.0

    @property
    def looks_like_an_id(self) -> bool:
        """Whether the values name something, rather than say something of it."""
        return self.kind == "code" or _IDENTIFIER.fullmatch(self.name) is not None

    @property
    def field_type(self) -> str:
        """RecBole's type of a field of items or users."""
        types = {"number": "float", "text": "token_seq", "list": "token_seq", "numbers": "float_seq"}
        return types.get(self.kind, "token")


def examine(table: Table, names: list[str]) -> list[Column]:
    """Look at all values of these columns, in one pass that keeps none of them.

    Args:
        table: where they are.
        names: of the columns.
    """
    schema = table.frame.collect_schema()
    asked = [
        expression.alias(f"{name}\0{key}")
        for name in names
        for key, expression in _statistics(name, schema[name]).items()
    ]
    counted = table.collect(table.frame.select(asked)).row(0, named=True) if asked else {}
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in counted.items():
        name, statistic = key.rsplit("\0", 1)
        found[name][statistic] = value
    return [_column(table, name, schema[name], found[name]) for name in names]


def _statistics(name: str, data_type: pl.DataType) -> dict[str, pl.Expr]:
    column = pl.col(name)
    if data_type == pl.String:
        text = present(name)
        whole = text.str.contains(_WHOLE_NUMBER)
        return {
            "values": text.count(),
            "bool": text.str.contains(_TRUE_OR_FALSE).sum(),
            "whole": whole.sum(),
            "largest": pl.when(whole).then(text).cast(pl.Float64, strict=False).abs().max(),
            "distinct": column.approx_n_unique(),
            **{form.description: form.fits(text).sum() for form in FORMS},
        }
    if data_type.is_numeric():
        number = column.cast(pl.Float64)
        finite = number.is_finite()
        return {
            "values": finite.sum(),
            "infinite": number.is_infinite().sum(),
            "largest": pl.when(finite).then(number).abs().max(),
        }
    return {"values": column.count()}


def _column(table: Table, name: str, data_type: pl.DataType, found: dict[str, Any]) -> Column:
    if not found["values"]:
        return Column(name, "nothing", None, remark="it has no values")
    if data_type == pl.String:
        return _of_strings(table, name, found)
    if data_type.is_numeric():
        return _of_numbers(name, data_type, found)
    column = pl.col(name)
    if data_type == pl.Boolean:
        return Column(name, "yes or no", column.cast(pl.String))
    if data_type == pl.Date or isinstance(data_type, pl.Datetime) or data_type == pl.Time:
        return Column(name, "time", _shown_moment(column, data_type))
    if isinstance(data_type, pl.List):
        inner = data_type.inner
        if inner.is_float():
            numbers = column.list.eval(pl.element().fill_null(float("nan")).cast(pl.String)).list.join(" ")
            return Column(name, "numbers", numbers, remark="lists of numbers")
        if not inner.is_nested() and inner != pl.Null:
            return Column(name, "list", column.cast(pl.List(pl.String)))
    return Column(name, "nothing", None, remark=f"no field can hold a {str(data_type).split('(')[0].lower()}")


def _shown_moment(column: pl.Expr, data_type: pl.DataType) -> pl.Expr:
    if not isinstance(data_type, pl.Datetime):
        return column.cast(pl.String)
    return column.dt.strftime("%Y-%m-%d %H:%M:%S").str.strip_suffix(" 00:00:00")


def _of_numbers(name: str, data_type: pl.DataType, found: dict[str, Any]) -> Column:
    column, largest = pl.col(name), found["largest"]
    if data_type.is_integer():
        if largest > EXACT_IN_FLOAT32:
            return _code(name, column.cast(pl.String))
        return Column(name, "number", column, largest=largest)
    remark = f"{found['infinite']:,} infinite values were taken as missing" if found["infinite"] else ""
    number = column if data_type == pl.Float32 else column.cast(pl.Float64)
    return Column(name, "number", pl.when(number.is_finite()).then(number), remark=remark, largest=largest)


def _code(name: str, values: pl.Expr) -> Column:
    return Column(name, "code", values, remark="whole numbers that float32 cannot hold, kept as they are written")


def _of_strings(table: Table, name: str, found: dict[str, Any]) -> Column:
    text, values = present(name), found["values"]
    if found["bool"] == values:
        return Column(name, "yes or no", text.str.to_lowercase())
    counts = {form: found[form.description] for form in FORMS}
    form = choose(counts, values, table.separator)
    if form is PLAIN and found["whole"] == values:
        if found["largest"] > EXACT_IN_FLOAT32:
            return _code(name, text)
        return Column(name, "number", text.cast(pl.Int64, strict=False), largest=found["largest"])
    if form is None:
        return Column(name, "text", pl.col(name), found["distinct"], _why_no_numbers(table, name, counts, values))
    remark = ""
    if form is not PLAIN:
        units = _units(table, name)
        if len(units) > 1:
            remark = f"text, as the values have several units ({', '.join(units)})"
            return Column(name, "text", pl.col(name), found["distinct"], remark)
        either = counts[WITH_POINT] == counts[WITH_COMMA] == values
        remark = _what_was_read(table, name, form, units, either)
    number = form.parse(text)
    return Column(name, "number", pl.when(number.is_finite()).then(number), remark=remark)


def _why_no_numbers(table: Table, name: str, counts: dict[NumberForm, int], values: int) -> str:
    """A column that is almost one of numbers is most probably meant to be one."""
    form = most_common(counts)
    if counts[form] < _MOST * values:
        return ""
    place, value = table.first(present(name).is_not_null() & ~form.fits(present(name)), name)
    return f"text, though {counts[form]:,} of {values:,} values are numbers {form.description}: {value!r} in {place}"


def _units(table: Table, name: str) -> list[str]:
    sign = present(name).str.extract(rf"({UNIT})").drop_nulls().unique()
    return sorted(table.collect(table.frame.select(sign)).to_series())


def _what_was_read(table: Table, name: str, form: NumberForm, units: list[str], either: bool) -> str:
    """With an example, so that a wrong reading is seen."""
    telling = present(name).str.contains("[.,]") if either else present(name).str.contains(r"[^\d.+-]")
    found = table.find(telling, name)
    if not found:
        return ""
    value = found[1].strip()
    number = pl.select(form.parse(pl.lit(value))).item()
    doubt = " (it could be the other way round)" if either and re.search("[.,]", value) else ""
    without = f", without {units[0]}" if units else ""
    return f"numbers {form.description}{without}: {value!r} is {number:.10g}{doubt}"


def read_ids(table: Table, name: str, notes: list[str]) -> pl.Expr:
    """A column of ids as strings, as they are written; null where there is none.

    Args:
        table: where the column is.
        name: of the column.
        notes: gets what was done.

    Raises:
        InputError: a list or the like is no id, or a spreadsheet has rounded the ids.
    """
    data_type, column = table.frame.collect_schema()[name], pl.col(name)
    if data_type.is_nested():
        raise InputError(f"{table.name}: column {name} holds no ids but {data_type}")
    if data_type.is_float():
        fraction = table.collect(table.frame.select((column.is_finite() & (column % 1 != 0)).any())).item()
        if not fraction:
            notes.append(f"{table.name}, {name}: ids without the .0 of numbers that had to hold missing values")
            return pl.when(column.is_finite()).then(column).cast(pl.Int64, strict=False).cast(pl.String)
        return pl.when(column.is_finite()).then(column).cast(pl.String)
    if data_type != pl.String:
        return column.cast(pl.String)
    rounded = table.find(column.str.contains(_ROUNDED), name)
    if rounded:
        raise InputError(
            f"{rounded[0]}, column {name}: {rounded[1]!r} is an id that a spreadsheet has rounded, so that different "
            "ids have become one; export the table again with this column as text"
        )
    return column


def read_numbers(table: Table, name: str) -> tuple[pl.Expr, str]:
    """A column that must hold numbers, and what was done to it.

    Raises:
        InputError: with the first value that is none.
    """
    column = examine(table, [name])[0]
    if column.values is None:
        return pl.lit(None, pl.Float64), column.remark
    if column.kind == "number":
        return column.values, column.remark
    if column.kind == "yes or no":
        return (column.values == "true").cast(pl.Float64), "true is 1, false is 0"
    if column.kind == "code":
        return column.values.cast(pl.Float64), ""
    if table.frame.collect_schema()[name] != pl.String:
        raise InputError(f"{table.name}: column {name} holds no numbers but {table.frame.collect_schema()[name]}")
    counts = {form: table.collect(table.frame.select(form.fits(present(name)).sum())).item() for form in FORMS}
    form = most_common(counts)
    if column.remark.startswith("text, as"):
        raise InputError(f"{table.name}: column {name} holds no numbers of one kind: {column.remark[9:]}")
    place, value = table.first(present(name).is_not_null() & ~form.fits(present(name)), name)
    others = f" {form.description}, as the others are" if counts[form] else ""
    raise InputError(f"{place}, column {name}: {value!r} is no number{others}; correct it or leave the cell empty")


def read_times(table: Table, name: str, given_format: str | None) -> tuple[pl.Expr, str]:
    """Seconds since 1970 of a column that must hold times, and what was done to it.

    Args:
        table: where the column is.
        name: of the column.
        given_format: how the times are written, if it cannot be seen.

    Raises:
        InputError: with the first value that is no time, or is written otherwise than the others.
    """
    data_type = table.frame.collect_schema()[name]
    if data_type == pl.Date or isinstance(data_type, pl.Datetime):
        return timestamps.typed_seconds(name, data_type), ""
    if data_type.is_integer():
        text = pl.col(name).cast(pl.String)
    elif data_type.is_numeric():
        number = pl.col(name).cast(pl.Float64)
        text = pl.when(number.is_finite()).then(number).cast(pl.String).str.strip_suffix(".0")
    elif data_type == pl.String:
        text = present(name)
    elif data_type == pl.Null:
        return pl.lit(None, pl.Float64), "it has no values"
    else:
        raise InputError(f"{table.name}: column {name} holds no times but {data_type}")
    if given_format is not None:
        seconds = timestamps.GivenForm(given_format).parse(text)
        unread = table.find(text.is_not_null() & seconds.is_null(), name)
        if unread:
            raise InputError(
                f"{unread[0]}, column {name}: {unread[1]!r} is not written as --time-format={given_format!r}"
            )
        return seconds, f"read as {given_format}"
    if data_type.is_numeric():
        number = pl.when(pl.col(name).cast(pl.Float64).is_finite()).then(pl.col(name)).cast(pl.Float64)
        if not _all(table, text, timestamps.COMPACT):
            return _counted(table, name, number)
    form = _time_form(table, name, text)
    if form is timestamps.NUMBER:
        return _counted(table, name, text.cast(pl.Float64, strict=False))
    seconds = form.parse(text)
    _refuse_unreadable(table, name, text, seconds, form.example)
    return seconds, "" if form is timestamps.ISO else f"times read as {form.example}"


def _all(table: Table, text: pl.Expr, form: timestamps.TimeForm) -> bool:
    fits = table.frame.select(text.count().alias("values"), form.fits(text).sum().alias("fits"))
    values, fitting = table.collect(fits).row(0)
    return 0 < values == fitting


def _time_form(table: Table, name: str, text: pl.Expr) -> timestamps.TimeForm:
    """The form of all values, or of most, so that the first other one can be named."""
    fits = {str(place): form.fits(text).sum() for place, form in enumerate(timestamps.FORMS)}
    counted = table.collect(table.frame.select(text.count().alias("values"), **fits)).row(0, named=True)
    counts = {form: counted[str(place)] for place, form in enumerate(timestamps.FORMS)}
    if counts[timestamps.COMPACT] < counted["values"]:
        counts[timestamps.COMPACT] = 0
    form = max(timestamps.FORMS, key=counts.__getitem__)
    if form in (timestamps.DAY_FIRST, timestamps.MONTH_FIRST) and (
        counts[timestamps.DAY_FIRST] == counts[timestamps.MONTH_FIRST]
    ):
        place, value = table.first(form.fits(text), name)
        raise InputError(
            f"{place}, column {name}: {value!r} may have the day or the month first, and no value tells; give "
            "--time-format, e.g. --time-format='%d/%m/%Y' or '%m/%d/%Y %H:%M:%S'"
        )
    return form


def _refuse_unreadable(table: Table, name: str, text: pl.Expr, seconds: pl.Expr, example: str) -> None:
    found = table.find(text.is_not_null() & seconds.is_null(), name)
    if found:
        others = table.collect(table.frame.select(seconds.is_not_null().any())).item()
        problem = (
            f"holds {found[1]!r}, not a time as the others ({example})" if others else f"holds no times: {found[1]!r}"
        )
        raise InputError(
            f"{found[0]}: column {name} {problem}; correct it, leave the cell empty, or "
            "say by --time-format how times are written (e.g. '%d/%m/%Y %H:%M'); understood are "
            "2019-10-31 12:00:00 and the like, and seconds since 1970"
        )


def _counted(table: Table, name: str, number: pl.Expr) -> tuple[pl.Expr, str]:
    """Numbers of seconds, milli-, micro- or nanoseconds, all of one unit."""
    text = table.frame.collect_schema()[name] == pl.String
    if text:
        _refuse_unreadable(table, name, present(name), number, "a number of seconds")
    unit = timestamps.unit_expression(number)
    units = table.collect(table.frame.select(unit.drop_nulls().unique().sort())).to_series().to_list()
    if len(units) > 1:
        places = [(table.first(unit == found, name), found) for found in units]
        told = [f"{value} in {place} in {_unit_name(found)}" for (place, value), found in places]
        raise InputError(
            f"column {name}: by their size times are in different units: {', '.join(told)}; write all in one unit"
        )
    per_second = units[0] if units else 1
    return number / per_second, f"times read as {_unit_name(per_second)} since 1970" if per_second > 1 else ""


def _unit_name(per_second: int) -> str:
    return {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}[per_second]
