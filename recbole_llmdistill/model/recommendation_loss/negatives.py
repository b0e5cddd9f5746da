"""Which items stand in for the whole catalogue, and their scores beside the target's.

One draw of M items serves :data:`POSITIONS_A_DRAW` consecutive positions of a batch. Their scores are then one matrix
product, where a draw for each of N positions would have to gather N x M embeddings (``benchmarks/big_catalogue.py``
measures it). One draw for the whole batch would be cheaper still, and does not train: an item meets all positions of
a batch at once or none, and such gradients drown those of the targets (``docs/training.md`` has figures). Items are
drawn with replacement, from PyTorch's generator.
"""

import torch
from torch import nn
from torch.nn import functional as F

POSITIONS_A_DRAW = 64
"""Positions that share negatives."""


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

    def forward(self, draws: int, device: torch.device) -> torch.Tensor:
        """Draw item ids ``[draws, M]`` from 1 to I - 1."""
        return torch.randint(1, self.n_items, (draws, self.n_negatives), device=device)


class PopularNegatives(nn.Module):
    """M items drawn by popularity: q of an item is in proportion to its number of training targets plus 1.

    The 1 gives items that are never a target a chance; else nothing would ever push their scores down.

    Args:
        n_negatives: M.
        popularity: training targets per item, ``[I]``; the padding item 0 is never drawn.
    """

    cumulative_share: torch.Tensor
    log_expected_count: torch.Tensor

    def __init__(self, n_negatives: int, popularity: torch.Tensor) -> None:
        super().__init__()
        self.n_negatives = n_negatives
        share = (popularity[1:].double() + 1) / (popularity[1:].double() + 1).sum()
        # Not torch.multinomial: it sums up the shares of all items at each call, and takes 2^24 items at most.
        self.register_buffer("cumulative_share", share.cumsum(0), persistent=False)
        log_expected_count = torch.cat([share.new_full((1,), -torch.inf), (share * n_negatives).log()])
        self.register_buffer("log_expected_count", log_expected_count.float(), persistent=False)

    def forward(self, draws: int, device: torch.device) -> torch.Tensor:
        """Draw item ids ``[draws, M]`` from 1 to I - 1."""
        points = torch.rand(draws, self.n_negatives, dtype=torch.float64, device=device)
        drawn = torch.searchsorted(self.cumulative_share, points, right=True)
        return drawn.clamp(max=len(self.cumulative_share) - 1) + 1  # rounding may leave the last sum below a point


def score_targets_and_negatives(
    sampler: UniformNegatives | PopularNegatives,
    states: torch.Tensor,
    item_embeddings: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw negatives, and score them beside the targets.

    Args:
        sampler: draws the negatives.
        states: ``[N, H]``.
        item_embeddings: ``[I, H]``.
        targets: ``[N]``.
        bias: of each item, ``[I]``, or none.

    Returns:
        Scores ``[N]`` of the targets, ids ``[N, M]`` of each position's negatives, and their scores ``[N, M]``: minus
        infinity where a negative is the position's own target.
    """
    positions, size = states.shape
    draws = -(-positions // POSITIONS_A_DRAW)
    drawn = sampler(draws, states.device)
    items = torch.cat([targets, drawn.flatten()])
    # One look-up, because each has a gradient of the size of the whole table.
    of_targets, of_drawn = F.embedding(items, item_embeddings).split([positions, drawn.numel()])
    groups = F.pad(states, (0, 0, 0, draws * POSITIONS_A_DRAW - positions)).view(draws, POSITIONS_A_DRAW, size)
    scores = torch.bmm(groups, of_drawn.view(draws, sampler.n_negatives, size).transpose(1, 2)).float()
    target_scores = (states * of_targets).sum(dim=1).float()
    if bias is not None:
        target_scores, scores = target_scores + bias[targets], scores + bias[drawn].unsqueeze(1)
    negatives = drawn.repeat_interleave(POSITIONS_A_DRAW, dim=0)[:positions]
    scores = scores.flatten(0, 1)[:positions]
    return target_scores, negatives, scores.masked_fill(negatives == targets.unsqueeze(1), -torch.inf)
