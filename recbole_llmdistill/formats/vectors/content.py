"""Do vectors tell one user (or item) from another? Others can be reduced and distilled like any, for nothing."""

from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors.table import row_chunks

NOISE = 1e-6
"""Differences below this part of a vector's median value are rounding, of an encoder's batches for instance."""
SMALLEST, LARGEST = 1e-12, 1e15
"""Where the greatest value lies outside of these, squares leave float32, and with them losses and variances."""
MANY = 0.5
"""Share of the users with one and the same vector from which on it is said."""
_SAMPLE = 64  # among which a vector of half of all users stands several times


@dataclass(frozen=True)
class Content:
    """What vectors can tell.

    Attributes:
        users: users with a vector.
        equal: all users have the same vector, up to rounding.
        largest: the greatest absolute value.
        zero: that vector, or the commonest one, is nothing but zeros.
        constant_profiles: numbers (from 1) of the profiles a user that are the same for all; not all of them.
        commonest: users who share the commonest vector, where these are at least half of all; else 0.
        of: users or items; "user" is said of both above.
    """

    users: int
    equal: bool
    largest: float
    zero: bool
    constant_profiles: tuple[int, ...]
    commonest: int
    of: Entity = USERS

    @property
    def in_range(self) -> bool:
        """Float32 can reckon with the squares of the values."""
        return SMALLEST <= self.largest <= LARGEST

    @property
    def useless(self) -> bool:
        """Nothing can be learnt from these vectors as they are; ``problem`` says why."""
        return self.equal or not self.in_range

    @property
    def problem(self) -> str | None:
        """What is wrong in one sentence without a full stop, or None."""
        zeros = " (all zeros)" if self.zero else ""
        noun, them = self.of.noun, self.of.name
        if self.equal and self.users == 1:
            return f"only one {noun} has a vector, so it tells no {noun} from another"
        if self.equal:
            return f"the vectors of all {self.users} {them} are equal{zeros}, so they tell no {noun} from another"
        if self.useless:
            return (
                f"the greatest value in the vectors is {self.largest:.3g}, with whose square float32 cannot reckon; "
                "scale them to about 1"
            )
        if self.constant_profiles:
            which = ", ".join(map(str, self.constant_profiles))
            return (
                f"{self.of.text} number {which} of each {noun} is the same for all {self.users} {them}, so it tells "
                "nothing"
            )
        if self.commonest:
            return f"{self.commonest} of {self.users} {them} have one and the same vector{zeros}"
        return None


def examine(vectors: np.ndarray, present: np.ndarray, of: Entity = USERS) -> Content:
    """Compare the vectors of all users (or items) that have one.

    Args:
        vectors: ``[users, K, D]`` float32.
        present: ``[users, K]`` bool.
        of: users or items.
    """
    holders = np.flatnonzero(present.any(axis=1))
    largest = max(float(np.abs(vectors[rows]).max(initial=0)) for rows in row_chunks(vectors))
    constant = [_is_constant(vectors[:, view], np.flatnonzero(present[:, view])) for view in range(present.shape[1])]
    if all(constant):
        return Content(len(holders), True, largest, largest == 0, (), len(holders), of)
    alone = [view for view in range(present.shape[1]) if constant[view] and present[:, view].sum() > 1]
    commonest, zero = _commonest(vectors, holders)
    return Content(len(holders), False, largest, zero, tuple(view + 1 for view in alone), commonest, of)


def _is_constant(vectors: np.ndarray, rows: np.ndarray) -> bool:
    if len(rows) < 2:
        return True
    first = vectors[rows[0]]
    noise = NOISE * np.median(np.abs(first))
    with np.errstate(over="ignore"):
        return all((np.abs(vectors[rows[chunk]] - first) <= noise).all() for chunk in row_chunks(vectors[: len(rows)]))


def _commonest(vectors: np.ndarray, holders: np.ndarray) -> tuple[int, bool]:
    """How many users have the vector that at least half of them have (else 0), and whether it is zero."""
    if len(holders) < 3:
        return 0, False
    sample = np.random.default_rng(0).choice(holders, size=min(_SAMPLE, len(holders)), replace=False)
    found, count = np.unique(vectors[sample].reshape(len(sample), -1), axis=0, return_counts=True)
    if count.max() < 2:
        return 0, False
    likely = found[np.argmax(count)].reshape(vectors.shape[1:])
    users = sum(int((vectors[rows] == likely).all(axis=(1, 2)).sum()) for rows in np.array_split(holders, 64))
    return (users, not likely.any()) if users >= MANY * len(holders) else (0, False)
