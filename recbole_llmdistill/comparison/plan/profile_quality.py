"""How much a user's profile says about the user's taste, from the training part alone.

A profile is good if the users with the nearest profiles like the same items. Quality is the mean cosine between the
user's training items and those of the nearest users by profile, divided by the mean cosine with all users: 1 is what
strangers have in common, 2 twice as much. Dividing takes out that users of popular taste have more in common with
everybody.
"""

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from recbole_llmdistill.data.dataset import DistillationDataset
from recbole_llmdistill.data.user_item_matrix import user_item_matrix
from recbole_llmdistill.formats.vectors import ProfileTable, read_profile_file
from recbole_llmdistill.inspection.neighbours import nearest, unit_rows
from recbole_llmdistill.vectors.sampling import sample_rows

NEIGHBOURS = 20
_MOST_CANDIDATES = 20_000  # neighbours are looked for among so many users, and the users asked


def profile_quality(path: Path, training_part: DistillationDataset, users: np.ndarray) -> np.ndarray:
    """Quality of the profile of each of ``users`` (tokens, ``[R]``); NaN without profile or training interactions.

    Several vectors per user are averaged.
    """
    tokens, items = training_part.training_interactions()
    user_tokens, user = np.unique(tokens.astype(str), return_inverse=True)
    _, item = np.unique(items.astype(str), return_inverse=True)
    matrix = user_item_matrix(user, item)
    table = read_profile_file(path)
    row_of = {token: row for row, token in enumerate(user_tokens)}
    rows = np.array([row_of.get(token, -1) for token in table.tokens.tolist()])
    known = (rows >= 0) & table.present.any(axis=1)

    asked, positions = np.unique(users, return_inverse=True)
    quality = np.full(len(asked), np.nan)
    if known.sum() > 2:
        vectors, rows = _mean_vectors(table)[known], rows[known]
        asked_rows = np.flatnonzero(np.isin(user_tokens[rows], asked))
        found = _lift(unit_rows(vectors - vectors.mean(axis=0)), unit_rows(matrix[rows]), asked_rows)
        quality[np.searchsorted(asked, user_tokens[rows[asked_rows]])] = found
    return quality[positions]


def _mean_vectors(table: ProfileTable) -> np.ndarray:
    weights = table.present / np.maximum(table.present.sum(axis=1, keepdims=True), 1)
    return (table.vectors * weights[:, :, None]).sum(axis=1).astype(np.float32)


def _lift(profiles: np.ndarray, tastes: sp.csr_matrix, queries: np.ndarray) -> np.ndarray:
    """Mean cosine of tastes with the nearest by profile, over that with everybody, of these rows."""
    candidates = sample_rows(len(profiles), _MOST_CANDIDATES)
    everybody = np.asarray(tastes.sum(axis=0)).ravel()
    lift = np.zeros(len(queries))
    for start in range(0, len(queries), _MOST_CANDIDATES):
        piece = queries[start : start + _MOST_CANDIDATES]
        rows = np.union1d(candidates, piece)
        neighbours, _ = nearest(profiles[rows], np.searchsorted(rows, piece), NEIGHBOURS)
        size = neighbours.shape[1]
        pointers = np.arange(0, neighbours.size + 1, size)
        averaging = sp.csr_matrix(
            (np.full(neighbours.size, 1 / size), neighbours.ravel(), pointers), shape=(len(piece), len(rows))
        )
        with_nearest = np.asarray(tastes[piece].multiply(averaging @ tastes[rows]).sum(axis=1)).ravel()
        with_all = (tastes[piece] @ everybody - 1) / (len(profiles) - 1)  # but for the user
        lift[start : start + len(piece)] = with_nearest / np.maximum(with_all, 1e-12)
    return lift
