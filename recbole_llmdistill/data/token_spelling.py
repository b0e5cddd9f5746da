"""Users and items that a data set would know if their names were written as it writes them."""

import re
from collections.abc import Collection, Iterable

from recbole_llmdistill.formats.entity import USERS, Entity

_FLOAT = re.compile(r"(-?\d+)\.0+")


def differently_written(unknown: Iterable[str], known: Collection[str], of: Entity = USERS) -> str | None:
    """A sentence on those that are known by another spelling: white space around the name, ``7.0`` or ``007`` for 7.

    Args:
        unknown: names that are not in ``known``.
        known: the data set's names.
        of: users or items.

    Returns:
        How many there are, the first of them and what to do; None where there is none.
    """
    found = [(name, as_known) for name in unknown if (as_known := _spelling(name, known)) is not None]
    if not found:
        return None
    name, as_known = found[0]
    return (
        f"{len(found)} {of.name} are written otherwise than in the data set (the first is {name!r}, there "
        f"{as_known!r}); write them as the data set does, ids as texts or whole numbers"
    )


def _spelling(name: str, known: Collection[str]) -> str | None:
    bare = name.strip()
    if number := _FLOAT.fullmatch(bare):  # a column of ids with a gap, read as floating point
        bare = number[1]
    unquoted = bare[2:-1] if re.fullmatch(r"b'.*'|b\".*\"", bare) else bare.strip("'\"")
    for other in (bare, unquoted, bare.lstrip("0") or "0"):
        if other != name and other in known:
            return other
    return None
