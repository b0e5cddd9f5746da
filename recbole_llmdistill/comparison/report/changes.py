"""One arm against another: by how much, and whether it is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recbole_llmdistill.comparison.comparison import Comparison
from recbole_llmdistill.comparison.report.statistics import (
    absolute_change,
    holm,
    paired_t_test,
    relative_change,
    wilcoxon_test,
)
from recbole_llmdistill.comparison.run.worker import NLL

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


def changes_of(comparison: Comparison, pairs: Sequence[tuple[str, str]], metric: str) -> list[Change]:
    """Changes of those pairs (arm, baseline) that have results; all of them are one family for Holm's correction."""
    found = [_change(comparison, label, baseline, metric) for label, baseline in pairs]
    changes = [change for change in found if change is not None]
    t_tests = holm([change.t_test for change in changes])
    wilcoxons = holm([change.wilcoxon for change in changes])
    return [
        replace(change, t_test=t_test, wilcoxon=wilcoxon)
        for change, t_test, wilcoxon in zip(changes, t_tests, wilcoxons, strict=True)
    ]


def _change(comparison: Comparison, label: str, baseline: str, metric: str) -> Change | None:
    """One change, its p-values not adjusted yet; computed once. None if the arms have no seed in common."""
    key = ("change", label, baseline, metric, len(comparison.folder.records))
    if key not in comparison.computed:
        pair = comparison.pair_of_users(label, baseline, metric)
        comparison.computed[key] = None if pair is None else _compare(label, baseline, metric, *pair)
    return comparison.computed[key]


def _compare(label: str, baseline: str, metric: str, mine: np.ndarray, theirs: np.ndarray) -> Change:
    change, *ends = (absolute_change if metric == NLL else relative_change)(mine, theirs)
    differences = mine - theirs
    of_seeds, of_users = differences.mean(axis=1), differences.mean(axis=0)
    return Change(
        *(label, baseline, metric, change, tuple(ends)),
        *(int((of_seeds * better_sign(metric) > 0).sum()), len(of_seeds)),
        *(paired_t_test(of_users), wilcoxon_test(of_users)),
    )


def significant(comparison: Comparison, metric: str) -> set[str]:
    """Labels of the arms that are better than their baselines by the t-test, corrected for their number."""
    pairs = [(arm.label, arm.baseline) for arm in comparison.arms if arm.baseline is not None]
    labels, gains, p_values = [], [], []
    for label, baseline in pairs:
        pair = comparison.pair_of_users(label, baseline, metric)
        if pair is not None:
            of_users = (pair[0] - pair[1]).mean(axis=0) * better_sign(metric)
            labels.append(label)
            gains.append(of_users.mean())
            p_values.append(paired_t_test(of_users))
    rows = zip(labels, gains, holm(p_values), strict=True)
    return {label for label, gain, p_value in rows if gain > 0 and p_value < SIGNIFICANCE}


def better_sign(metric: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if metric == NLL else 1
