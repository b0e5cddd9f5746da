"""Nearest users, exactly, a piece of the similarity matrix at a time."""

from typing import Any

import numpy as np
import scipy.sparse as sp

_PIECE_BYTES = 128 * 2**20


def unit_rows(matrix: Any) -> Any:
    """Rows of an array or a sparse matrix, scaled to length 1; rows of zeros stay."""
    if sp.issparse(matrix):
        norms = np.sqrt(matrix.multiply(matrix).sum(axis=1)).A1
        return sp.diags_array(1 / np.maximum(norms, 1e-12)).tocsr().astype(np.float32) @ matrix
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def nearest(units: Any, queries: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other rows by cosine.

    Args:
        units: ``[N, D]`` dense or sparse rows of length 1.
        queries: ``[Q]`` row numbers.
        size: neighbours a query, at most ``N - 1``.

    Returns:
        Row numbers ``[Q, size]``, nearest first, and their cosines ``[Q, size]``.
    """
    rows = units.shape[0]
    size = min(size, rows - 1)
    found = np.zeros((len(queries), size), dtype=np.int64)
    cosines = np.zeros((len(queries), size), dtype=np.float32)
    transposed = units.T.tocsr() if sp.issparse(units) else units.T
    step = max(1, _PIECE_BYTES // (rows * 4))
    for start in range(0, len(queries), step):
        piece = queries[start : start + step]
        similarity = units[piece] @ transposed
        similarity = similarity.toarray() if sp.issparse(similarity) else similarity
        similarity[np.arange(len(piece)), piece] = -np.inf
        best = np.argpartition(-similarity, size - 1, axis=1)[:, :size]
        values = np.take_along_axis(similarity, best, axis=1)
        by_value = np.argsort(-values, axis=1, kind="stable")
        found[start : start + step] = np.take_along_axis(best, by_value, axis=1)
        cosines[start : start + step] = np.take_along_axis(values, by_value, axis=1)
    return found, cosines
