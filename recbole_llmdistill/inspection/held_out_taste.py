"""Do neighbours in profile space share held-out taste? The number that foretells what vectors are worth.

A user-kNN recommender is built on each idea of nearness: by profile vectors, by training interactions, and at random.
Each ranks all items that the user does not have in training; recall@20 says how many of the user's *validation* items
are on top. Test items are not touched. The three share candidates, users and items, so they can be compared.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.inspection.neighbours import nearest, unit_rows
from recbole_llmdistill.vectors.sampling import sample_rows

NEIGHBOURS = 100
TOP = 20
SAMPLE = 5000
_PIECE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Recall:
    """Mean recall over users, with the half width of its 95 % interval."""

    mean: float
    half_width: float


@dataclass(frozen=True)
class HeldOutTaste:
    """recall@20 on validation items of a user-kNN recommender.

    Attributes:
        users: users that were asked.
        profiles: neighbours by cosine of the centred profile vectors.
        interactions: neighbours by cosine of the training interactions.
        random: neighbours drawn at random.
        popularity: no neighbours, the most popular items.
        gain: profiles minus random, user by user.
    """

    users: int
    profiles: Recall
    interactions: Recall
    random: Recall
    popularity: Recall
    gain: Recall

    @property
    def share(self) -> float:
        """Part of the way from random neighbours to neighbours by interactions."""
        return (self.profiles.mean - self.random.mean) / max(self.interactions.mean - self.random.mean, 1e-12)


def measure_held_out_taste(
    vectors: np.ndarray,
    training: sp.csr_matrix,
    held_out: sp.csr_matrix,
    neighbours: int = NEIGHBOURS,
    top: int = TOP,
    sample: int = SAMPLE,
    seed: int = 0,
) -> HeldOutTaste:
    """Measure on users who have a vector and training interactions.

    Args:
        vectors: ``[U, D]`` float32.
        training: ``[U, I]`` of ones.
        held_out: ``[U, I]`` of ones: what is to be found.
        neighbours: neighbours per user.
        top: length of the ranking.
        sample: most users that are asked; neighbours come from all.
        seed: of the sample and the random neighbours.

    Raises:
        InputError: nobody to ask, or nobody to be a neighbour.
    """
    asked = np.flatnonzero(np.diff(held_out.indptr))
    if len(asked) == 0 or len(vectors) < 3:
        raise InputError(
            f"users with a vector and training interactions: {len(vectors)}, of these with a validation item: "
            f"{len(asked)}; too few to judge the vectors by (at least 3, one of them with a validation item)"
        )
    queries = asked[sample_rows(len(asked), sample, seed)]
    size = min(neighbours, len(vectors) - 1)
    centred = vectors - vectors.mean(axis=0)

    def by_neighbours(found: np.ndarray, weights: np.ndarray) -> np.ndarray:
        weights = np.maximum(weights, 0)
        indptr = np.arange(0, found.size + 1, found.shape[1])
        of_neighbours = sp.csr_matrix((weights.ravel(), found.ravel(), indptr), shape=(len(found), len(vectors)))
        return _recalls(lambda rows: (of_neighbours[rows] @ training).toarray(), queries, training, held_out, top)

    popularity = np.asarray(training.sum(axis=0), dtype=np.float32).ravel()
    profiles = by_neighbours(*nearest(unit_rows(centred), queries, size))
    random = by_neighbours(*_random_neighbours(queries, len(vectors), size, seed))
    return HeldOutTaste(
        users=len(queries),
        profiles=_mean(profiles),
        interactions=_mean(by_neighbours(*nearest(unit_rows(training), queries, size))),
        random=_mean(random),
        popularity=_mean(
            _recalls(lambda rows: np.tile(popularity, (rows.stop - rows.start, 1)), queries, training, held_out, top)
        ),
        gain=_mean(profiles - random),
    )


def _random_neighbours(queries: np.ndarray, users: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    found = np.stack([generator.choice(users - 1, size=size, replace=False) for _ in queries])
    found += found >= queries[:, None]  # everybody but the user
    return found, np.ones(found.shape, dtype=np.float32)


def _recalls(
    scores_of: Callable[[slice], np.ndarray],
    queries: np.ndarray,
    training: sp.csr_matrix,
    held_out: sp.csr_matrix,
    top: int,
) -> np.ndarray:
    """Recall of each query, from a function that scores all items for a slice of the queries."""
    recalls = np.zeros(len(queries))
    top = min(top, training.shape[1])
    step = max(1, _PIECE_BYTES // (training.shape[1] * 8))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        users = queries[rows]
        scores = scores_of(rows)
        scores[training[users].nonzero()] = -np.inf
        best = np.argpartition(-scores, top - 1, axis=1)[:, :top]
        # An item that no neighbour has is not recommended, however short the list.
        hit = np.take_along_axis(held_out[users].toarray(), best, axis=1) * (
            np.take_along_axis(scores, best, axis=1) > 0
        )
        recalls[rows] = hit.sum(axis=1) / np.diff(held_out.indptr)[users]
    return recalls


def _mean(values: np.ndarray) -> Recall:
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return Recall(float(values.mean()), float(1.96 * spread / np.sqrt(len(values))))
