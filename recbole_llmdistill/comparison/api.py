"""A comparison from Python: :func:`compare`, which ``llmdistill compare`` is a thin layer over."""

from recbole_llmdistill.comparison.observer import Observer
from recbole_llmdistill.comparison.options import ComparisonOptions
from recbole_llmdistill.comparison.plan.arm_config import ArmConfig, CommonSettings, reference_config
from recbole_llmdistill.comparison.plan.plan import Plan
from recbole_llmdistill.comparison.plan.prepare import configured_arms, prepare
from recbole_llmdistill.comparison.report.result import ComparisonResult, report
from recbole_llmdistill.comparison.results import ResultsFolder
from recbole_llmdistill.comparison.run.runner import make_missing_runs
from recbole_llmdistill.config.command_line import without_command_line
from recbole_llmdistill.data.dataset_check import check_dataset


def compare(options: ComparisonOptions, observer: Observer | None = None) -> ComparisonResult:
    """Make the runs of a comparison that ``options.out`` does not hold yet; write tables, page and figure there.

    >>> result = compare(ComparisonOptions(dataset="ml-100k", models=["SASRecDistill"], out="compare/ml-100k"))
    >>> print(result.tables["accuracy"].as_text())

    Args:
        options: what is compared.
        observer: told of each run.

    Raises:
        InputError: an unknown name, a setting that RecBole or this package refuses, profiles or results of another
            split, a folder that cannot be written, or no run that succeeded.
    """
    observer = observer or Observer()
    plan, configs, folder = _planned(options)
    with folder:
        if not options.report_only:
            observer.begin(plan, folder)
            for record in make_missing_runs(plan, configs, folder, options.jobs):
                observer.run_ended(record)
            observer.end()
        return report(options.out)


def _planned(options: ComparisonOptions) -> tuple[Plan, list[ArmConfig], ResultsFolder]:
    common = CommonSettings(options.dataset, options.config_files, options.settings, options.settings_of)
    with without_command_line():
        reference = reference_config(common)
        check_dataset(reference)
        configs = configured_arms(
            common, reference, options.models, options.controls, options.ablate, options.vectors, options.baseline
        )
        plan, folder = prepare(configs, common, reference, options.seeds, options.out)
    return plan, configs, folder
