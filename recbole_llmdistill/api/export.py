"""``recbole_llmdistill.export``: a checkpoint's model as a folder of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from recbole_llmdistill.config.options import Options, given_as
from recbole_llmdistill.config.recbole_config import check_recbole
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import Messages


class ExportOptions(Options):
    """Options of :func:`export`."""

    checkpoint: Path = Field(description="file that run_recbole wrote")
    format: Literal["onnx", "torch"] = Field(
        "onnx", description="of the graph: onnx, for ONNX Runtime, or torch, a program of torch.export (.pt2)"
    )
    precision: Literal["fp32", "int8"] = Field(
        "fp32", description="of the weights: int8 is smaller and ranks a little differently; of onnx alone"
    )
    parts: bool = Field(False, description="item vectors (npz) and the graph of a sequence's state beside it")
    index: Literal["none", "hnsw"] = Field("none", description="of the item vectors of --parts, for near neighbours")
    out: Path = Field(description="folder to write")
    license: str | None = Field(None, description="licence to put on the model card")
    data_path: Path | None = Field(
        None, description="folder that holds the data set's folder, where the checkpoint needs it"
    )
    overwrite: bool = Field(False, description="replace an export that is there")


@dataclass(frozen=True)
class ExportResult:
    """What :func:`export` wrote.

    Attributes:
        folder: with all of it.
        model: class of the model.
        items: that it recommends.
        bytes: of all files but the model card and the settings.
        faithful: a sentence on how it compares with the checkpoint.
        messages: what was said beside.
    """

    folder: Path
    model: str
    items: int
    bytes: int
    faithful: str
    messages: Messages


def export(options: ExportOptions | None = None, *, messages: Messages | None = None, **keywords: Any) -> ExportResult:
    """Write a checkpoint's model as one folder: graph, item tokens, settings and model card; no pickle, no profile.

    The graph takes batches and sequences of any size, ranks, and leaves out seen items. It is run and compared with
    the checkpoint's model before anything is written.

    Args:
        options: what to do.
        messages: where warnings go; default: into the result.
        keywords: fields of the options, in their place or changing them.

    Raises:
        InputError: an option or the checkpoint cannot be used, or its model has no such export; nothing is written.
    """
    options, messages = given_as(ExportOptions, options, keywords), messages or Messages()
    if options.format == "torch" and (options.precision == "int8" or options.parts):
        what = "--precision=int8" if options.precision == "int8" else "--parts"
        raise InputError(f"{what} is written as ONNX; leave it out, or give --format=onnx")
    if options.index != "none" and not options.parts:
        raise InputError(f"--index={options.index} is of the item vectors; give --parts with it")
    check_recbole()

    from recbole_llmdistill.exports import neighbour_index, onnx_graph
    from recbole_llmdistill.exports.folder import check_target
    from recbole_llmdistill.exports.writing import write_export
    from recbole_llmdistill.recommendation.checkpoint_model import CheckpointModel

    check_target(options.out, options.overwrite)
    if options.format == "onnx":
        onnx_graph.check_libraries()
    if options.index != "none":
        neighbour_index.check_library()
    if options.checkpoint.is_dir():
        raise InputError(f"--checkpoint={options.checkpoint} is a folder; give the file that run_recbole wrote")
    model = CheckpointModel(options.checkpoint, options.data_path)
    written = write_export(
        model,
        options.out,
        graph_format=options.format,
        precision=options.precision,
        parts=options.parts,
        index=options.index != "none",
        license_name=options.license,
    )
    size = sum(file.bytes for file in written.settings.files.values())
    return ExportResult(options.out, model.name, written.settings.n_items - 1, size, written.faithful, messages)
