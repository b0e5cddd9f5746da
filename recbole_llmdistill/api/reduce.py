"""``recbole_llmdistill.reduce``: shorten vectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from recbole_llmdistill.config.options import Options, given_as
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ENTITIES, Of
from recbole_llmdistill.messages import Messages
from recbole_llmdistill.vectors.reducing import ReductionSummary, reduce_vectors


class ReduceOptions(Options):
    """Options of :func:`reduce`, and beside them those of the method, e.g. ``dimensions``.

    The methods and their options are below :mod:`recbole_llmdistill.vectors.reducers`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    dataset: str = Field(
        description="name of the data set, e.g. ml-100k", json_schema_extra={"flags": ["-d", "--dataset"]}
    )
    of: Of = Field("users", description="whose vectors")
    vectors: Path = Field(description="file or folder of the full vectors")
    out: Path = Field(description="another folder, for the reduced vectors")
    method: str = Field("pca", min_length=1, description="pca, pca-whiten, umap, random-projection or none")
    text: bool = Field(True, description="write the text file too")
    show_progress: bool = Field(True, description="show a progress bar", json_schema_extra={"cli": False})


@dataclass(frozen=True)
class ReduceResult(ReductionSummary):
    """What :func:`reduce` did.

    Attributes:
        source: file of the full vectors.
        full_dimensions: values of each of them.
        messages: what was said beside.
    """

    source: Path
    full_dimensions: int
    messages: Messages


def reduce(options: ReduceOptions | None = None, *, messages: Messages | None = None, **keywords: Any) -> ReduceResult:
    """Shorten the vectors of ``<dataset>.useremb`` or ``.itememb``, and measure what was kept of the neighbourhoods.

    Args:
        options: what to do.
        messages: where warnings go; default: into the result.
        keywords: fields of the options, in their place or changing them; the method's own options among them.

    Raises:
        InputError: an option, or a file that it names, cannot be used.
    """
    from recbole_llmdistill.formats.vectors import newest_twin, read_profile_file
    from recbole_llmdistill.vectors.reducers.protocol import REDUCERS

    options, messages = given_as(ReduceOptions, options, keywords), messages or Messages()
    reduction = REDUCERS.choose(options.method, options.model_extra or {})
    of = ENTITIES[options.of]
    path = newest_twin(options.vectors, options.dataset, of) if options.vectors.is_dir() else options.vectors
    if path is None:
        raise InputError(
            f"--vectors={options.vectors} holds no vectors of {of.name} of the data set {options.dataset!r}"
        )
    table = read_profile_file(path, of)
    summary = reduce_vectors(
        table, reduction, options.dataset, options.out, text=options.text, show_progress=options.show_progress
    )
    if summary.problem:
        messages.warn(f"{path}: {summary.problem}")
    return ReduceResult(**vars(summary), source=path, full_dimensions=table.vectors.shape[-1], messages=messages)
