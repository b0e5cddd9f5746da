"""Cross-entropy over all items."""

import torch
from torch import nn

from recbole_llmdistill.model.recommendation_loss.linear_cross_entropy import linear_cross_entropy


class Softmax(nn.Module):
    """RecBole's cross-entropy loss: the softmax over all items, the padding item among them, as RecBole has it."""

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        return linear_cross_entropy(states, item_embeddings, targets, bias)
