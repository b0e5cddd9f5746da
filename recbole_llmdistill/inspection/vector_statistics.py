"""The shape of the cloud of vectors: do they point everywhere, or all one way?"""

from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.inspection.neighbours import nearest, unit_rows
from recbole_llmdistill.vectors.sampling import sample_rows

SAMPLE = 2000


@dataclass(frozen=True)
class VectorStatistics:
    """Of the vectors of all users with one.

    Attributes:
        dimensions: their size.
        mean_cosine: mean cosine over all pairs of users, anisotropy; near 1, all texts look alike to the encoder.
        effective_dimensions: (sum of variances)^2 / sum of squared variances over the principal components: how many
            directions the vectors really use.
        pair_cosines: cosines of random pairs of users.
        nearest_cosines: cosine of each (sampled) user with the nearest other.
    """

    dimensions: int
    mean_cosine: float
    effective_dimensions: float
    pair_cosines: np.ndarray
    nearest_cosines: np.ndarray


def measure_vectors(vectors: np.ndarray, seed: int = 0) -> VectorStatistics:
    """Statistics of ``[U, D]`` vectors; the mean cosine is exact, the rest from a sample of 2,000 users."""
    units = unit_rows(vectors)
    users = len(units)
    total = units.sum(axis=0, dtype=np.float64)
    pairs = max(1, users * (users - 1))
    rows = sample_rows(users, SAMPLE, seed)
    centred = vectors[rows] - vectors[rows].mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False).astype(np.float64) ** 2
    generator = np.random.default_rng(seed)
    first = generator.integers(users, size=SAMPLE)
    second = (first + generator.integers(1, max(2, users), size=SAMPLE)) % users
    return VectorStatistics(
        dimensions=vectors.shape[1],
        mean_cosine=float((total @ total - np.square(units, dtype=np.float64).sum()) / pairs),
        effective_dimensions=float(variances.sum() ** 2 / max(np.square(variances).sum(), 1e-300)),
        pair_cosines=np.einsum("ij,ij->i", units[first], units[second]),
        nearest_cosines=nearest(units, rows, 1)[1][:, 0],
    )
