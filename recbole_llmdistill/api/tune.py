"""``recbole_llmdistill.api.tune``: search the settings of a model."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from recbole_llmdistill.config.options import ConfigFiles, given_as
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.tuning.options import SEARCH, SearchOptions


class TuneOptions(SearchOptions):
    """Options of :func:`tune`."""

    model: str | None = Field(
        None,
        description="name of the model, unless a config file names it",
        json_schema_extra={"flags": ["-m", "--model"]},
    )
    dataset: str | None = Field(
        None, description="name of the data set, likewise", json_schema_extra={"flags": ["-d", "--dataset"]}
    )
    config_files: ConfigFiles = Field(
        [],
        description="RecBole yaml files, separated by spaces; later ones count for more",
        json_schema_extra={"flags": ["--config-files", "--config_files"], "nargs": None},
    )
    settings: dict[str, Any] = Field(
        {}, description="settings of RecBole and ours that are not searched", json_schema_extra={"cli": False}
    )
    space: Path | None = Field(
        None,
        description="file of the search space; default: the one that comes with the model",
        json_schema_extra={"flags": ["--params_file", "--space"]},
    )
    # Set before the search reads it.
    out: Path | None = Field(  # type: ignore[assignment]
        None, description="folder for the results; default: tune/<model>-<dataset>"
    )
    early_stop_metric: str | None = Field(
        None,
        description="validation metric that stops, prunes and selects; default: valid_metric",
        json_schema_extra=SEARCH,
    )
    seed: int | None = Field(
        None,
        description="of the draws, the split and the weights; default: the config's seed",
        json_schema_extra=SEARCH,
    )


@dataclass(frozen=True)
class TuneResult:
    """What a search has found.

    Attributes:
        best: what ``best.json`` holds: ``values`` of the winner, its ``trial``, ``metric``, ``valid_score``,
            ``valid_result``, ``test_result``, ``checkpoint``, ``settings`` (a file for ``--config_files``), ``page``.
        trials: a row of ``trials.csv`` each, as texts: number, status, metrics, settings.
        files: that were written.
    """

    best: dict[str, Any]
    trials: list[dict[str, str]]
    files: list[Path]

    @property
    def failures(self) -> dict[int, str]:
        """Number of each trial that failed or was lost -> why."""
        return {int(row["trial"]): row["reason"] for row in self.trials if row["status"] in ("failed", "lost")}


def tune(options: TuneOptions | None = None, **keywords: Any) -> TuneResult:
    """Search the settings of a model by its validation metric, train the winner again, and test it.

    >>> result = tune(model="SASRecDistill", dataset="ml-100k", trials=30, settings={"epochs": 30})
    >>> result.best["values"], result.best["test_result"]

    Args:
        options: what is searched and how.
        keywords: fields of the options, in their place or changing them.

    Raises:
        InputError: Ray is missing, something is refused by RecBole or this package, the folder holds another search, or
            no trial could be trained.
    """
    from recbole_llmdistill.ray_cluster import check_ray

    options = given_as(TuneOptions, options, keywords)
    check_ray("a search", "tune")

    from recbole_llmdistill.config.command_line import arguments_replaced
    from recbole_llmdistill.config.recbole_config import build_config
    from recbole_llmdistill.data.dataset_check import check_dataset
    from recbole_llmdistill.training.checks import check_checkpoint_folder, check_vectors
    from recbole_llmdistill.tuning.folder import SearchFolder
    from recbole_llmdistill.tuning.search import Search, run_search
    from recbole_llmdistill.tuning.space_check import check_space, shipped_space
    from recbole_llmdistill.tuning.space_file import read_space

    settings = _settings(options)
    with arguments_replaced():
        config = build_config(options.model, options.dataset, [*map(str, options.config_files)] or None, settings)
        if options.out is None:
            options = options.model_copy(update={"out": Path("tune", f"{config['model']}-{config['dataset']}")})
        check_dataset(config)
        check_vectors(config)
        check_checkpoint_folder(config)
        path = options.space or shipped_space(config["model"])
        space = read_space(path)
        check_space(space, path, config, settings)
        best = run_search(Search(config, space, options))
    assert options.out is not None
    folder = SearchFolder(options.out)
    with open(folder.trials, encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    written = [folder.trials, best["settings"], folder.best_result, best["page"], best["checkpoint"]]
    return TuneResult(best, trials, [Path(name) for name in written])


def _settings(options: TuneOptions) -> dict[str, Any]:
    named = {"seed": options.seed, "valid_metric": options.early_stop_metric}
    settings = dict(options.settings)
    for key, value in named.items():
        if value is not None and str(settings.setdefault(key, value)) != str(value):
            raise InputError(f"--{key} is given twice, as {settings[key]} and as {value}")
    return settings
