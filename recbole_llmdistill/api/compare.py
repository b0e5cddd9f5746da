"""``recbole_llmdistill.api.compare``: models on one split, with seeds, significance and controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic.config import JsonDict

from recbole_llmdistill.comparison.observer import Observer
from recbole_llmdistill.config.options import ConfigFiles, Names, Options, Pairs, given_as

if TYPE_CHECKING:
    from recbole_llmdistill.comparison.plan.arm_config import ArmConfig
    from recbole_llmdistill.comparison.plan.plan import Plan
    from recbole_llmdistill.comparison.report.result import CompareResult
    from recbole_llmdistill.comparison.results import ResultsFolder

ALL_CONTROLS = "shuffled,random,smoothed"
_VARIANTS: JsonDict = {"group": "variants of the distilled models"}


class CompareOptions(Options):
    """Options of :func:`compare`."""

    dataset: str = Field(
        description="name of the data set, e.g. ml-100k", json_schema_extra={"flags": ["-d", "--dataset"]}
    )
    models: Names = Field(
        min_length=1,
        description="names of RecBole's models and ours, separated by commas",
        json_schema_extra={"flags": ["-m", "--models"], "nargs": None},
    )
    out: Path = Field(description="folder of results; the same folder goes on")
    seeds: int = Field(5, ge=1, description="seeds 0 to N-1", json_schema_extra={"metavar": "N"})
    jobs: int = Field(1, ge=1, description="runs side by side", json_schema_extra={"metavar": "N"})
    baseline: str | None = Field(
        None,
        description="arm or model that all are compared with; default: the plain twin of each",
        json_schema_extra={"metavar": "NAME"},
    )
    report_only: bool = Field(False, description="tables of the runs that are there; run nothing")
    config_files: ConfigFiles = Field(
        [],
        description="RecBole yaml files for all models, separated by spaces",
        json_schema_extra={"flags": ["--config-files", "--config_files"], "nargs": None},
    )
    settings_of: Pairs = Field(
        {}, description="a yaml file for one model; repeatable", json_schema_extra={"metavar": "MODEL=FILE"}
    )
    settings: dict[str, Any] = Field(
        {}, description="settings of RecBole and ours that hold for all models", json_schema_extra={"cli": False}
    )
    controls: Names = Field(
        (),
        description=f"what tells knowledge from regularisation: {ALL_CONTROLS} (without names: these), and with item "
        "knowledge items-permuted, items-random, items-cooccurrence, both-shuffled",
        json_schema_extra={**_VARIANTS, "metavar": "NAMES", "const": ALL_CONTROLS},
    )
    ablate: Names = Field(
        (),
        description="pooling, layer, loss, alpha, beta, epochs, bridge, overlap or some of them",
        json_schema_extra={**_VARIANTS, "metavar": "NAMES", "nargs": None},
    )
    vectors: Pairs = Field(
        {},
        description="file or folder of other user vectors; repeatable",
        json_schema_extra={**_VARIANTS, "metavar": "NAME=PATH"},
    )


def compare(options: CompareOptions | None = None, observer: Observer | None = None, **keywords: Any) -> CompareResult:
    """Make the runs of a comparison that ``options.out`` does not hold yet; write tables, page and figure there.

    >>> result = compare(dataset="ml-100k", models=["SASRecDistill"], out="compare/ml-100k")
    >>> print(result.tables["accuracy"].as_text())

    Args:
        options: what is compared.
        observer: told of each run.
        keywords: fields of the options, in their place or changing them.

    Raises:
        InputError: an unknown name, a setting that RecBole or this package refuses, profiles or results of another
            split, a folder that cannot be written, or no run that succeeded.
    """
    from recbole_llmdistill.comparison.report.result import report
    from recbole_llmdistill.comparison.run.runner import make_missing_runs

    options, observer = given_as(CompareOptions, options, keywords), observer or Observer()
    plan, configs, folder = _planned(options)
    with folder:
        if not options.report_only:
            observer.begin(plan, folder)
            for record in make_missing_runs(plan, configs, folder, options.jobs):
                observer.run_ended(record)
            observer.end()
        return report(options.out)


def _planned(options: CompareOptions) -> tuple[Plan, list[ArmConfig], ResultsFolder]:
    from recbole_llmdistill.comparison.plan.arm_config import CommonSettings, reference_config
    from recbole_llmdistill.comparison.plan.prepare import configured_arms, prepare
    from recbole_llmdistill.config.command_line import arguments_replaced
    from recbole_llmdistill.data.dataset_check import check_dataset

    common = CommonSettings(
        options.dataset, tuple(map(str, options.config_files)), options.settings, options.settings_of
    )
    with arguments_replaced():
        reference = reference_config(common)
        check_dataset(reference)
        configs = configured_arms(
            common, reference, options.models, options.controls, options.ablate, options.vectors, options.baseline
        )
        plan, folder = prepare(configs, common, reference, options.seeds, options.out)
    return plan, configs, folder
