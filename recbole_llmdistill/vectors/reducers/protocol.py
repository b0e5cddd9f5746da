"""What a reduction is. Another one is one module in this folder, with a :class:`Reduction` and a :class:`Reducer`."""

from typing import Any, ClassVar, Protocol

import numpy as np
from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.parts import Kind, Part


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


class ReducerOptions(Options):
    """Options of every reduction."""

    seed: int = Field(
        0, ge=0, lt=2**32, description="of the sample and of what is random", json_schema_extra={"group": None}
    )
    fit_sample: int = Field(
        100_000,
        ge=2,
        description="vectors to learn from; the rest is mapped afterwards",
        json_schema_extra={"group": None},
    )
    standardize: bool = Field(
        True, description="centre, and scale to unit root mean square (default)", json_schema_extra={"group": None}
    )


class SizedReducerOptions(ReducerOptions):
    """Options of a reduction to a size that is asked for."""

    dimensions: int = Field(64, ge=1, description="size of the reduced vectors", json_schema_extra={"group": None})


class Reduction(Part):
    """Declares a reduction: see :class:`~recbole_llmdistill.parts.Part`; its options derive from ReducerOptions."""

    Options: ClassVar[type[ReducerOptions]] = ReducerOptions

    @classmethod
    def make(cls, options: Any) -> Reducer:
        """The reducer of these options, an instance of ``cls.Options``.

        Raises:
            InputError: it cannot be had, e.g. because a package is missing.
        """
        raise NotImplementedError


REDUCERS = Kind("recbole_llmdistill.vectors.reducers", Reduction, "--method", "reducer")
