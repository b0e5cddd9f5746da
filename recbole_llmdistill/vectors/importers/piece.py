"""A piece of an imported file, and the checks that all formats share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors.numbers import to_float32


@dataclass(frozen=True)
class Piece:
    """Consecutive users (or items) of a file.

    Attributes:
        tokens: ``[n]`` strings.
        vectors: ``[n, K, D]`` float32, zero where ``has_profile`` is false.
        has_profile: ``[n, K]`` bool.
        names: ``[D]`` columns that hold a value each; empty where a column holds a vector.
    """

    tokens: Sequence[str]
    vectors: np.ndarray
    has_profile: np.ndarray
    names: Sequence[str] = ()


def one_vector_each(tokens: Sequence[str], vectors: np.ndarray, names: Sequence[str] = ()) -> Piece:
    """A piece of users with one vector ``[n, D]`` float32 each."""
    return Piece(tokens, vectors[:, None], np.ones((len(vectors), 1), dtype=bool), names)


def stack(
    rows: Sequence[Sequence[float]],
    tokens: Sequence[str],
    path: Path,
    place: str,
    numbers: Sequence[int],
    of: Entity = USERS,
) -> np.ndarray:
    """Rows of numbers as ``[n, D]`` float32.

    Args:
        rows: the vectors.
        tokens: whose they are.
        path: the file, for messages.
        place: what a row is called in it (line, row, user number).
        numbers: the number of each row.
        of: users or items.

    Raises:
        InputError: a row is no list of numbers, is empty, has another length than the first, or float32 cannot hold it.
    """
    for number, row, token in zip(numbers, rows, tokens, strict=True):
        if not isinstance(row, (list, tuple)) or not set(map(type, row)) <= {int, float}:
            raise InputError(f"{path}, {place} {number}: the vector of {of.noun} {token!r} is no list of numbers")
        if not row:
            raise InputError(f"{path}, {place} {number}: the vector of {of.noun} {token!r} is empty")
        if len(row) != len(rows[0]):
            raise InputError(
                f"{path}, {place} {number}: the vector of {of.noun} {token!r} has {len(row)} values, the first has "
                f"{len(rows[0])}; all need the same number"
            )
    try:
        values = np.array(rows)
    except OverflowError:  # a whole number of hundreds of digits among fractions
        values = np.array(rows, dtype=object)
    if values.dtype.kind not in "fiu":  # whole numbers of twenty digits and more
        odd = next(number for number, row in enumerate(rows) if any(abs(value) >= 2**63 for value in row))
        raise InputError(
            f"{path}, {place} {numbers[odd]}: the vector of {of.noun} {tokens[odd]!r} holds whole numbers beyond those "
            "of float32"
        )
    return to_float32(values, lambda row: f"{path}, {place} {numbers[row]}")
