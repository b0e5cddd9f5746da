"""Which column of a table names the user."""

from collections.abc import Sequence
from pathlib import Path

from recbole_llmdistill.errors import InputError

_USUAL = ("user_id", "uid", "user")


def choose_user_column(path: Path, columns: Sequence[str], wanted: str | None) -> str:
    """``wanted`` if given, else a column of a usual name, else the first.

    Raises:
        InputError: there is no column of that name.
    """
    if wanted is not None and wanted not in columns:
        raise InputError(f"{path}: no column {wanted!r}; it has {', '.join(map(str, columns))}")
    return wanted or next((name for name in _USUAL if name in columns), columns[0])
