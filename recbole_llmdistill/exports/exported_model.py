"""Ask an exported model: by ONNX Runtime, without PyTorch, or by PyTorch where it was exported so."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports.folder import ExportFolder

Run = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Items ``[B, L]``, lengths ``[B]``, seen ``[B, S]`` (all int64) and k, to the best items ``[B, k]``, their scores
``[B, k]`` and the scores of all items ``[B, >= N]``."""


class ExportedModel:
    """A model in a folder; answers as the checkpoint does that it was exported from.

    Args:
        folder: that ``llmdistill export`` wrote.
        threads: of ONNX Runtime; None: one for each core.

    Attributes:
        file: path of the folder.
        name: of the model's class.
        sequential: scores depend on a sequence of items; True of all.
        longest: items of a sequence that the model reads.
        item_tokens: ``[N]`` token of each item's number, the padding's first.
        item_numbers: number of each token, without the padding's.
        item_counts: ``[N]`` int64, training targets that each item was; None where the checkpoint did not say.
        user_numbers: None, as scores do not depend on who the user is.

    Raises:
        InputError: the folder cannot be used.
    """

    sequential = True
    user_numbers: dict[str, int] | None = None

    def __init__(self, folder: str | Path, threads: int | None = None) -> None:
        self.folder = read = ExportFolder.read(folder)
        self.file = str(folder)
        self.name, self.longest = read.settings.model, read.settings.longest
        self.item_tokens, self.item_counts = read.item_tokens, read.item_counts
        self.item_numbers = {token: number for number, token in enumerate(self.item_tokens) if number}
        self._run = open_graph(read.graph, threads)

    def best(
        self, sequences: Sequence[Sequence[int]], seen: Sequence[Sequence[int]], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ``k`` best items of each sequence, ``[B, k]`` int64, and their scores, ``[B, k]`` float32.

        Where fewer are left, the last ones have the score minus infinity.

        Args:
            sequences: ``B`` sequences of item numbers, none empty, of which the newest :attr:`longest` count.
            seen: items that are left out, of each sequence.
            k: at most the items there are.
        """
        items, lengths = self._rows(sequences)
        found, scores, _ = self._run(items, lengths, _padded(seen), k)
        return found, scores

    def scores(self, sequences: Sequence[Sequence[int]], users: Sequence[int] | None = None) -> np.ndarray:
        """Scores of all items, ``[B, N]`` float32; the padding's is minus infinity.

        Args:
            sequences: as of :meth:`best`.
            users: None; there for the likeness to a checkpoint's model.
        """
        items, lengths = self._rows(sequences)
        return self._run(items, lengths, _padded([[]] * len(items)), 1)[2][:, : len(self.item_tokens)]

    @property
    def histories(self) -> Any:
        """None that it could tell.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.file} is an export, which holds no histories of users; give --sequences")

    def _rows(self, sequences: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        newest = [sequence[-self.longest :] for sequence in sequences]
        return _padded(newest), np.array([len(sequence) for sequence in newest], dtype=np.int64)


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """``[B, longest row]`` int64, at least one column, with the padding, 0, behind each row."""
    padded = np.zeros((len(rows), max(1, *map(len, rows))) if rows else (0, 1), dtype=np.int64)
    for row, numbers in zip(padded, rows, strict=True):
        row[: len(numbers)] = numbers
    return padded


def open_graph(file: Path, threads: int | None = None) -> Run:
    """A graph as a function.

    Args:
        file: ``.onnx`` or ``.pt2``.
        threads: of its library; None: one for each core.

    Raises:
        InputError: it cannot be loaded.
    """
    return (_with_torch if file.suffix == ".pt2" else _with_onnx_runtime)(file, threads)


def _with_onnx_runtime(graph: Path, threads: int | None) -> Run:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f"{graph}: needs onnxruntime: pip install 'recbole-llmdistill[export]' ({error})") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; its warnings are about its own optimisations
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class of their own
        raise InputError(f"{graph}: ONNX Runtime cannot load it ({str(error).splitlines()[0][:200]})") from error

    def run(items: np.ndarray, lengths: np.ndarray, seen: np.ndarray, k: int) -> Any:
        inputs = {"items": items, "lengths": lengths, "seen": seen, "k": np.array([k], dtype=np.int64)}
        return tuple(session.run(["best_items", "best_scores", "all_scores"], inputs))

    return run


def _with_torch(graph: Path, threads: int | None) -> Run:
    import torch

    from recbole_llmdistill.exports.torch_program import load_program

    program = load_program(graph)
    if threads is not None:
        torch.set_num_threads(threads)

    @torch.no_grad()
    def run(items: np.ndarray, lengths: np.ndarray, seen: np.ndarray, k: int) -> Any:
        found = program(torch.from_numpy(items), torch.from_numpy(lengths), torch.from_numpy(seen), k)
        return tuple(tensor.numpy() for tensor in found)

    return run
