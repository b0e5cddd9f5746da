"""Linear reductions by scikit-learn, and none at all."""

from typing import Any

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.random_projection import GaussianRandomProjection

from recbole_llmdistill.errors import InputError


class PCAReducer:
    """Principal components, computed exactly.

    Args:
        dimensions: components to keep.
        whiten: scale every component to unit variance, so that the weak ones count as much as the strong ones.
    """

    explained_variance: float | None = None
    pca: PCA

    def __init__(self, dimensions: int, whiten: bool = False) -> None:
        self.dimensions, self.whiten = dimensions, whiten

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return {"dimensions": self.dimensions, "scikit-learn": sklearn.__version__}

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        most = min(len(vectors) - 1, vectors.shape[1])  # centred vectors span one dimension less than there are
        if self.dimensions > most:
            raise InputError(
                f"PCA of {len(vectors)} vectors of {vectors.shape[1]} values has {most} components; "
                f"--dimensions={self.dimensions} are too many"
            )
        # Of many vectors the covariance is decomposed, which is as exact and needs no second copy of them.
        solver = "covariance_eigh" if len(vectors) > vectors.shape[1] else "full"
        self.pca = PCA(self.dimensions, whiten=self.whiten, svd_solver=solver).fit(vectors)
        variance = self.pca.explained_variance_
        if self.whiten and variance[-1] <= 1e-10 * variance[0]:
            varying = int((variance > 1e-10 * variance[0]).sum())
            raise InputError(
                f"the vectors vary in {varying} directions only, so {self.dimensions} cannot be whitened; ask for at "
                f"most {varying} by --dimensions"
            )
        self.explained_variance = float(self.pca.explained_variance_ratio_.sum())
        return self.transform(vectors)

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return self.pca.transform(vectors).astype(np.float32)


class RandomProjectionReducer:
    """Gaussian random projection: keeps distances roughly, learns nothing.

    Args:
        dimensions: size of the result.
        seed: of the projection.
    """

    explained_variance = None

    def __init__(self, dimensions: int, seed: int) -> None:
        self.dimensions, self.seed = dimensions, seed
        self.projection = GaussianRandomProjection(dimensions, random_state=seed)

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return {"dimensions": self.dimensions, "seed": self.seed, "scikit-learn": sklearn.__version__}

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        if self.dimensions > vectors.shape[1]:
            raise InputError(
                f"--dimensions={self.dimensions} are more than the {vectors.shape[1]} that the vectors have"
            )
        self.projection.fit(vectors)
        return self.transform(vectors)

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return self.projection.transform(vectors).astype(np.float32)


class NoReducer:
    """Leaves the vectors as they are; for standardising them alone."""

    explained_variance = 1.0

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return {}

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return vectors

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return vectors
