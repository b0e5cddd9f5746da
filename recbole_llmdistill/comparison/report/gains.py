"""Who gains: the change of each group of test cases, with intervals."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.comparison.measures import NLL
from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.groups import groupings
from recbole_llmdistill.comparison.report.statistics import absolute_change
from recbole_llmdistill.comparison.report.table import Cell, Column, Table
from recbole_llmdistill.comparison.report.tables import EMPTY, digits_of, metric_title


@dataclass(frozen=True)
class Gain:
    """What one group gains.

    Attributes:
        label, baseline, metric: which arms and metric.
        grouping, group: which test cases.
        cases: how many they are.
        baseline_mean: mean of the baseline over them and the seeds.
        difference: of the means.
        interval: of the difference, 95 %, bootstrap over cases and seeds.
    """

    label: str
    baseline: str
    metric: str
    grouping: str
    group: str
    cases: int
    baseline_mean: float
    difference: float
    interval: tuple[float, float]


def gains(analysis: Analysis) -> Iterator[Gain]:
    """Gains of the distilled arms over their baselines, in the metric that picks the epoch and in NLL."""
    divisions = groupings(analysis.held_out, analysis.quality)
    metrics = dict.fromkeys([analysis.plan.headline[0], *(name for name in analysis.plan.headline if name == NLL)])
    for arm in analysis.arms:
        if arm.kind != "distilled" or arm.baseline is None:
            continue
        for metric in metrics:
            pair = analysis.pair(arm.label, arm.baseline, metric)
            if pair is None:
                continue
            for division in divisions:
                for number, group in enumerate(division.labels):
                    mine, theirs = (side[:, division.group == number] for side in pair)
                    difference, low, high = absolute_change(mine, theirs)
                    cases = int(np.count_nonzero(division.group == number))
                    yield Gain(
                        *(arm.label, arm.baseline, metric, division.name, group, cases),
                        *(float(theirs.mean()), difference, (low, high)),
                    )


def gains_table(analysis: Analysis, found: list[Gain]) -> Table:
    """A row a group, the metrics side by side."""
    metrics = list(dict.fromkeys(gain.metric for gain in found))
    columns = [Column("model"), Column("by"), Column("group"), Column("cases", ("cases",))]
    for metric in metrics:
        title = metric_title(metric)
        columns.append(Column(f"{title} of baseline", (f"{title} of baseline",)))
        columns.append(Column(f"{title} gain", (f"{title} gain", f"{title} gain low", f"{title} gain high")))
    rows: dict[tuple[str, str, str], dict[str, Gain]] = {}
    for gain in found:
        rows.setdefault((gain.label, gain.grouping, gain.group), {})[gain.metric] = gain
    cells = []
    for (label, grouping, group), of_metrics in rows.items():
        cases = next(iter(of_metrics.values())).cases
        row = [Cell(label), Cell(grouping), Cell(group), Cell(f"{cases:,}", (cases,))]
        for metric in metrics:
            row += _cells(of_metrics[metric]) if metric in of_metrics else [EMPTY, EMPTY]
        cells.append(row)
    notes = [
        "Gain: difference of the means, with 95 % bootstrap interval over test cases and seeds, not corrected for the "
        "number of groups. Profile quality: how much more the 20 users with the nearest profiles share of a user's "
        "training items than users in general do (1: nothing more)."
    ]
    return Table("gains", "Who gains", columns, cells, notes)


def _cells(gain: Gain) -> list[Cell]:
    digits, (low, high) = digits_of(gain.metric), gain.interval
    return [
        Cell(f"{gain.baseline_mean:.{digits}f}", (gain.baseline_mean,)),
        Cell(f"{gain.difference:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]", (gain.difference, low, high)),
    ]
