"""Who gains: the test cases divided by what is known of them before anything is trained."""

from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.comparison.held_out import HeldOut

BINS, QUALITY_BINS = 4, 3


@dataclass(frozen=True)
class Grouping:
    """A division of all test cases; each is in one group.

    Attributes:
        name: what they are divided by.
        labels: name of each group.
        group: ``[R]`` number of each case's group.
    """

    name: str
    labels: list[str]
    group: np.ndarray


def quantile_groups(values: np.ndarray, bins: int, digits: int = 0) -> tuple[list[str], np.ndarray]:
    """Divide values into groups of about equal size; equal values stay together, so there may be fewer groups.

    Args:
        values: ``[R]``.
        bins: most groups.
        digits: decimal places in the labels.

    Returns:
        Labels, "lowest to highest" of what is in the group, and the number of the group of each value.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    # An edge belongs to the group below it. Groups that would be empty are left out.
    _, group = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)
    labels = []
    for number in range(group.max() + 1):
        low, high = values[group == number].min(), values[group == number].max()
        labels.append(f"{low:,.{digits}f}" + (f" to {high:,.{digits}f}" if high > low else ""))
    return labels, group


def groupings(held_out: HeldOut, quality: np.ndarray | None) -> list[Grouping]:
    """Groups by history length, by popularity of the held-out item, and by profile quality.

    Args:
        held_out: the test cases.
        quality: ``[R]`` as :mod:`.profile_quality` has it, NaN for users without a profile; None without profiles.
    """
    made = [
        Grouping("history length", *quantile_groups(held_out.history_lengths, BINS)),
        Grouping("training interactions of the held-out item", *quantile_groups(held_out.popularities, BINS)),
    ]
    if quality is not None:
        known = ~np.isnan(quality)
        labels: list[str] = []
        group = np.zeros(len(quality), dtype=np.int64)
        if known.any():
            labels, of_known = quantile_groups(quality[known], QUALITY_BINS, digits=2)
            group[known] = of_known
        if not known.all():
            group[~known] = len(labels)
            labels = [*labels, "no profile"]
        made.append(Grouping("profile quality", labels, group))
    return made
