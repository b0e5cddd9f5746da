"""From a checkpoint to the folder of an export, which is written when it has been compared with the checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from recbole_llmdistill import __version__
from recbole_llmdistill.compat.checkpoints import first_line
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports.exported_model import Run, open_graph
from recbole_llmdistill.exports.folder import (
    CARD,
    INDEX,
    SCHEMA,
    USER_STATE,
    VECTORS,
    ExportSettings,
    data_fingerprint,
    write_items,
    write_settings,
    written_folder,
)
from recbole_llmdistill.exports.model_card import model_card
from recbole_llmdistill.exports.neighbour_index import write_index
from recbole_llmdistill.exports.onnx_graph import item_vectors, write_int8, write_onnx, write_state_onnx
from recbole_llmdistill.exports.scoring import TOLERANCE, Scoring, largest_difference, scoring_of
from recbole_llmdistill.exports.torch_program import write_program
from recbole_llmdistill.recommendation.checkpoint_model import CheckpointModel

GRAPHS = {"onnx": "model.onnx", "torch": "model.pt2"}
_COMPARED = 256  # sequences by which int8 is compared with fp32
_BEST = 10


@dataclass(frozen=True)
class Written:
    """An export.

    Attributes:
        settings: what it holds.
        faithful: a sentence on how it compares with the checkpoint.
    """

    settings: ExportSettings
    faithful: str


def write_export(
    model: CheckpointModel,
    folder: Path,
    *,
    graph_format: Literal["onnx", "torch"] = "onnx",
    precision: Literal["fp32", "int8"] = "fp32",
    parts: bool = False,
    index: bool = False,
    license_name: str | None = None,
) -> Written:
    """Write a checkpoint's model as a folder.

    Args:
        model: of the checkpoint.
        folder: to write, which does not exist, is empty or is an export to be replaced.
        graph_format: of the graph.
        precision: int8, of ONNX alone: weights of eight bits.
        parts: item vectors and the graph of the sequence's state beside it, of ONNX alone.
        index: of the item vectors, too.
        license_name: for the model card.

    Raises:
        InputError: the model has no export, PyTorch's exporter fails, or the graph does not score as the model does.
    """
    scoring = scoring_of(model)
    tokens, counts = model.item_tokens, model.item_counts
    with written_folder(folder) as scratch:
        file = scratch / GRAPHS[graph_format]
        faithful = _write_graph(model, scoring, file, precision)
        if parts:
            vectors = item_vectors(scoring, len(tokens))
            np.savez(scratch / VECTORS, vectors=vectors)
            write_state_onnx(scoring, model.longest, scratch / USER_STATE)
            if index:
                write_index(vectors, scratch / INDEX)
        write_items(scratch, tokens, counts)
        settings = write_settings(
            scratch,
            {
                "schema": SCHEMA,
                "written_by": f"recbole-llmdistill {__version__}",
                "model": model.name,
                "format": graph_format,
                "precision": precision,
                "graph": file.name,
                "n_items": len(tokens),
                "longest": model.longest,
                "dataset": model.dataset,
                "data_fingerprint": data_fingerprint(tokens, counts),
                "validation": model.validation,
            },
        )
        (scratch / CARD).write_text(model_card(settings, license_name, faithful), encoding="utf-8")
    return Written(settings, faithful)


def _write_graph(model: CheckpointModel, scoring: Scoring, file: Path, precision: str) -> str:
    """Write it, and say how it compares with the checkpoint's model."""
    exact = _write_exact(model, scoring, file)
    if precision == "fp32":
        return f"Scores are those of PyTorch within {TOLERANCE:.0e}, over batches of several shapes."
    coarse = file.with_name(f"int8-{file.name}")
    write_int8(file, coarse)
    kept = _same_best(model, exact, open_graph(coarse))
    for written in file.parent.glob(f"{file.name}*"):
        written.unlink()
    coarse.rename(file)
    return (
        f"Of the {_BEST} best items of random sequences, the weights of eight bits keep {kept:.1%}; measure what that "
        "does to your metrics."
    )


def _write_exact(model: CheckpointModel, scoring: Scoring, file: Path) -> Run:
    """Write the graph; with sequences padded in it to their greatest length, if it does not work otherwise."""
    write: Callable[[Scoring, int, Path], None] = write_onnx if file.suffix == ".onnx" else write_program
    problem = ""
    for pad_to in dict.fromkeys((scoring.state.pad_to, model.longest)):
        scoring.state.pad_to = pad_to
        try:
            write(scoring, model.longest, file)
            exact = open_graph(file)
            apart = largest_difference(scoring, model.longest, len(model.item_tokens), exact)
        except InputError as error:
            problem = str(error)
        except Exception as error:  # whatever a graph makes of its library
            problem = f"the exported {model.name} cannot be run ({first_line(error)})"
        else:
            if apart <= 1:
                return exact
            problem = (
                f"the exported {model.name} scores otherwise than PyTorch ({apart:.3g} times what rounding explains)"
            )
    raise InputError(f"{model.file}: {problem}, so it is not written")


def _same_best(model: CheckpointModel, exact: Run, coarse: Run) -> float:
    """Share of the best items of random sequences that two graphs have in common."""
    generator = np.random.default_rng(2)
    n_items = len(model.item_tokens)
    items = generator.integers(1, n_items, (_COMPARED, min(20, model.longest)))
    lengths = np.full(len(items), items.shape[1])
    nothing, k = np.zeros((len(items), 1), dtype=np.int64), min(_BEST, n_items - 1)
    best = [run(items, lengths, nothing, k)[0] for run in (exact, coarse)]
    return float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(*best, strict=True)]))
