"""The lines of a history: one for each item, with what was repeated joined into it, and the day where it changes.

A repeated item stands where it was last, with the number of its interactions and since when: that is what a reader
needs to know of the same thing ten times. Its values are joined, too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from recbole_llmdistill.profiles.history.days import UNKNOWN, date, gap
from recbole_llmdistill.profiles.history.item_text import CELL, MISSING

REPEATS_LABEL = "xN: N times"
DATE_LABEL = "date where it changes"
_MARKS = "; "
_MOST_VALUES = 4
"""Of the different values of a repeated item."""


@dataclass(frozen=True)
class Lines:
    """What a reader is shown of a history.

    Attributes:
        texts: one for each different item, in the order of its last interaction.
        interactions: how many are joined in each.
        dates: day of each, empty where unknown; an empty list where there are no times.
    """

    texts: list[str]
    interactions: list[int]
    dates: list[str]


def write_lines(
    items: Sequence[str],
    columns: Sequence[Sequence[str]] = (),
    numeric: Sequence[bool] = (),
    days: Sequence[int] | None = None,
) -> Lines:
    """Lines of a user.

    Args:
        items: text of the item of each interaction, oldest first.
        columns: further fields, each with the value of every interaction.
        numeric: whether a column's values are numbers.
        days: day of each interaction; None where there are no times.
    """
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(item, []).append(place)
    groups = sorted(places.values(), key=lambda group: group[-1])
    texts, dates, before = [], [], None
    for group in groups:
        cells = [items[group[-1]]]
        cells += [
            _join([column[place] for place in group], are_numbers)
            for column, are_numbers in zip(columns, numeric, strict=True)
        ]
        last = int(UNKNOWN if days is None else days[group[-1]])
        marks = [_repeats(group, days, len(items))] if len(group) > 1 else []
        if last != UNKNOWN and last != before:
            later = "" if before is None else gap(before, last)
            marks.append(date(last) + (f", {later}" if later else ""))
            before = last
        texts.append(CELL.join([*cells, *([_MARKS.join(marks)] if marks else [])]))
        dates.append(date(last))
    return Lines(texts, [len(group) for group in groups], [] if days is None else dates)


def with_date(line: str, day: str, columns: int) -> str:
    """A line that says no date, because it is that of the line before, with it.

    Args:
        line: as written by :func:`write_lines`.
        day: its date.
        columns: cells of a line without marks.
    """
    has_marks = line.count(CELL) >= columns
    return f"{line}{_MARKS if has_marks else CELL}{day}"


def _repeats(group: list[int], days: Sequence[int] | None, length: int) -> str:
    """``x4``, and since when, unless all happened on one day or one after another."""
    times = f"x{len(group)}"
    if days is not None and days[group[0]] != UNKNOWN:
        return times if days[group[0]] == days[group[-1]] else f"{times} since {date(days[group[0]])}"
    in_a_row = group[-1] - group[0] == len(group) - 1
    return times if in_a_row else f"{times} since no. {group[0] + 1} of {length}"


def _join(values: list[str], are_numbers: bool) -> str:
    """The values of a repeated item in one cell: each once with its number, or the range of many numbers."""
    if len(values) == 1:
        return values[0]
    known = Counter(value for value in values if value != MISSING)
    if are_numbers and len(known) > _MOST_VALUES:
        return f"{min(known, key=float)} to {max(known, key=float)}"
    cells = [value if times == len(values) or times == 1 else f"{value} x{times}" for value, times in known.items()]
    more = [f"{len(cells) - _MOST_VALUES} more"] if len(cells) > _MOST_VALUES else []
    return ", ".join([*cells[:_MOST_VALUES], *more]) or MISSING
