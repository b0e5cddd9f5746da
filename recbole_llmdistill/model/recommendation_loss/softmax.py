"""Cross-entropy over all items."""

import torch
from torch import nn
from torch.nn import functional as F


class Softmax(nn.Module):
    """RecBole's cross-entropy loss: the softmax over all items, the padding item among them, as RecBole has it."""

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        logits = states @ item_embeddings.T
        if bias is not None:
            logits = logits + bias
        # The sum over no target at all is 0, its mean would be NaN.
        return F.cross_entropy(logits, targets, reduction="sum") / max(len(targets), 1)
