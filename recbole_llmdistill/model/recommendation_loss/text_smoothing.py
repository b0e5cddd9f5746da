"""Targets smoothed towards items of like texts: a user who chose one of them might have chosen another."""

import torch
from torch import nn
from torch.nn import functional as F

from recbole_llmdistill.data.item_vectors import ItemVectors

NEIGHBOURS = 20
"""Items that share a target's weight."""
TEMPERATURE = 0.1
"""Of the softmax over the cosines of their texts."""
_ROWS_AT_ONCE = 1024


class TextSmoothing(nn.Module):
    """Turns a softmax loss into that for the targets (1 - s) one-hot + s q_i.

    q_i is the softmax of cos(t_i, t_j) / ``TEMPERATURE`` over the ``NEIGHBOURS`` items j nearest to item i by text, as
    label smoothing (Szegedy et al., CVPR 2016) with what is known of the classes. As in
    :class:`~recbole_llmdistill.model.recommendation_loss.popularity_smoothing.PopularitySmoothing`, cross-entropy being
    linear in its target, smoothing adds s (logit_i - sum_j q_ij logit_j), and ``loss`` may be any (sampled) softmax.
    An item without a text keeps its one-hot target.

    Args:
        loss: a (sampled) softmax loss.
        share: s, from 0 to 1.
        vectors: of the items.
    """

    items: torch.Tensor
    weights: torch.Tensor

    def __init__(self, loss: nn.Module, share: float, vectors: ItemVectors) -> None:
        super().__init__()
        self.loss = loss
        self.share = share
        items, weights = neighbours(vectors)
        self.register_buffer("items", items, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        items, weights = self.items[targets], self.weights[targets].to(item_embeddings.dtype)
        smoothed = weights.sum(dim=1)  # 1, or 0 without a text
        near = F.embedding_bag(items, item_embeddings, per_sample_weights=weights, mode="sum")
        contrast = F.embedding(targets, item_embeddings) * smoothed.unsqueeze(1) - near
        surplus = (states * contrast).sum(dim=1)
        if bias is not None:
            surplus = surplus + bias[targets] * smoothed - (bias[items] * weights).sum(dim=1)
        return self.loss(states, item_embeddings, targets, bias) + self.share * surplus.sum() / max(len(targets), 1)


def neighbours(vectors: ItemVectors) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each item, those nearest by the cosine of the vectors, and their shares of it.

    Returns:
        Items ``[I, K]`` int64 and shares ``[I, K]``, which sum to 1, or are 0 for an item without a vector.
    """
    holders = vectors.present.nonzero().squeeze(1)
    unit = F.normalize(vectors.vectors[holders], dim=1)
    count = max(min(NEIGHBOURS, len(holders) - 1), 0)
    items = torch.zeros(len(vectors.present), count, dtype=torch.long)
    weights = torch.zeros(len(vectors.present), count)
    for rows in torch.arange(len(holders)).split(_ROWS_AT_ONCE):
        cosines = unit[rows] @ unit.T
        cosines[torch.arange(len(rows)), rows] = -torch.inf
        nearest = cosines.topk(count, dim=1)
        items[holders[rows]] = holders[nearest.indices]
        weights[holders[rows]] = (nearest.values / TEMPERATURE).softmax(dim=1)
    return items, weights
