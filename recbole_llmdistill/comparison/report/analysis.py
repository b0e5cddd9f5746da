"""What the results of a comparison say: records, means, differences between arms."""

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.comparison.held_out import HELD_OUT, HeldOut
from recbole_llmdistill.comparison.plan.arm import Arm
from recbole_llmdistill.comparison.plan.plan import Plan
from recbole_llmdistill.comparison.report.changes import SIGNIFICANCE, Change, better_sign, change_of, corrected
from recbole_llmdistill.comparison.report.statistics import by_user, holm, paired_t_test
from recbole_llmdistill.comparison.results import Results


class Analysis:
    """A comparison as its results are now; runs that are added later want another one.

    Args:
        plan: what was asked for.
        results: what was measured.
        held_out: the test cases.
        quality: ``[R]`` profile quality of each case's user; None without profiles.
    """

    def __init__(self, plan: Plan, results: Results, held_out: HeldOut, quality: np.ndarray | None) -> None:
        self.plan, self.results, self.held_out, self.quality = plan, results, held_out, quality
        # Costly, and wanted by tables, page and figure alike.
        self._uncorrected = cache(self._compute_change)
        self.significant = cache(self._compute_significant)

    @classmethod
    def of_folder(cls, folder: Path) -> "Analysis":
        """The analysis of a folder of results, by the plan that lies in it.

        Raises:
            InputError: the folder holds no comparison.
        """
        plan = Plan.read(folder)
        quality = None if plan.quality is None else np.load(folder / plan.quality, allow_pickle=False)
        return cls(plan, Results(folder), HeldOut.read(folder / HELD_OUT), quality)

    @property
    def arms(self) -> Sequence[Arm]:
        """Those of the plan."""
        return self.plan.arms

    @cached_property
    def _records(self) -> dict[str, dict[int, dict[str, Any]]]:
        return {arm.label: self.plan.records(self.results, arm.label) for arm in self.arms}

    def records(self, label: str) -> dict[int, dict[str, Any]]:
        """Seed -> record of an arm's successful runs."""
        return self._records[label]

    @cached_property
    def failures(self) -> dict[str, str]:
        """Label -> why the arm's runs are missing."""
        return self.plan.failures(self.results)

    def means(self, label: str, metric: str) -> dict[int, float]:
        """Seed -> mean of a metric over the test cases; empty if the arm has no such metric."""
        records = self.records(label).items()
        return {seed: record["test"][metric] for seed, record in records if metric in record["test"]}

    def pair(self, label: str, baseline: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """``[S, R]`` values of two arms in the seeds that both have; None if there are none."""
        mine, theirs = self.records(label), self.records(baseline)
        pairs: list[tuple[np.ndarray, np.ndarray]] = []
        for seed in sorted(mine.keys() & theirs.keys()):
            of_mine, of_theirs = self.results.values(mine[seed], metric), self.results.values(theirs[seed], metric)
            if of_mine is not None and of_theirs is not None:
                pairs.append((of_mine, of_theirs))
        return (np.stack([one for one, _ in pairs]), np.stack([other for _, other in pairs])) if pairs else None

    def pair_of_users(self, label: str, baseline: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The same, ``[S, U]``, each user's cases averaged."""
        pair = self.pair(label, baseline, metric)
        users = self.held_out.users
        return None if pair is None else (by_user(pair[0], users), by_user(pair[1], users))

    def against_baselines(self) -> list[tuple[str, str]]:
        """Labels of each arm and its baseline, of those that have one."""
        return [(arm.label, arm.baseline) for arm in self.arms if arm.baseline is not None]

    def changes(self, pairs: Sequence[tuple[str, str]], metric: str) -> list[Change]:
        """Changes of those pairs (arm, baseline) that have results, one family for Holm's correction."""
        found = [self._uncorrected(label, baseline, metric) for label, baseline in pairs]
        return corrected([change for change in found if change is not None])

    def _compute_change(self, label: str, baseline: str, metric: str) -> Change | None:
        pair = self.pair_of_users(label, baseline, metric)
        return None if pair is None else change_of(label, baseline, metric, *pair)

    def _compute_significant(self, metric: str) -> set[str]:
        """Labels of the arms that are better than their baselines by the t-test, corrected for their number."""
        labels, gains, p_values = [], [], []
        for label, baseline in self.against_baselines():
            pair = self.pair_of_users(label, baseline, metric)
            if pair is not None:
                of_users = (pair[0] - pair[1]).mean(axis=0) * better_sign(metric)
                labels.append(label)
                gains.append(of_users.mean())
                p_values.append(paired_t_test(of_users))
        rows = zip(labels, gains, holm(p_values), strict=True)
        return {label for label, gain, p_value in rows if gain > 0 and p_value < SIGNIFICANCE}
