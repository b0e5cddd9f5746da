"""What is recommended, whether it was right or not: RecBole's definitions, without its loops over all lists."""

import numpy as np


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the items that stand in somebody's list: RecBole's ``ItemCoverage``.

    Args:
        lists: ``[users, length]`` item numbers.
        n_items: number of items that can be recommended. (RecBole counts its padding item too.)
    """
    return len(np.unique(lists)) / n_items


def gini(lists: np.ndarray, n_items: int) -> float:
    """Inequality of how often items are recommended, from 0, all alike, towards 1: RecBole's ``GiniIndex``."""
    counts = np.sort(np.unique(lists, return_counts=True)[1])
    rank = np.arange(n_items - len(counts) + 1, n_items + 1)
    return float(((2 * rank - n_items - 1) * counts).sum() / (lists.size * n_items))


def average_popularity(lists: np.ndarray, training_counts: np.ndarray) -> float:
    """Mean number of training interactions of a recommended item: RecBole's ``AveragePopularity``.

    Args:
        lists: ``[users, length]`` item numbers.
        training_counts: ``[n_items]`` interactions of each item.
    """
    return float(training_counts[lists].mean())


def beyond_accuracy(lists: np.ndarray, training_counts: np.ndarray) -> dict[str, float]:
    """All three; arguments as above."""
    n_items = len(training_counts)
    return {
        "coverage": coverage(lists, n_items),
        "gini": gini(lists, n_items),
        "average_popularity": average_popularity(lists, training_counts),
    }
