"""A comparison from its beginning to its figures: what is to be run, what was run, what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.comparison.plan.arm_config import ArmConfig
from recbole_llmdistill.comparison.plan.arms import Arm
from recbole_llmdistill.comparison.provenance import provenance
from recbole_llmdistill.comparison.report.statistics import by_user
from recbole_llmdistill.comparison.results import ResultsFolder, Run
from recbole_llmdistill.comparison.run.held_out import HeldOut
from recbole_llmdistill.comparison.run.processes import Job, run_jobs
from recbole_llmdistill.files.atomic_write import written_atomically

HELD_OUT = "held_out.npz"


@dataclass
class Comparison:
    """Arms, seeds and a folder with results.

    Attributes:
        configs: an arm each, in the order of the table.
        seeds: random seeds.
        folder: results so far.
        held_out: the test cases.
        quality: ``[R]`` profile quality of each case's user, if there are profiles.
        headline: metrics that are tested for significance, e.g. ``["ndcg@10", "recall@10", "nll"]``.
        computed: what is costly and wanted more than once, by whoever computes it.
    """

    configs: Sequence[ArmConfig]
    seeds: Sequence[int]
    folder: ResultsFolder
    held_out: HeldOut
    quality: np.ndarray | None
    headline: Sequence[str]
    computed: dict[Any, Any] = field(default_factory=dict)

    @property
    def arms(self) -> list[Arm]:
        """The arms alone."""
        return [config.arm for config in self.configs]

    def runs(self) -> list[tuple[ArmConfig, Run]]:
        """All runs of the table, the first seed of every arm first."""
        return [
            (config, Run(config.arm.label, config.identity, seed)) for seed in self.seeds for config in self.configs
        ]

    def missing(self) -> list[tuple[ArmConfig, Run]]:
        """Those that are still to be made."""
        return [(config, run) for config, run in self.runs() if self.folder.done(run) is None]

    def make_missing_runs(self, side_by_side: int) -> Iterator[dict[str, Any]]:
        """Make them; gives each record as soon as it is in the results file.

        An arm that has failed is not tried with further seeds; the next call of this method tries it again.
        """
        held_out = self.folder.path / HELD_OUT
        self.held_out.write(held_out)
        jobs = [
            Job(
                run,
                {
                    "model": config.arm.model,
                    "dataset": self.folder.dataset,
                    "config_files": config.files,
                    "settings": {**config.settings, "seed": run.seed, "show_progress": False},
                    "held_out": str(held_out.resolve()),
                },
            )
            for config, run in self.missing()
        ]
        config_of = {config.arm.label: config for config in self.configs}
        code, failed = provenance(), set[str]()

        def wanted(run: Run) -> bool:
            return run.label not in failed and self.folder.done(run) is None

        for job, result in run_jobs(jobs, side_by_side, self.folder.scratch, self.folder.log_file, wanted):
            config = config_of[job.run.label]
            facts = {"model": config.arm.model, "arm_settings": dict(config.arm.settings), "config": config.final}
            record = self.folder.add(job.run, result, **facts, side_by_side=side_by_side, code=code)
            if record["status"] != "done":
                failed.add(job.run.label)
            yield record

    def records(self, label: str) -> dict[int, dict[str, Any]]:
        """Seed -> record of an arm's successful runs."""
        runs = [run for _, run in self.runs() if run.label == label]
        return {run.seed: record for run in runs if (record := self.folder.done(run)) is not None}

    def failures(self) -> dict[str, str]:
        """Label -> why the arm's runs are missing."""
        reasons = {}
        for config, run in self.missing():
            if reason := self.folder.failure(run):
                reasons.setdefault(config.arm.label, reason)
        return reasons

    def means(self, label: str, metric: str) -> dict[int, float]:
        """Seed -> mean of a metric over the test cases; empty if the arm has no such metric."""
        records = self.records(label).items()
        return {seed: record["test"][metric] for seed, record in records if metric in record["test"]}

    def pair(self, label: str, baseline: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """``[S, R]`` values of two arms in the seeds that both have; None if there are none."""
        mine, theirs = self.records(label), self.records(baseline)
        pairs = []
        for seed in sorted(mine.keys() & theirs.keys()):
            values = self.folder.values(mine[seed], metric), self.folder.values(theirs[seed], metric)
            if values[0] is not None and values[1] is not None:
                pairs.append(values)
        return tuple(np.stack(side) for side in zip(*pairs, strict=True)) if pairs else None

    def pair_of_users(self, label: str, baseline: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The same, ``[S, U]``, each user's cases averaged."""
        pair = self.pair(label, baseline, metric)
        return None if pair is None else tuple(by_user(side, self.held_out.users) for side in pair)


def metric_names(config) -> list[str]:
    """Metrics of single cases that a config asks for, as RecBole calls them, and the likelihood."""
    from recbole.evaluator.base_metric import TopkMetric
    from recbole.evaluator.register import metrics_dict

    of_cases = [name.lower() for name in config["metrics"] if issubclass(metrics_dict[name.lower()], TopkMetric)]
    return [f"{name}@{k}" for k in config["topk"] for name in of_cases] + ["nll"]


def headline_metrics(config) -> list[str]:
    """The metric that picks the epoch, recall at the same length where it is there, and the likelihood."""
    names = metric_names(config)
    valid = config["valid_metric"].lower()
    wanted = [valid, f"recall@{valid.partition('@')[2]}", "nll"]
    return [name for name in dict.fromkeys(wanted) if name in names]


def cached_quality(folder: Path, profiles: Path, training_part, held_out: HeldOut) -> np.ndarray:
    """:func:`~.profile_quality.profile_quality` of these profiles, computed once a folder and profile file."""
    import hashlib

    from recbole_llmdistill.comparison.report.profile_quality import profile_quality

    digest = hashlib.sha256(profiles.read_bytes() + held_out.test_fingerprint.encode()).hexdigest()[:16]
    file = folder / f"profile_quality-{digest}.npy"
    if not file.is_file():
        quality = profile_quality(profiles, training_part, held_out.users)
        with written_atomically(file) as temporary:
            np.save(temporary, quality, allow_pickle=False)
    return np.load(file, allow_pickle=False)
