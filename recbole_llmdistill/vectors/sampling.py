"""Random rows to learn from or to measure on, the same on every run."""

import numpy as np


def sample_rows(rows: int, limit: int, seed: int = 0) -> np.ndarray:
    """At most ``limit`` of ``rows`` row numbers, ascending, without repetition; all of them where they suffice."""
    if rows <= limit:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=limit, replace=False))
