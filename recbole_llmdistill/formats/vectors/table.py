"""Vectors of users or items as they stand in a file, checked whatever format they came in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity

CHUNK_BYTES = 16 * 2**20
"""Vectors are checked, converted and written in pieces of about this size, so that no second copy of them exists."""


@dataclass(frozen=True)
class ProfileTable:
    """Vectors as they stand in a file, before they are aligned with a data set.

    Attributes:
        path: the file.
        tokens: ``[users]`` strings, each user (or item) once.
        vectors: ``[users, K, D]`` float32, zero where ``present`` is false. Read-only where it is mapped from the file.
        present: ``[users, K]`` bool.
        of: users or items.
    """

    path: Path
    tokens: np.ndarray
    vectors: np.ndarray
    present: np.ndarray
    of: Entity = USERS

    def __post_init__(self) -> None:
        if len(self.tokens) == 0 or not self.present.any():
            instead = " or set distill_alpha=0" if self.of is USERS else ""
            raise InputError(f"{self.path}: no {self.of.text}s in this file; make it again{instead}")
        if self.vectors.shape[-1] == 0:
            raise InputError(f"{self.path}: its vectors are empty (0 values each); make it again")
        self._check_tokens()
        noun = self.of.noun
        for rows in row_chunks(self.vectors):
            broken = ~np.isfinite(self.vectors[rows]).all(axis=(1, 2))
            if broken.any():
                row = rows.start + int(np.argmax(broken))
                raise InputError(
                    f"{self.path}: the vector of {noun} {self._token(row)!r} ({noun} number {row + 1} of the file) "
                    f"holds NaN or infinite values; encode that {self.of.text} again or leave the {noun} out"
                )

    def _check_tokens(self) -> None:
        noun = self.of.noun
        tokens, first, count = np.unique(self.tokens, return_index=True, return_counts=True)
        if (count > 1).any():
            twice = np.argmax(count > 1)
            rows = np.flatnonzero(self.tokens == tokens[twice]) + 1
            raise InputError(
                f"{self.path}: {noun} {self._token(first[twice])!r} stands in it {count[twice]} times ({noun}s number "
                f"{rows[0]} and {rows[1]} of the file); keep one line per {noun}"
            )
        if tokens[0] == "":
            raise InputError(f"{self.path}: {noun} number {first[0] + 1} of the file has an empty name; leave it out")
        for row, token in enumerate(self.tokens.tolist()):
            if not token.isascii() and not _is_text(token):
                raise InputError(
                    f"{self.path}: the name {token!r} of {noun} number {row + 1} of the file is no Unicode text; fix it"
                )

    def _token(self, row: int) -> str:
        return str(self.tokens[row])


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
