"""What a reduction kept of the neighbourhoods between users."""

from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.vectors.sampling import sample_rows

NEIGHBOURS = 10
SAMPLE = 2000


@dataclass(frozen=True)
class ReductionQuality:
    """Neighbourhoods by cosine among the full vectors, against those by Euclidean distance among the reduced ones.

    Attributes:
        neighbours: size of a neighbourhood, 10 unless there are too few vectors.
        vectors: vectors that were compared.
        trustworthiness: 1 minus a penalty for strangers among the reduced neighbours, by how far they are (Venna and
            Kaski 2001); 1 is perfect, about 0.5 is chance.
        overlap: mean share of the full neighbourhood that is in the reduced one.
        chance_overlap: the overlap of neighbourhoods drawn at random.
    """

    neighbours: int
    vectors: int
    trustworthiness: float
    overlap: float
    chance_overlap: float


def measure_quality(full: np.ndarray, reduced: np.ndarray, sample: int = SAMPLE) -> ReductionQuality | None:
    """Compare ``full [N, D]`` with ``reduced [N, d]`` on at most ``sample`` rows; None for fewer than 4 vectors."""
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    rows = sample_rows(len(full), sample)
    size = min(NEIGHBOURS, (len(rows) - 1) // 2)
    if size < 1:
        return None
    full, reduced = np.asarray(full[rows], dtype=np.float64), np.asarray(reduced[rows], dtype=np.float64)
    near_full = NearestNeighbors(n_neighbors=size, metric="cosine").fit(full).kneighbors(return_distance=False)
    near_reduced = NearestNeighbors(n_neighbors=size).fit(reduced).kneighbors(return_distance=False)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(near_full, near_reduced, strict=True)]
    return ReductionQuality(
        neighbours=size,
        vectors=len(rows),
        trustworthiness=float(trustworthiness(full, reduced, n_neighbors=size, metric="cosine")),
        overlap=float(np.mean(shared)) / size,
        chance_overlap=size / (len(rows) - 1),
    )
