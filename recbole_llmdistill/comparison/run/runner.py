"""Makes the runs that a plan lacks."""

from collections.abc import Iterator, Sequence
from typing import Any

from recbole_llmdistill.comparison.held_out import HELD_OUT
from recbole_llmdistill.comparison.plan.arm_config import ArmConfig
from recbole_llmdistill.comparison.plan.plan import Plan
from recbole_llmdistill.comparison.provenance import provenance
from recbole_llmdistill.comparison.results import ResultsFolder, Run
from recbole_llmdistill.comparison.run.processes import Job, run_jobs


def make_missing_runs(
    plan: Plan, configs: Sequence[ArmConfig], folder: ResultsFolder, side_by_side: int
) -> Iterator[dict[str, Any]]:
    """Make them; gives each record as soon as it is in the results file.

    An arm that has failed is not tried with further seeds; the next call of this function tries it again.

    Args:
        plan: of the comparison.
        configs: settings of its arms.
        folder: of its results, with its test cases in ``held_out.npz``.
        side_by_side: processes at a time.
    """
    config_of = {config.arm.label: config for config in configs}
    held_out = str((folder.path / HELD_OUT).resolve())
    jobs = [Job(run, _instructions(config_of[run.label], plan, run, held_out)) for run in plan.missing(folder)]
    code, failed = provenance(), set[str]()

    def wanted(run: Run) -> bool:
        return run.label not in failed and folder.done(run) is None

    for job, result in run_jobs(jobs, side_by_side, folder.scratch, folder.log_file, wanted):
        config = config_of[job.run.label]
        facts = {"model": config.arm.model, "arm_settings": dict(config.arm.settings), "config": config.final}
        record = folder.add(job.run, result, **facts, side_by_side=side_by_side, code=code)
        if record["status"] != "done":
            failed.add(job.run.label)
        yield record


def _instructions(config: ArmConfig, plan: Plan, run: Run, held_out: str) -> dict[str, Any]:
    return {
        "model": config.arm.model,
        "dataset": plan.dataset,
        "config_files": config.files,
        "settings": {**config.settings, "seed": run.seed, "show_progress": False},
        "held_out": held_out,
    }
