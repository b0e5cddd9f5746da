"""JSON: one object ``{"user": [floats]}``, the format of the paper's authors, or ``{"user": [[floats], ...]}``."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.importers.piece import Piece, one_vector_each, stack

USERS = 4096


def read_json(path: Path) -> Iterator[Piece]:
    """Read the object user by user, so that a file of gigabytes needs megabytes.

    Raises:
        InputError: no such object, a vector is no list of numbers, lengths differ; names the user.
    """
    import ijson

    number = 1
    try:
        with open(path, "rb") as file:
            if not file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                raise InputError(f'{path}: expected one JSON object {{"user": [numbers], ...}}')
            file.seek(3 if file.seek(0) == 0 and file.read(3) == b"\xef\xbb\xbf" else 0)
            pairs = ijson.kvitems(file, "", use_float=True)
            while part := list(islice(pairs, USERS)):
                users, rows = [user for user, _ in part], [row for _, row in part]
                for user, row in part:
                    if not isinstance(row, list) or not row:
                        raise InputError(f"{path}: the value of user {user!r} is no list of numbers")
                if isinstance(rows[0][0], list):
                    yield _several(rows, users, path, number)
                else:
                    yield one_vector_each(users, stack(rows, users, path, "user number", number))
                number += len(part)
    except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{path}: not readable JSON after {number - 1} users or more ({reason})") from error


def _several(rows: list, users: list[str], path: Path, first: int) -> Piece:
    flat = [vector for row in rows for vector in row]
    owners = [user for user, row in zip(users, rows, strict=True) for _ in row]
    for user, row in zip(users, rows, strict=True):
        if len(row) != len(rows[0]):
            raise InputError(f"{path}: user {user!r} has {len(row)} vectors, the first user has {len(rows[0])}")
    vectors = stack(flat, owners, path, "vector number", first).reshape(len(rows), len(rows[0]), -1)
    return Piece(users, vectors, np.ones(vectors.shape[:2], dtype=bool))
