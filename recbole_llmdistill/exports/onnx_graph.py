"""The graph as ONNX: PyTorch's exporter writes the sequence's state; its scores and the best of them are added here.

Inputs ``items [B, L]`` (numbers, the newest last, 0 behind them), ``lengths [B]``, ``seen [B, S]`` (numbers to leave
out, 0 behind them), ``k [1]``, all int64; outputs ``best_items [B, k]`` int64, ``best_scores [B, k]`` and
``all_scores [B, >= N]`` float32. B, L, S and k are free. Of equal scores, ONNX's TopK takes the lower item number.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from recbole_llmdistill.compat.checkpoints import first_line
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports.scoring import Scoring

if TYPE_CHECKING:
    from onnx import ModelProto

WITHIN_ONE_FILE = 3 * 2**29
"""Bytes of weights up to which a graph is one file; protobuf ends at 2 GiB."""
_VECTORS = "item_vectors"


def check_libraries() -> None:
    """Refuse, before any work, to write ONNX without the libraries for it.

    Raises:
        InputError: one is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f"--format=onnx needs {error.name}: pip install 'recbole-llmdistill[export]'") from error


def write_onnx(scoring: Scoring, longest: int, file: Path) -> None:
    """Write the whole graph.

    Args:
        scoring: what it computes.
        longest: items of a sequence at most.
        file: to write.

    Raises:
        InputError: PyTorch cannot export the model.
    """
    from onnx import TensorProto, helper, numpy_helper

    model = _state_model(scoring.state, longest)
    graph = model.graph
    vectors = scoring.vectors.detach().numpy()
    # The table that the graph looks items up in is the one that they are scored by: it is stored once.
    table = next((held.name for held in graph.initializer if _is(held, vectors)), None)
    if table is None:
        table = _VECTORS
        graph.initializer.append(numpy_helper.from_array(vectors, table))
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.asarray(scoring.bias), "item_bias"),
            numpy_helper.from_array(np.array([[-np.inf]], dtype=np.float32), "never"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Gemm", ["state", table, "item_bias"], ["item_scores"], "item_scores", transB=1),
            helper.make_node("Shape", ["seen"], ["seen_shape"], "seen_shape"),
            helper.make_node("Expand", ["never", "seen_shape"], ["never_again"], "never_again"),
            helper.make_node(
                "ScatterElements", ["item_scores", "seen", "never_again"], ["all_scores"], "all_scores", axis=1
            ),
            helper.make_node("TopK", ["all_scores", "k"], ["best_scores", "best_items"], "best", axis=1),
        ]
    )
    graph.input.extend(
        [
            helper.make_tensor_value_info("seen", TensorProto.INT64, ["batch", "seen_items"]),
            helper.make_tensor_value_info("k", TensorProto.INT64, [1]),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("best_items", TensorProto.INT64, ["batch", "k"]),
            helper.make_tensor_value_info("best_scores", TensorProto.FLOAT, ["batch", "k"]),
            helper.make_tensor_value_info("all_scores", TensorProto.FLOAT, ["batch", len(vectors)]),
        ]
    )
    _save(model, file)


def write_state_onnx(scoring: Scoring, longest: int, file: Path) -> None:
    """Write the graph of ``items`` and ``lengths`` to ``state [B, D]`` alone, for :func:`item_vectors`.

    Raises:
        InputError: PyTorch cannot export the model.
    """
    _save(_state_model(_WithOne(scoring.state) if _has_bias(scoring) else scoring.state, longest), file)


def item_vectors(scoring: Scoring, n_items: int) -> np.ndarray:
    """``[N, D]`` float32, whose products with the states of :func:`write_state_onnx` are the scores.

    A bias is the last of the D, to which the state has a one. Row 0 is the padding's.
    """
    vectors = scoring.vectors.detach().numpy()[:n_items]
    if not _has_bias(scoring):
        return vectors
    bias = np.asarray(scoring.bias)[:n_items, None].copy()
    bias[0] = 0
    return np.concatenate([vectors, bias], axis=1)


def write_int8(source: Path, file: Path) -> None:
    """Write a graph with weights of eight bits, those of activations being found as it runs."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            source,
            file,
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=source.stat().st_size > WITHIN_ONE_FILE,
        )


class _WithOne(nn.Module):
    """States with a one behind them, for the bias."""

    def __init__(self, state: nn.Module) -> None:
        super().__init__()
        self.state = state

    def forward(self, items: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        state = self.state(items, lengths)
        return torch.cat([state, torch.ones_like(state[:, :1])], dim=1)


def _has_bias(scoring: Scoring) -> bool:
    bias = np.asarray(scoring.bias)
    return bool(bias[np.isfinite(bias)].any())


def _state_model(state: nn.Module, longest: int) -> "ModelProto":
    # Two different numbers above one, as PyTorch takes a one for a constant.
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=max(longest, 2))
    example = torch.ones(3, min(longest, 2), dtype=torch.int64), torch.ones(3, dtype=torch.int64)
    try:
        with _quiet():
            program = torch.onnx.export(
                state,
                example,
                dynamo=True,
                input_names=["items", "lengths"],
                output_names=["state"],
                dynamic_shapes={"items": {0: batch, 1: length}, "lengths": {0: batch}},
                verbose=False,
            )
    except Exception as error:  # whatever a model's code makes of the exporter
        raise InputError(f"PyTorch cannot export {_name(state)} to ONNX ({first_line(error)})") from error
    assert program is not None  # as dynamo=True has it
    model = program.model_proto
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]  # lines of the source, with the paths of this machine
    for node in model.graph.node:
        node.doc_string = ""
    return model


def _name(state: Any) -> str:
    return type(state.state.model if isinstance(state, _WithOne) else state.model).__name__


def _is(held: Any, vectors: np.ndarray) -> bool:
    from onnx import numpy_helper

    return list(held.dims) == list(vectors.shape) and np.array_equal(numpy_helper.to_array(held), vectors)


def _save(model: "ModelProto", file: Path) -> None:
    import onnx

    size = sum(len(held.raw_data) for held in model.graph.initializer)
    outside: dict[str, Any] = {}
    if size > WITHIN_ONE_FILE:
        outside = {"save_as_external_data": True, "location": f"{file.name}.data"}
    onnx.save_model(model, file, **outside)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the libraries say of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
