"""Targets smoothed towards item popularity: what a plain model does with freedom that distillation also has."""

import torch
from torch import nn
from torch.nn import functional as F


class PopularitySmoothing(nn.Module):
    """Turns a softmax loss into that for the targets (1 - s) one-hot + s p, where p is popularity in training.

    Cross-entropy is linear in its target, log Z - sum_j target_j logit_j, so smoothing adds
    s (logit_target - sum_j p_j logit_j); and the sum is one product of the state with p^T W. No target of the
    catalogue's size is made, and ``loss`` may be any implementation of the softmax, a sampled one too.

    Args:
        loss: a (sampled) softmax loss.
        share: s, from 0 to 1.
        popularity: training targets per item, ``[I]``.
    """

    popularity: torch.Tensor

    def __init__(self, loss: nn.Module, share: float, popularity: torch.Tensor) -> None:
        super().__init__()
        self.loss = loss
        self.share = share
        self.register_buffer("popularity", (popularity / popularity.sum()).float(), persistent=False)

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        contrast = F.embedding(targets, item_embeddings) - self.popularity @ item_embeddings
        surplus = (states * contrast).sum(dim=1)
        if bias is not None:
            surplus = surplus + bias[targets] - self.popularity @ bias
        return self.loss(states, item_embeddings, targets, bias) + self.share * surplus.sum() / max(len(targets), 1)
