"""A map of users or items in two dimensions, on which neighbours lie together."""

import warnings

import numpy as np

from recbole_llmdistill.formats.vectors import examine

_ITERATIONS = 500  # half of scikit-learn's default, for half the time and a map that looks the same


def lay_out(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE with the cosine metric, from a PCA start: ``[N, D]`` -> ``[N, 2]``.

    Fewer than five vectors are laid out by their first two values, since t-SNE needs more. Equal vectors share one
    point: scikit-learn would divide by their deviation, zero, and its tree of NaN positions ends the process.
    """
    from sklearn.manifold import TSNE

    if len(vectors) < 5:
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2]
    if examine(vectors[:, None], np.ones((len(vectors), 1), dtype=bool)).equal:
        return np.zeros((len(vectors), 2), dtype=np.float32)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    centred = (centred / np.abs(centred).max()).astype(np.float32)  # however small, their squares shall not vanish
    start = "pca" if min(vectors.shape) >= 2 else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        layout = TSNE(perplexity=perplexity, metric="cosine", init=start, random_state=seed, max_iter=_ITERATIONS)
        return layout.fit_transform(centred)
