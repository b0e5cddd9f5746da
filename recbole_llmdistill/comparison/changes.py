"""One arm against another: by how much, and whether it is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

from recbole_llmdistill.comparison.comparison import Comparison
from recbole_llmdistill.comparison.one_run import NLL
from recbole_llmdistill.comparison.statistics import (
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


def changes_of(comparison: Comparison, pairs: Sequence[tuple[str, str]], metric: str) -> list[Change]:
    """Changes of those pairs (arm, baseline) that have results; all of them are one family for Holm's correction."""
    found = []
    for label, baseline in pairs:
        pair = comparison.pair_of_users(label, baseline, metric)
        if pair is not None:
            found.append((label, baseline, *pair))
    differences = [(mine - theirs).mean(axis=0) for _, _, mine, theirs in found]
    t_tests = holm([paired_t_test(of_users) for of_users in differences])
    wilcoxons = holm([wilcoxon_test(of_users) for of_users in differences])
    changes = []
    for (label, baseline, mine, theirs), t_test, wilcoxon in zip(found, t_tests, wilcoxons, strict=True):
        change, *ends = (absolute_change if metric == NLL else relative_change)(mine, theirs)
        gains = (mine - theirs).mean(axis=1) * better_sign(metric)
        changes.append(
            Change(label, baseline, metric, change, tuple(ends), int((gains > 0).sum()), len(gains), t_test, wilcoxon)
        )
    return changes


def significant(comparison: Comparison, metric: str) -> set[str]:
    """Labels of the arms that are better than their baselines by the t-test, corrected for their number."""
    labels, means, p_values = [], [], []
    for arm in comparison.arms:
        if arm.baseline is None or (pair := comparison.pair_of_users(arm.label, arm.baseline, metric)) is None:
            continue
        differences = (pair[0] - pair[1]).mean(axis=0) * better_sign(metric)
        labels.append(arm.label)
        means.append(differences.mean())
        p_values.append(paired_t_test(differences))
    rows = zip(labels, means, holm(p_values), strict=True)
    return {label for label, mean, p_value in rows if mean > 0 and p_value < SIGNIFICANCE}


def better_sign(metric: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if metric == NLL else 1
