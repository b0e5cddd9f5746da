"""The best of many scores, a block of users at a time."""

import torch

CACHED = 2**22
"""Scores of a block that processors like to have at a time."""
LEAST_ROWS = 32
"""Users of a block at least, where that fits: with fewer, reading the item embeddings takes longer than multiplying."""
LARGEST = 2**25
"""Scores of a block at most (128 MiB), unless a single user has more."""
MOST_ROWS = 1024
"""Users of a block at most."""
STRETCH = 256
"""Columns of which only the highest score is looked at first, in long rows."""


def rows_at_once(n_items: int) -> int:
    """Users whose scores of all items are in memory at a time."""
    return max(1, min(MOST_ROWS, LARGEST // n_items, max(LEAST_ROWS, CACHED // n_items)))


def best(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``k`` highest scores of each row, and their columns; of equal scores the first columns, in their order.

    Args:
        scores: ``[B, N]``; NaN is higher than any number.
        k: at most ``N``.

    Returns:
        Scores ``[B, k]``, highest first, and columns ``[B, k]`` int64.
    """
    more = min(k + 1, scores.size(1))
    values, columns = _highest(scores, more)
    # Which columns of several equal scores these are is torch's own affair: order them, and if the score at the border
    # has equals beyond it, look at all columns of that row.
    columns, order = columns.sort(dim=1)
    values, by_score = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    columns = columns.gather(1, by_score)
    if more > k:
        for row in (values[:, k - 1] == values[:, k]).nonzero().flatten().tolist():
            sorted_row = scores[row].sort(descending=True, stable=True)
            values[row], columns[row] = sorted_row.values[:more], sorted_row.indices[:more]
    return values[:, :k], columns[:, :k]


def _highest(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``scores.topk(k)``, in a few passes over long rows, of which that makes many."""
    rows, columns = scores.shape
    stretches = columns // STRETCH
    if stretches < 8 * k:
        return scores.topk(k, dim=1)
    # The k highest scores lie in the k stretches with the highest maxima, or in the rest behind the last stretch.
    whole = scores[:, : stretches * STRETCH].unflatten(1, (stretches, STRETCH))
    chosen = whole.amax(dim=2).topk(k, dim=1).indices
    places = chosen.unsqueeze(2) * STRETCH + torch.arange(STRETCH, device=scores.device)
    rest = torch.arange(stretches * STRETCH, columns, device=scores.device).expand(rows, -1)
    places = torch.cat([places.flatten(1), rest], dim=1)
    values, found = scores.gather(1, places).topk(k, dim=1)
    return values, places.gather(1, found)
