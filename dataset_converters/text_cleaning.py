"""Text and tokens in the form in which RecBole reads back what was written.

RecBole reads atomic files with ``pandas.read_csv(delimiter="\\t", engine="python")`` (dataset.py, ``_load_feat``). So a
field must hold no tab and no line break, must not begin with a double quote (the reader would take all up to the next
one as one field), and must not be a word that pandas reads as missing: ``NA``, ``None``, ``null`` ... The values of a
``token_seq`` are separated by single spaces.
"""

from urllib.parse import quote

import polars as pl

READ_AS_MISSING = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""What ``pandas.read_csv`` takes for a missing value (pandas._libs.parsers.STR_NA_VALUES, but for the empty string)."""

_SPACE = r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff]+"


def clean_text(text: pl.Expr) -> pl.Expr:
    """Free text in one line, words separated by single spaces; empty text becomes null.

    Straight double quotes become typographic ones. A text that pandas would read as missing gets a space at its end,
    which neither pandas nor RecBole counts as a part of it.
    """
    text = text.str.replace_all(_SPACE, " ").str.strip_chars(" ")
    text = text.str.replace_all(r'(^|[ (\[{])"', "${1}“").str.replace_all('"', "”", literal=True)
    text = pl.when(text.is_in(READ_AS_MISSING)).then(text + " ").otherwise(text)
    return pl.when(text != "").then(text)


def join_values(values: pl.Expr) -> pl.Expr:
    """A list of values as ``token_seq``: spaces inside a value become ``_``; no value becomes null."""
    element = pl.element().str.strip_chars().str.replace_all(_SPACE, "_").str.replace_all('"', "”", literal=True)
    joined = values.list.eval(element.filter(element != "").unique(maintain_order=True)).list.join(" ")
    joined = pl.when(joined.is_in(READ_AS_MISSING)).then(joined + " ").otherwise(joined)
    return pl.when(joined != "").then(joined)


def escape_ids(ids: pl.Series) -> pl.Series:
    """Ids that RecBole reads back, different ones for different ids.

    An id that would not survive (see the head of this file) is written with percent signs as in a URL;
    ``urllib.parse.unquote`` gives the publisher's id. All others, Cyrillic ones and ones with spaces too, stay as
    they are, unless they look like such an escape.
    """
    endangered = (
        ids.str.contains(r'[\x00-\x1f\x7f-\x9f]|^"|^ | $|%[0-9A-Fa-f]{2}') | ids.is_in(READ_AS_MISSING)
    ).fill_null(False)
    if not endangered.any():
        return ids
    old = ids.filter(endangered).unique()
    return ids.replace(old, pl.Series([_escape(text) for text in old], dtype=pl.String))


def _escape(text: str) -> str:
    if text in READ_AS_MISSING:
        return f"%{ord(text[0]):02X}{text[1:]}"
    return quote(text, safe=" !#$&'()*+,/:;=?@[]<>{}|^`") if text.strip(" ") == text else quote(text, safe="")
