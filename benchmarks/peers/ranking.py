"""One ranking metric for all libraries: the rank of a user's held-out item among all items, and RecBole's HR and NDCG.

RecBole does not mask what a user has seen when it evaluates a sequential model; with one held-out item a user its hit
rate at k is the share of ranks up to k, its NDCG at k the mean of ``1 / log2(1 + rank)`` over these. Both are given
here as RecBole gives them (``ndcg@10``), and with seen items left out of the ranking (``ndcg@10 unseen``).
"""

from collections.abc import Callable, Sequence

import numpy as np

CUTOFF = 10


def ranks(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Rank of each row's target, from 1; items with the same score as the target come before it.

    Args:
        scores: ``[users, n_items]``; ``-inf`` where an item is no candidate.
        targets: ``[users]`` columns.
    """
    return (scores >= scores[np.arange(len(targets)), targets][:, None]).sum(axis=1)


def metrics(of_ranks: np.ndarray, suffix: str = "") -> dict[str, float]:
    """Hit rate and NDCG of ranks, as RecBole defines them for one relevant item a user."""
    hit = of_ranks <= CUTOFF
    return {
        f"hr@{CUTOFF}{suffix}": float(hit.mean()),
        f"ndcg@{CUTOFF}{suffix}": float(np.where(hit, 1 / np.log2(1 + of_ranks), 0).mean()),
    }


def evaluate(
    score: Callable[[Sequence[np.ndarray]], np.ndarray],
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    batch_size: int = 512,
) -> dict[str, float]:
    """Metrics of a model.

    Args:
        score: maps histories (item ids, oldest first, not truncated) to scores ``[users, n_items]``.
        histories: one per user.
        targets: ``[users]`` held-out items.
        batch_size: users scored at a time.
    """
    among_all, among_unseen = [], []
    for start in range(0, len(histories), batch_size):
        batch, target = histories[start : start + batch_size], targets[start : start + batch_size]
        scores = np.array(score(batch), dtype=np.float32)
        scores[:, 0] = -np.inf
        among_all.append(ranks(scores, target))
        own = scores[np.arange(len(target)), target]
        scores[np.repeat(np.arange(len(batch)), [len(items) for items in batch]), np.concatenate(batch)] = -np.inf
        scores[np.arange(len(target)), target] = own  # a repeated item stays a candidate
        among_unseen.append(ranks(scores, target))
    return {**metrics(np.concatenate(among_all)), **metrics(np.concatenate(among_unseen), " unseen")}
