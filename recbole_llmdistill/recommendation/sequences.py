"""Read sequences of items row by row, whatever the size of the file.

========== ===============================================================================================
``.jsonl`` a line ``{"user_id": "u1", "item_ids": ["a", "b"]}``, or ``["a", "b"]`` alone
``.csv``   columns ``item_ids``, the tokens separated by spaces, and perhaps ``user_id``
.parquet   columns ``item_ids``, lists of texts or whole numbers, and perhaps ``user_id``
``.txt``   a line of tokens, separated by white space
========== ===============================================================================================

The newest item is the last. A row without a user is called by its number from 1; the header of a csv file is row 1.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError

ROWS_AT_ONCE = 1024
"""Rows of a parquet file that are in memory at a time."""
LONGEST_CELL = 2**27
"""Characters of a csv cell; Python's own limit is a few thousand items."""
_BLANKS = " \t\r\n"  # and no other white space, which may be part of a token


@dataclass(frozen=True)
class UserSequence:
    """What one user did.

    Attributes:
        user: token, or the number of the row in its file; None where there is neither.
        items: item tokens, the newest last.
        named: ``user`` is a token.
    """

    user: str | None
    items: list[str]
    named: bool = True


def read_sequences(path: Path, on_broken: Callable[[str], None]) -> Iterator[UserSequence]:
    """Sequences of a file, in its order; its rows are read as they are asked for.

    Args:
        path: the file; its suffix says which format it has.
        on_broken: is told of each row that cannot be read, in one line with the file and the row, which is then passed
            over; an error that it raises ends the reading.

    Raises:
        InputError: the file is missing or unreadable as a whole, or its suffix is unknown.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"--sequences={path}: the name ends with none of {', '.join(_READERS)}")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"--sequences={path}: cannot be read ({error.strerror})") from error
    return _sequences(path, reader(path), on_broken)


def read_tokens(path: Path, flag: str) -> list[str]:
    """Tokens of a text file, one per line; empty lines are passed over.

    Raises:
        InputError: the file cannot be read, or holds none; ``flag`` names it.
    """
    try:
        lines = [line.strip(_BLANKS) for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{flag}={path}: cannot be read ({error})") from error
    if tokens := [line for line in lines if line]:
        return tokens
    raise InputError(f"{flag}={path}: the file is empty; write one token per line")


@dataclass(frozen=True)
class _Broken:
    reason: str


_Rows = Iterator[tuple[int, tuple[Any, Any] | _Broken]]


def _sequences(path: Path, rows: _Rows, on_broken: Callable[[str], None]) -> Iterator[UserSequence]:
    for number, row in rows:
        try:
            if isinstance(row, _Broken):
                raise ValueError(row.reason)
            user, items = row
            named = user is not None
            sequence = UserSequence(_token(user if named else number, "user"), _tokens(items), named)
        except ValueError as error:
            on_broken(f"{path}, row {number}: {error}")
            continue
        yield sequence


def _text_lines(path: Path) -> Iterator[str]:
    """Lines whose bytes may be no text, which :func:`_token` finds."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from file


def _lines(path: Path) -> _Rows:
    for number, line in enumerate(_text_lines(path), start=1):
        yield number, (None, _words(line))


def _words(text: str) -> list[str]:
    return [word for word in re.split(f"[{_BLANKS}]", text) if word]


def _json_lines(path: Path) -> _Rows:
    for number, line in enumerate(_text_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, _Broken(f"no JSON ({error})")
            continue
        if isinstance(row, dict) and "item_ids" in row:
            yield number, (row.get("user_id"), row["item_ids"])
        elif isinstance(row, list):
            yield number, (None, row)
        else:
            yield number, _Broken("neither a list of items nor an object with item_ids")


def _csv(path: Path) -> _Rows:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    rows = csv.reader(_text_lines(path), strict=True)
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise InputError(f"{path}, row 1: {error}") from error
    user, items = _columns(path, header)
    number = 1
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, _Broken(str(error))
            continue
        if not row:
            continue
        if len(row) != len(header):
            yield number, _Broken(f"{len(row)} columns, the header has {len(header)}")
        else:
            yield number, (None if user is None else row[user], _words(row[items]))


def _parquet(path: Path) -> _Rows:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            user, items = _columns(path, names)
            columns = [names[items]] if user is None else [names[user], names[items]]
            number = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                lists = batch.column(names[items]).to_pylist()
                users = [None] * len(lists) if user is None else batch.column(names[user]).to_pylist()
                for pair in zip(users, lists, strict=True):
                    number += 1
                    yield number, pair
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no readable parquet file ({str(error).splitlines()[0][:200]})") from error


def _columns(path: Path, names: list[str]) -> tuple[int | None, int]:
    if "item_ids" not in names:
        raise InputError(f"{path}: no column item_ids, but {', '.join(names)[:200] or 'none at all'}")
    return names.index("user_id") if "user_id" in names else None, names.index("item_ids")


def _tokens(items: Any) -> list[str]:
    if not isinstance(items, list):
        raise ValueError(f"item_ids is no list, but {_shown(items)}")
    return [_token(item, "item") for item in items]


def _token(value: Any, kind: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{kind} {_shown(value)} is neither text nor a whole number")
    text = str(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{kind} {text!r} is no UTF-8 text") from None
    return text


def _shown(value: Any) -> str:
    text = json.dumps(value, default=lambda other: type(other).__name__)
    return text if len(text) <= 60 else f"{text[:60]} ..."


_READERS: dict[str, Callable[[Path], _Rows]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
    ".txt": _lines,
}
