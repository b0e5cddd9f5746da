"""An export of a small model that was never trained, whose scores are known without it."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from recbole_llmdistill.exports.folder import data_fingerprint, write_items, write_settings, written_folder
from recbole_llmdistill.exports.onnx_graph import write_onnx
from recbole_llmdistill.exports.scoring import Scoring, UserState

SMALL_ITEMS, SMALL_LONGEST = 50, 8
TOKENS = ["[PAD]", *(f"i{number}" for number in range(1, SMALL_ITEMS + 1))]
COUNTS = np.array([0, *range(SMALL_ITEMS, 0, -1)])  # i1 is the most popular item


class MeanOfItems(nn.Module):
    """The state is the mean of the items' vectors."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.item_embedding = nn.Embedding(SMALL_ITEMS + 1, 6, padding_idx=0)
        vectors = np.random.default_rng(seed).normal(size=(SMALL_ITEMS + 1, 6)).astype(np.float32)
        vectors[0] = 0
        self.item_embedding.weight.data = torch.from_numpy(vectors)

    def forward(self, items: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.item_embedding(items).sum(dim=1) / lengths.unsqueeze(1)


def small_export(folder: Path, seed: int = 0, counts: np.ndarray | None = COUNTS) -> Path:
    """Write it, in the place of an export that may be there."""
    model = MeanOfItems(seed).eval()
    with written_folder(folder) as scratch:
        scoring = Scoring(UserState(model), model.item_embedding.weight, None, SMALL_ITEMS + 1)
        write_onnx(scoring, SMALL_LONGEST, scratch / "model.onnx")
        write_items(scratch, TOKENS, counts)
        settings = {"schema": 1, "written_by": "a test", "model": "MeanOfItems", "format": "onnx", "precision": "fp32"}
        settings |= {"graph": "model.onnx", "n_items": SMALL_ITEMS + 1, "longest": SMALL_LONGEST, "dataset": "none"}
        settings |= {"data_fingerprint": data_fingerprint(TOKENS, counts), "validation": {}}
        write_settings(scratch, settings)
    return folder


def best_by_hand(sequence: list[str], k: int, exclude_seen: bool = False, seed: int = 0) -> list[str]:
    """What the export should answer to a sequence of known items."""
    vectors = MeanOfItems(seed).item_embedding.weight.detach().numpy().astype(np.float64)
    numbers = [TOKENS.index(token) for token in sequence]
    scores = vectors @ vectors[numbers[-SMALL_LONGEST:]].mean(axis=0)
    scores[[0, *(numbers if exclude_seen else [])]] = -np.inf
    return [TOKENS[number] for number in np.argsort(-scores)[:k] if scores[number] != -np.inf]
