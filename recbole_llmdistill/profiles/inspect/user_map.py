"""A map of users in two dimensions, on which neighbours lie together."""

import warnings

import numpy as np

_ITERATIONS = 500  # half of scikit-learn's default, for half the time and a map that looks the same


def lay_out(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE with the cosine metric, from a PCA start: ``[N, D]`` -> ``[N, 2]``.

    Fewer than five vectors are laid out by their first two values, since t-SNE needs more.
    """
    from sklearn.manifold import TSNE

    if len(vectors) < 5:
        return np.pad(vectors, ((0, 0), (0, 2)))[:, :2]
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    centred = vectors - vectors.mean(axis=0)
    start = "pca" if min(vectors.shape) >= 2 else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        layout = TSNE(perplexity=perplexity, metric="cosine", init=start, random_state=seed, max_iter=_ITERATIONS)
        return layout.fit_transform(centred)
