"""UMAP, the published method's reduction: keeps who is near whom, and no distances beyond that."""

import warnings
from typing import Any

import numpy as np
from pydantic import Field

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.reducers.protocol import Reduction, SizedReducerOptions


class UMAPOptions(SizedReducerOptions):
    """Options of UMAP."""

    neighbours: int = Field(
        15,
        ge=2,
        description="neighbourhoods that it keeps",
        json_schema_extra={"flags": ["--neighbors", "--neighbours"]},
    )
    min_dist: float = Field(0.1, ge=0, le=1, description="least distance between points of the result")


class UMAP(Reduction):
    """``umap``."""

    name = "umap"
    title = "UMAP with the cosine metric, as the published method has it"
    extra = "encoders"
    Options = UMAPOptions

    @classmethod
    def make(cls, options: UMAPOptions) -> "UMAPReducer":
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reduction`."""
        return UMAPReducer(options.dimensions, options.neighbours, options.min_dist, options.seed)


class UMAPReducer:
    """UMAP by umap-learn, with the cosine metric; one thread, since only so it repeats itself.

    Args:
        dimensions: size of the result.
        neighbours: size of the neighbourhoods it tries to keep.
        min_dist: least distance of points in the result.
        seed: of its random start and optimisation.

    Raises:
        InputError: umap-learn is not installed.
    """

    explained_variance = None

    def __init__(self, dimensions: int, neighbours: int, min_dist: float, seed: int) -> None:
        try:
            import umap
        except ImportError as error:
            raise InputError(
                f"--method=umap needs umap-learn ({error}): pip install 'recbole-llmdistill[encoders]'; --method=pca "
                "needs nothing"
            ) from error
        self.dimensions, self.neighbours, self.min_dist, self.seed = dimensions, neighbours, min_dist, seed
        self.umap = umap.UMAP(
            n_components=dimensions,
            n_neighbors=neighbours,
            min_dist=min_dist,
            metric="cosine",
            random_state=seed,
            transform_seed=seed,
            n_jobs=1,
        )

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        from importlib.metadata import version

        return {
            "dimensions": self.dimensions,
            "neighbours": self.neighbours,
            "min_dist": self.min_dist,
            "metric": "cosine",
            "seed": self.seed,
            "umap-learn": version("umap-learn"),
        }

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        if self.dimensions > len(vectors) - 2:  # its spectral start needs that many eigenvectors and one more
            raise InputError(
                f"UMAP of {len(vectors)} vectors gives at most {max(len(vectors) - 2, 0)} dimensions; "
                f"--dimensions={self.dimensions} are too many"
            )
        if self.neighbours >= len(vectors):
            raise InputError(f"--neighbours={self.neighbours} are not below the {len(vectors)} vectors that there are")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the spectral start falling back, of numba
            return self.umap.fit_transform(vectors).astype(np.float32)

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """As :class:`~recbole_llmdistill.vectors.reducers.protocol.Reducer`."""
        return self.umap.transform(vectors).astype(np.float32)
