"""Values of a field of the items: a brand or a path of categories is one value, a list of genres is several.

An atomic file does not say which: RecBole's ``token_seq`` is both a text and a list of words.
"""

import re
from collections.abc import Sequence

_FEW = 0.5
"""A field has values that recur, as brands do, if it has at most so many different cells per item."""
_LONGEST = 60
"""Characters of a cell on average; a longer one is a text, even if all items of a kind have the same."""
_PATH = re.compile(r"\s*[>›/]\s*")
_ALONE = 0.5
"""Cells are lists of words if this share of the words is a cell by itself as well, as ``Drama`` is."""


def split_values(cells: Sequence[str], kind: str, word: re.Pattern[str]) -> tuple[list[list[str]], bool]:
    """Values of each cell.

    Args:
        cells: of all items, empty where there is none.
        kind: RecBole's type of the field; a ``token`` is always one value.
        word: finds the words of a list or of a text.

    Returns:
        Values of each cell, and whether the cells are whole values.
    """
    known = [cell for cell in cells if cell]
    distinct = set(known)
    recurs = bool(known) and len(distinct) <= max(2, _FEW * len(known))
    recurs &= sum(map(len, known)) <= _LONGEST * len(known)
    if recurs and (kind == "token" or _are_paths(distinct) or not _are_lists(distinct, word)):
        return [[cell] if cell else [] for cell in cells], True
    return [word.findall(cell) for cell in cells], False


def top_level(value: str) -> str:
    """``Home`` of ``Home > Kitchen > Pans``."""
    return _PATH.split(value.strip(" />›"), maxsplit=1)[0]


def _are_paths(cells: set[str]) -> bool:
    return sum(_PATH.search(cell.strip(" />›")) is not None for cell in cells) > len(cells) / 2


def _are_lists(cells: set[str], word: re.Pattern[str]) -> bool:
    words = {found for cell in cells for found in word.findall(cell)}
    return len(words & cells) >= _ALONE * len(words)
