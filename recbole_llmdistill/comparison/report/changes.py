"""One arm against another: by how much, and whether it is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recbole_llmdistill.comparison.measures import NLL
from recbole_llmdistill.comparison.report.statistics import (
    absolute_change,
    holm,
    paired_t_test,
    relative_change,
    wilcoxon_test,
)

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Change:
    """What a metric gains in one arm against another.

    Attributes:
        label, baseline, metric: which.
        change: of the mean, as a share of the baseline's; for NLL the difference.
        interval: 95 %, bootstrap over users and seeds.
        seeds_better: seeds in which the mean is better, of ``seeds``.
        t_test, wilcoxon: p-values over users, adjusted for the number of comparisons.
    """

    label: str
    baseline: str
    metric: str
    change: float
    interval: tuple[float, float]
    seeds_better: int
    seeds: int
    t_test: float
    wilcoxon: float


def change_of(label: str, baseline: str, metric: str, mine: np.ndarray, theirs: np.ndarray) -> Change:
    """One change, its p-values not corrected yet.

    Args:
        label: of an arm.
        baseline: of the arm that it is compared with.
        metric: the metric.
        mine: ``[S, U]`` of the arm.
        theirs: ``[S, U]`` of the other, same seeds and users.
    """
    change, low, high = (absolute_change if metric == NLL else relative_change)(mine, theirs)
    differences = mine - theirs
    of_seeds, of_users = differences.mean(axis=1), differences.mean(axis=0)
    return Change(
        *(label, baseline, metric, change, (low, high)),
        *(int((of_seeds * better_sign(metric) > 0).sum()), len(of_seeds)),
        *(paired_t_test(of_users), wilcoxon_test(of_users)),
    )


def corrected(changes: Sequence[Change]) -> list[Change]:
    """The same changes, their p-values corrected by Holm for their number."""
    t_tests = holm([change.t_test for change in changes])
    wilcoxons = holm([change.wilcoxon for change in changes])
    return [
        replace(change, t_test=t_test, wilcoxon=wilcoxon)
        for change, t_test, wilcoxon in zip(changes, t_tests, wilcoxons, strict=True)
    ]


def better_sign(metric: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if metric == NLL else 1
