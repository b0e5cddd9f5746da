"""A piece of an imported file, and the checks that all formats share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError


@dataclass(frozen=True)
class Piece:
    """Consecutive users of a file.

    Attributes:
        user_tokens: ``[n]`` strings.
        vectors: ``[n, K, D]`` float32, zero where ``has_profile`` is false.
        has_profile: ``[n, K]`` bool.
    """

    user_tokens: Sequence[str]
    vectors: np.ndarray
    has_profile: np.ndarray


def one_vector_each(user_tokens: Sequence[str], vectors: np.ndarray) -> Piece:
    """A piece of users with one vector ``[n, D]`` each."""
    return Piece(user_tokens, vectors.astype(np.float32, copy=False)[:, None], np.ones((len(vectors), 1), dtype=bool))


def stack(
    rows: Sequence[Sequence[float]], user_tokens: Sequence[str], path: Path, place: str, first: int
) -> np.ndarray:
    """Rows of numbers as ``[n, D]`` float32.

    Args:
        rows: the vectors.
        user_tokens: whose they are.
        path: the file, for messages.
        place: what a row is called in it (line, row, user number).
        first: number of the first row.

    Raises:
        InputError: a row is no list of numbers, or has another length than the first.
    """
    try:
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(rows[0]))
    except (ValueError, TypeError):
        pass
    for number, (row, user) in enumerate(zip(rows, user_tokens, strict=True), start=first):
        try:
            length = len(np.array(row, dtype=np.float32).reshape(-1)) if row is not None else 0
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}, {place} {number}: the vector of user {user!r} is no list of numbers") from error
        if length != len(rows[0]):
            raise InputError(
                f"{path}, {place} {number}: the vector of user {user!r} has {length} values, the first has "
                f"{len(rows[0])}; all need the same number"
            )
    raise InputError(f"{path}: its vectors are no lists of numbers")
