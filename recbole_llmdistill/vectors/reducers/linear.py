"""Linear reductions by scikit-learn, and none at all."""

from importlib.metadata import version
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.reducers.protocol import ReducerOptions, Reduction, SizedReducerOptions


class PCAReducer:
    """Principal components, computed exactly.

    Args:
        dimensions: components to keep.
        whiten: scale every component to unit variance, so that the weak ones count as much as the strong ones.
    """

    explained_variance: float | None = None

    def __init__(self, dimensions: int, whiten: bool = False) -> None:
        self.dimensions, self.whiten = dimensions, whiten

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return {"dimensions": self.dimensions, "scikit-learn": version("scikit-learn")}

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        from sklearn.decomposition import PCA

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

    explained_variance: float | None = None

    def __init__(self, dimensions: int, seed: int) -> None:
        from sklearn.random_projection import GaussianRandomProjection

        self.dimensions, self.seed = dimensions, seed
        self.projection = GaussianRandomProjection(dimensions, random_state=seed)

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return {"dimensions": self.dimensions, "seed": self.seed, "scikit-learn": version("scikit-learn")}

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

    explained_variance: float | None = 1.0

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return {}

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return vectors

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return vectors


class PCA(Reduction):
    """``pca``."""

    name = "pca"
    title = "principal components, computed exactly"
    Options = SizedReducerOptions

    @classmethod
    def make(cls, options: SizedReducerOptions) -> PCAReducer:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reduction`."""
        return PCAReducer(options.dimensions)


class WhitenedPCA(Reduction):
    """``pca-whiten``."""

    name = "pca-whiten"
    title = "principal components, each scaled to unit variance"
    Options = SizedReducerOptions

    @classmethod
    def make(cls, options: SizedReducerOptions) -> PCAReducer:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reduction`."""
        return PCAReducer(options.dimensions, whiten=True)


class RandomProjection(Reduction):
    """``random-projection``."""

    name = "random-projection"
    title = "Gaussian random projection; learns nothing"
    Options = SizedReducerOptions

    @classmethod
    def make(cls, options: SizedReducerOptions) -> RandomProjectionReducer:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reduction`."""
        return RandomProjectionReducer(options.dimensions, options.seed)


class NoReduction(Reduction):
    """``none``."""

    name = "none"
    title = "keeps all dimensions; for standardising alone"
    Options = ReducerOptions

    @classmethod
    def make(cls, options: ReducerOptions) -> NoReducer:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reduction`."""
        return NoReducer()
