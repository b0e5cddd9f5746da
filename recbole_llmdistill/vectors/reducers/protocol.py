"""What a reduction is. Another one is one file with such a class, and one line in ``choice.py``."""

from typing import Any, Protocol

import numpy as np


class Reducer(Protocol):
    """Maps vectors to fewer dimensions.

    Attributes:
        explained_variance: share of the variance that is kept, where the reduction defines it.
    """

    explained_variance: float | None

    def settings(self) -> dict[str, Any]:
        """All that the result depends on besides the vectors, as JSON values; goes into the manifest."""
        ...

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        """Learn from ``[N, D]`` and return these reduced, ``[N, d]`` float32.

        Raises:
            InputError: the vectors are too few or too short for ``d`` dimensions.
        """
        ...

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """Reduce further vectors ``[M, D]`` to ``[M, d]`` float32."""
        ...
