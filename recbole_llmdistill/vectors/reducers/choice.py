"""Which reduction, and how: what ``llmdistill reduce`` was asked for, checked once."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.reducers.protocol import Reducer

METHODS = ("pca", "pca-whiten", "umap", "random-projection", "none")


class ReducerOptions(BaseModel):
    """Options of all reductions; None leaves a choice to the reduction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["pca", "pca-whiten", "umap", "random-projection", "none"] = "pca"
    """How to reduce."""
    dimensions: Annotated[int, Field(ge=1)] | None = None
    """Size of the reduced vectors; None: 64."""
    neighbours: Annotated[int, Field(ge=2)] | None = None
    """umap: size of the neighbourhoods that it tries to keep; None: 15."""
    min_dist: Annotated[float, Field(ge=0, le=1)] | None = None
    """umap: least distance between points of the result; None: 0.1."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of umap, of the random projection and of the sample."""
    fit_sample: Annotated[int, Field(ge=2)] = 100_000
    """Vectors to learn from; the others are mapped afterwards."""
    standardize: bool = True
    """Centre the result and scale it to unit root mean square."""

    def settings(self, reducer: Reducer) -> dict[str, Any]:
        """For the manifest."""
        common = {"method": self.method, "fit_sample": self.fit_sample, "standardize": self.standardize}
        return common | reducer.settings()


def build_reducer(options: ReducerOptions) -> Reducer:
    """The reduction that ``options`` ask for.

    Raises:
        InputError: it cannot be had, or an option means nothing to it.
    """
    from recbole_llmdistill.vectors.reducers.linear import NoReducer, PCAReducer, RandomProjectionReducer

    for name in ("neighbours", "min_dist"):
        if options.method != "umap" and getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} means nothing to --method={options.method}; leave it out")
    if options.method == "none":
        if options.dimensions is not None:
            raise InputError("--dimensions means nothing to --method=none, which keeps all; leave it out")
        return NoReducer()
    dimensions = 64 if options.dimensions is None else options.dimensions
    if options.method == "random-projection":
        return RandomProjectionReducer(dimensions, options.seed)
    if options.method == "umap":
        from recbole_llmdistill.vectors.reducers.umap import UMAPReducer

        neighbours = 15 if options.neighbours is None else options.neighbours
        min_dist = 0.1 if options.min_dist is None else options.min_dist
        return UMAPReducer(dimensions, neighbours, min_dist, options.seed)
    return PCAReducer(dimensions, whiten=options.method == "pca-whiten")
