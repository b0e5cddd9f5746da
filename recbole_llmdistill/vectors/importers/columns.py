"""What each column of a table is: the user (or item), a value of the vector, or neither, such as a row number."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity

Tell = Callable[[str], None]
"""Takes a sentence that the user should read."""

# As pandas, polars, R and databases call the number of a row.
_ROW_NUMBER = re.compile(
    r"(unnamed: ?\d+(\.\d+)*(_level_\d+)?|__index_level_\d+__|level_\d+|index|idx|\.\.\.1|#"
    r"|row|rn|row_?(nr|number|num|no|id|idx|index|names?)|__?row_?(nr|number|index|id)__?)?",
    re.IGNORECASE,
)
_ID = re.compile(r"(?i:(.*[_\- .])?(id|uid|guid|uuid|key|pk))|.*[a-z](Id|ID)")
_NUMBERED = re.compile(r"(.*?)\s*\[?(\d+)\]?")
_LEAST_ROWS = 10  # for whole numbers that are all different to be taken for ids


def choose_id_column(path: Path, columns: Mapping[str, bool], wanted: str | None, of: Entity = USERS) -> str:
    """``wanted`` if given, else a column of a usual name, else the first that may name users (or items).

    Args:
        path: the file, for messages.
        columns: name -> whether it holds text, in the order of the file.
        wanted: as it was asked for.
        of: whose names are looked for.

    Raises:
        InputError: there is no column of that name, or it cannot be told which column names them.
    """
    if wanted is not None and wanted not in columns:
        raise InputError(f"{path}: no column {wanted!r}; it has {', '.join(map(str, columns))}")
    if wanted is not None:
        return wanted
    plain = {re.sub(r"[_\- .]", "", name.split(":")[0]).lower(): name for name in reversed(list(columns))}
    usual_names = (of.id.replace("_", ""), of.column, of.noun)
    if usual := next((plain[name] for name in usual_names if name in plain), None):
        return usual
    named = [name for name in columns if not is_row_number(name)]
    first = next(iter(columns))
    if first in named:
        return first
    if named and columns[named[0]]:
        return named[0]
    if columns[first]:
        return first
    raise InputError(
        f"{path}: it cannot be told which column names the {of.name}: the first, {first!r}, may number the rows; name "
        f"it by --{of.noun}-column (its columns: {_listed(list(columns))})"
    )


def choose_vector_columns(path: Path, columns: Sequence[str], tell: Tell) -> list[str]:
    """The columns, a value each, that make up the vector; what is left out is told.

    Row numbers and ids are left out by their names; so is whatever stands beside columns that are numbered, as
    ``dim_0``, ``dim_1`` ... are. Numbered columns are put in the order of their numbers.

    Args:
        path: the file, for messages.
        columns: those beside the names', in the order of the file.
        tell: takes the sentence on what is left out.
    """
    numbered = defaultdict(list)
    for name in columns:
        if (match := _NUMBERED.fullmatch(name)) and not is_row_number(name):
            numbered[match[1]].append((int(match[2]), name))
    series = [names for names in numbered.values() if len(names) > 1]
    if len(series) == 1:
        kept = [name for _, name in sorted(series[0])]
    else:
        kept = [name for name in columns if not is_row_number(name) and not _ID.fullmatch(name)]
    if left := [name for name in columns if name not in kept]:
        verb = "is" if len(left) == 1 else "are"
        tell(f"{path}: {_listed(left)} {verb} not of the vectors and left out; these are {_listed(kept) or 'none'}")
    return kept


def is_row_number(name: str) -> bool:
    """Whether a column of that name is what a program writes to number the rows."""
    return _ROW_NUMBER.fullmatch(name.strip()) is not None


def check_values(path: Path, names: Sequence[str], vectors: np.ndarray, of: Entity = USERS) -> None:
    """Refuse vectors one of whose values numbers the rows or identifies the user (or item).

    Args:
        path: the file, for messages.
        names: ``[D]`` what each value is called.
        vectors: ``[users, D]``.
        of: users or items.

    Raises:
        InputError: there is such a value.
    """
    whole = np.ones(vectors.shape[1], dtype=bool)
    for start in range(0, len(vectors), 4096):
        whole &= (vectors[start : start + 4096] % 1 == 0).all(axis=0)
    for column in np.flatnonzero(whole).tolist():
        values = np.asarray(vectors[:, column])
        if len(values) > 2 and (np.abs(np.diff(values)) == 1).all() and len(np.unique(values)) == len(values):
            what = f"counts the rows ({values[0]:g}, {values[1]:g} ... {values[-1]:g})"
        elif len(values) >= _LEAST_ROWS and not whole.all() and len(np.unique(values)) == len(values):
            what = f"holds another whole number for each {of.noun} ({values[0]:g}, {values[1]:g} ...), as an id does"
        else:
            continue
        raise InputError(f"{path}: {names[column]} {what} and is no value of a vector; take it out of the file")


def _listed(names: Sequence[str]) -> str:
    names = [repr(name) for name in names]
    return ", ".join(names if len(names) <= 6 else [*names[:3], f"... ({len(names) - 4} more)", names[-1]])
