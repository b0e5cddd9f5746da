"""Which items stand in for the whole catalogue, and their scores beside the target's.

One draw of M items serves all positions of a batch. Its scores are then one matrix product, where a draw of their own
for each of N positions would have to gather N x M embeddings: for the same time M can be a hundred times larger
(``benchmarks/big_catalogue.py`` measures it). Items are drawn with replacement, from PyTorch's generator.
"""

import torch
from torch import nn
from torch.nn import functional as F


class UniformNegatives(nn.Module):
    """M items, each as likely as any other.

    Args:
        n_negatives: M.
        n_items: I, the padding item among them, which is never drawn.
    """

    def __init__(self, n_negatives: int, n_items: int) -> None:
        super().__init__()
        self.n_negatives = n_negatives
        self.n_items = n_items

    def forward(self, device: torch.device) -> torch.Tensor:
        """Draw item ids ``[M]`` from 1 to I - 1."""
        return torch.randint(1, self.n_items, (self.n_negatives,), device=device)


class PopularNegatives(nn.Module):
    """M items drawn by popularity: q of an item is in proportion to its number of training targets plus 1.

    The 1 gives items that are never a target a chance; else nothing would ever push their scores down.

    Args:
        n_negatives: M.
        popularity: training targets an item, ``[I]``; the padding item 0 is never drawn.
    """

    def __init__(self, n_negatives: int, popularity: torch.Tensor) -> None:
        super().__init__()
        self.n_negatives = n_negatives
        share = (popularity[1:].double() + 1) / (popularity[1:].double() + 1).sum()
        # Not torch.multinomial: it sums up the shares of all items at each call, and takes 2^24 items at most.
        self.register_buffer("cumulative_share", share.cumsum(0), persistent=False)
        log_expected_count = torch.cat([share.new_full((1,), -torch.inf), (share * n_negatives).log()])
        self.register_buffer("log_expected_count", log_expected_count.float(), persistent=False)

    def forward(self, device: torch.device) -> torch.Tensor:
        """Draw item ids ``[M]`` from 1 to I - 1."""
        points = torch.rand(self.n_negatives, dtype=torch.float64, device=device)
        drawn = torch.searchsorted(self.cumulative_share, points, right=True)
        return drawn.clamp(max=len(self.cumulative_share) - 1) + 1  # rounding may leave the last sum below a point


def score_targets_and_negatives(
    states: torch.Tensor,
    item_embeddings: torch.Tensor,
    targets: torch.Tensor,
    negatives: torch.Tensor,
    bias: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores ``[N]`` of the targets and ``[N, M]`` of the negatives; bool ``[N, M]``: this negative is the target."""
    items = torch.cat([targets, negatives])
    # One look-up, because each has a gradient of the size of the whole table.
    of_targets, of_negatives = F.embedding(items, item_embeddings).split([len(targets), len(negatives)])
    target_scores, negative_scores = (states * of_targets).sum(dim=1).float(), (states @ of_negatives.T).float()
    if bias is not None:
        of_targets, of_negatives = bias[items].split([len(targets), len(negatives)])
        target_scores, negative_scores = target_scores + of_targets, negative_scores + of_negatives
    return target_scores, negative_scores, negatives == targets.unsqueeze(1)
