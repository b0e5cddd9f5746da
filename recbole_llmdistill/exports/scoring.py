"""What is exported of a model: its state of a sequence, and the item vectors whose products with it are the scores."""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from recbole.model.sequential_recommender.bert4rec import BERT4Rec
from torch import nn
from torch.nn import functional as F

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.recommendation.checkpoint_model import CheckpointModel

TOLERANCE = 1e-5
"""Of scores, absolute and relative: sums of a batch of another shape are added in another order."""
_SHAPES = ((1, 1), (1, None), (2, 3), (7, 4), (64, None))  # rows and length; None is the longest


class UserState(nn.Module):
    """Sequences to states, ``[B, D]``.

    Args:
        model: a RecBole sequential model, in evaluation.
        pad_to: length to which sequences are padded before the model sees them; 0: no further than they come.
    """

    def __init__(self, model: nn.Module, pad_to: int = 0) -> None:
        super().__init__()
        self.model, self.pad_to = model, pad_to

    def forward(self, items: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """States of item numbers ``[B, L]`` int64, the newest last, 0 behind them; ``lengths [B]`` int64."""
        if self.pad_to:
            items = F.pad(items, (0, self.pad_to - items.size(1)))
        if not isinstance(self.model, BERT4Rec):
            return self.model(items, lengths)
        # As RecBole's reconstruct_test_data, which loops over the batch: the mask token behind the newest item, and
        # without the first.
        extended = F.pad(items, (0, 1)).scatter(1, lengths.unsqueeze(1), self.model.mask_token)
        return self.model.gather_indexes(self.model(extended[:, 1:]), lengths - 1)


class Scoring(nn.Module):
    """Sequences to scores of all items, and the best of them: the whole graph, as PyTorch computes it.

    Args:
        state: sequences to states.
        vectors: ``[>= N, D]`` item vectors; those beyond N are of no item (BERT4Rec's mask token).
        bias: ``[N]`` added to the scores; None: nothing.
        n_items: N, the padding among them.
    """

    def __init__(self, state: UserState, vectors: nn.Parameter, bias: torch.Tensor | None, n_items: int) -> None:
        super().__init__()
        self.state, self.vectors = state, vectors
        whole = torch.full((len(vectors),), -torch.inf)  # what is no item is never recommended
        whole[1:n_items] = 0 if bias is None else bias[1:n_items]
        self.register_buffer("bias", whole)

    def forward(
        self, items: torch.Tensor, lengths: torch.Tensor, seen: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Best items ``[B, k]``, their scores ``[B, k]``, and all scores ``[B, >= N]``, of which ``seen [B, S]``,
        item numbers with 0 behind them, are minus infinity."""
        scores = torch.addmm(cast(torch.Tensor, self.bias), self.state(items, lengths), self.vectors.T)
        scores = scores.scatter(1, seen, -torch.inf)
        best, found = scores.topk(k, dim=1)
        return found, best, scores


@torch.no_grad()
def scoring_of(model: CheckpointModel) -> Scoring:
    """What is to be exported of a checkpoint's model, after a check that it scores as the model does.

    Raises:
        InputError: the model's scores are no products of a state and item vectors, or depend on users.
    """
    what = f"{model.file}: {model.name}"
    if not model.sequential or model.user_numbers is not None:
        raise InputError(f"{what} scores users by name, and an export answers sequences of anybody; it has no export")
    vectors = getattr(getattr(model.network, "item_embedding", None), "weight", None)
    if not isinstance(vectors, nn.Parameter):
        raise InputError(f"{what} has no table of item embeddings; it has no export")
    n_items, generator = len(model.item_tokens), np.random.default_rng(0)
    lengths = [1, 2, min(5, model.longest), model.longest]
    sequences = [generator.integers(1, n_items, length).tolist() for length in lengths]
    expected = model.scores(sequences, None)[:, 1:].cpu()
    network = model.network.cpu()  # where it stays, as the export is made there
    bias = cast("torch.Tensor | None", getattr(network, "output_bias", None))
    # Without padding where that changes nothing, as it is faster.
    for pad_to in (0, model.longest):
        scoring = Scoring(UserState(network, pad_to), vectors, bias, n_items).eval()
        try:
            found = torch.cat([_scores_of_one(scoring, sequence) for sequence in sequences])[:, 1:n_items]
        except Exception:  # whatever a model of another kind makes of being called like this
            continue
        if torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
            return scoring
    raise InputError(
        f"{what} computes scores otherwise than as products of one vector for the sequence and one for each item; it "
        "has no export"
    )


def _scores_of_one(scoring: Scoring, sequence: list[int]) -> torch.Tensor:
    return scoring(torch.tensor([sequence]), torch.tensor([len(sequence)]), torch.zeros(1, 1, dtype=torch.int64), 1)[2]


@torch.no_grad()
def largest_difference(
    scoring: Scoring, longest: int, n_items: int, run: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> float:
    """How far an exported graph is from PyTorch, over batches of several shapes, in units of :data:`TOLERANCE`.

    Args:
        scoring: as PyTorch computes it.
        longest: items of a sequence at most.
        n_items: the padding among them.
        run: the graph, as :data:`recbole_llmdistill.exports.exported_model.Run`.

    Returns:
        The largest of ``|difference| / (1 + |score|) / TOLERANCE``; infinite where other items are left out.
    """
    generator, largest = np.random.default_rng(1), 0.0
    for n_rows, length in _SHAPES:
        width = min(length or longest, longest)
        lengths = generator.integers(1, width + 1, n_rows)
        lengths[0] = width
        items = generator.integers(1, n_items, (n_rows, width)) * (np.arange(width) < lengths[:, None])
        seen = generator.integers(0, n_items, (n_rows, 1 + n_rows % 3))
        k = min(10, n_items - 1)
        expected = scoring(*map(torch.from_numpy, (items, lengths, seen)), k)
        found = run(items, lengths, seen, k)
        for ours, theirs in zip(expected[1:], found[1:], strict=True):
            one, other = ours.numpy(), theirs
            finite = np.isfinite(one)
            if (finite != np.isfinite(other)).any():
                return np.inf
            apart = np.abs(one[finite] - other[finite]) / (1 + np.abs(one[finite]))
            largest = max(largest, float(apart.max(initial=0)) / TOLERANCE)
    return largest
