"""What is said while runs are made."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from recbole_llmdistill.comparison.plan.plan import Plan
from recbole_llmdistill.comparison.report.tables import metric_title
from recbole_llmdistill.comparison.results import Results


def finished_line(record: Mapping[str, Any], headline: Sequence[str]) -> str:
    """One line of a run that has ended."""
    start = f"{record['label']}, seed {record['seed']}: "
    if record["status"] != "done":
        return f"{start}failed, {record['reason']}"
    metrics = [f"{metric_title(name)} {record['test'][name]:.4f}" for name in headline if name in record["test"]]
    return (
        f"{start}{', '.join(metrics)}; best of {record['epochs']} epochs: {record['best_epoch']}; "
        f"{format_duration(record['seconds'])}"
    )


def remaining_seconds(plan: Plan, results: Results, jobs: int) -> float | None:
    """Estimate for the runs still missing; None until every arm that can run has run once, or when none is missing."""
    times, failures = {}, plan.failures(results)
    for arm in plan.arms:
        records = plan.records(results, arm.label).values()
        if records:
            times[arm.label] = statistics.fmean(record["seconds"] for record in records)
        elif arm.label not in failures:
            return None
    missing = [run.label for run in plan.missing(results) if run.label in times]
    return sum(times[label] for label in missing) / min(jobs, len(missing)) if missing else None


def format_duration(seconds: float) -> str:
    """``48 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
