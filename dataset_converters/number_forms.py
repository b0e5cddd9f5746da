"""Numbers as people write them: decimal commas, thousands separators, currency signs.

A column is read by one form, the one that all its values have; which one it is can be seen from the column alone.
"""

from dataclasses import dataclass

import polars as pl

from recbole_llmdistill.dataset_converters.text_cleaning import READ_AS_MISSING

MISSING = (*READ_AS_MISSING, "", "-", "–", "—", "null", "NONE", "none", r"\N", "?", ".")
"""Cells that hold no value in a column of numbers or times."""

_ISO_CURRENCIES = (
    "AED|AUD|BGN|BRL|BYN|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|KZT|MXN|NOK|NZD|PLN|RON|RUB|RUR|SEK|SGD|"
    "TRY|UAH|USD|ZAR"
)
UNIT = rf"(?:R\$|US\$|\p{{Sc}}|%|(?:{_ISO_CURRENCIES})\b|kr\b\.?|zł|Kč|Ft\b|lei\b|руб\b\.?)"
_WHOLE = r"(?:0|[1-9]\d*)"
_PLAIN = rf"(?:{_WHOLE}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_SPACE = " \u00a0\u202f'’"
_WITH_POINT = rf"(?:{_WHOLE}|[1-9]\d{{0,2}}(?:[,{_SPACE}]\d{{3}})+)?(?:\.\d+)?"
_WITH_COMMA = rf"(?:{_WHOLE}|[1-9]\d{{0,2}}(?:[.{_SPACE}]\d{{3}})+)?(?:,\d+)?"


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written.

    Attributes:
        description: for messages.
        decimal: the decimal sign.
        pattern: what a whole cell looks like.
        silent: whether there is nothing to say about it.
    """

    description: str
    decimal: str
    pattern: str
    silent: bool = False

    def fits(self, text: pl.Expr) -> pl.Expr:
        """Whether a cell without spaces around it is a number of this form."""
        return text.str.contains(self.pattern) & text.str.contains(r"\d")

    def parse(self, text: pl.Expr) -> pl.Expr:
        """The numbers; null where a cell holds none."""
        thousands = "," if self.decimal == "." else "."
        bare = text.str.replace_all(rf"{UNIT}|[\s{_SPACE}\u00a0+]", "")
        bare = bare if self.silent else bare.str.replace_all(thousands, "", literal=True)
        return bare.str.replace(self.decimal, ".", literal=True).cast(pl.Float64, strict=False)


def _whole_cell(number: str) -> str:
    return rf"^(?:{UNIT}\s*)?[+-]?(?:{UNIT}\s*)?{number}\s*{UNIT}?$"


PLAIN = NumberForm("as 1234.5", ".", rf"^[+-]?{_PLAIN}$", silent=True)
WITH_POINT = NumberForm("with a decimal point (as 1,234.50)", ".", _whole_cell(_WITH_POINT))
WITH_COMMA = NumberForm("with a decimal comma (as 1.234,50)", ",", _whole_cell(_WITH_COMMA))
FORMS = (PLAIN, WITH_POINT, WITH_COMMA)


def present(column: str) -> pl.Expr:
    """Cells of a column of strings without the spaces around them, null where there is no value."""
    text = pl.col(column).str.strip_chars(" \u00a0\t\r\n\ufeff")
    return pl.when(~text.is_in(MISSING)).then(text)


def choose(counts: dict[NumberForm, int], values: int, separator: str | None) -> NumberForm | None:
    """The form that all values have, or None.

    Args:
        counts: how many values have each form.
        values: how many there are.
        separator: between the fields of the file: where ``1,234`` alone could be either, it is one and some thousandths
            in a file with semicolons, which are there because commas are decimal signs, and a thousand elsewhere.
    """
    whole = [form for form in FORMS if counts[form] == values]
    if PLAIN in whole or not whole:
        return PLAIN if whole else None
    return WITH_COMMA if WITH_COMMA in whole and (separator == ";" or WITH_POINT not in whole) else whole[0]


def most_common(counts: dict[NumberForm, int]) -> NumberForm:
    """The form that most values have."""
    return max(FORMS, key=counts.__getitem__)
