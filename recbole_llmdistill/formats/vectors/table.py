"""Profile vectors as they stand in a file, checked whatever format they came in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError

CHUNK_BYTES = 16 * 2**20
"""Vectors are checked, converted and written in pieces of about this size, so that no second copy of them exists."""


@dataclass(frozen=True)
class ProfileTable:
    """Profile vectors as they stand in a file, before they are aligned with a data set.

    Attributes:
        path: the file.
        user_tokens: ``[users]`` strings, each user once.
        vectors: ``[users, K, D]`` float32, zero where ``present`` is false. Read-only where it is mapped from the file.
        present: ``[users, K]`` bool.
    """

    path: Path
    user_tokens: np.ndarray
    vectors: np.ndarray
    present: np.ndarray

    def __post_init__(self) -> None:
        if len(self.user_tokens) == 0 or not self.present.any():
            raise InputError(f"{self.path}: no profiles in this file; make it anew or set distill_alpha=0")
        if self.vectors.shape[-1] == 0:
            raise InputError(f"{self.path}: its vectors are empty (0 values each); make it anew")
        self._check_users()
        for rows in row_chunks(self.vectors):
            broken = ~np.isfinite(self.vectors[rows]).all(axis=(1, 2))
            if broken.any():
                row = rows.start + int(np.argmax(broken))
                raise InputError(
                    f"{self.path}: the vector of user {self._token(row)!r} (user number {row + 1} of the file) "
                    "holds NaN or infinite values; encode that profile again or leave the user out"
                )

    def _check_users(self) -> None:
        tokens, first, count = np.unique(self.user_tokens, return_index=True, return_counts=True)
        if (count > 1).any():
            twice = np.argmax(count > 1)
            rows = np.flatnonzero(self.user_tokens == tokens[twice]) + 1
            raise InputError(
                f"{self.path}: user {self._token(first[twice])!r} stands in it {count[twice]} times (users number "
                f"{rows[0]} and {rows[1]} of the file); keep one line a user"
            )
        if tokens[0] == "":
            raise InputError(f"{self.path}: user number {first[0] + 1} of the file has an empty name; leave it out")
        for row, token in enumerate(self.user_tokens.tolist()):
            if not token.isascii() and not _is_text(token):
                raise InputError(
                    f"{self.path}: the name {token!r} of user number {row + 1} of the file is no Unicode text; mend it"
                )

    def _token(self, row: int) -> str:
        return str(self.user_tokens[row])


def row_chunks(array: np.ndarray) -> Iterator[slice]:
    """Consecutive slices of the first axis, each of about :data:`CHUNK_BYTES`."""
    row_bytes = max(1, array.nbytes // max(1, len(array)))
    step = max(1, CHUNK_BYTES // row_bytes)
    for start in range(0, len(array), step):
        yield slice(start, min(start + step, len(array)))


def _is_text(token: str) -> bool:
    """Whether it can be written in UTF-8, which lone halves of surrogate pairs cannot."""
    try:
        token.encode()
    except UnicodeEncodeError:
        return False
    return True
