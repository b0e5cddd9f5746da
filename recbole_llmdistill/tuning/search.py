"""A search from its config to its winner."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from recbole.config import Config

from recbole_llmdistill.config.identity import identity
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import write_text_atomically, written_atomically
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.ray_cluster import RayCluster, ray_cluster
from recbole_llmdistill.tuning.folder import SearchFolder
from recbole_llmdistill.tuning.options import SearchOptions
from recbole_llmdistill.tuning.plots import search_page
from recbole_llmdistill.tuning.progress import SearchProgress
from recbole_llmdistill.tuning.records import BEST, Trial
from recbole_llmdistill.tuning.results import best_trial, recbole_text, trials_csv
from recbole_llmdistill.tuning.schedulers import build_scheduler, default_grace_epochs
from recbole_llmdistill.tuning.searchers import build_searcher, check_searcher, needs_real_domains
from recbole_llmdistill.tuning.settings_yaml import settings_yaml
from recbole_llmdistill.tuning.share import Share, share_of
from recbole_llmdistill.tuning.shared_data import SharedData
from recbole_llmdistill.tuning.space import Space
from recbole_llmdistill.tuning.trial import TrialSetup, run_trial
from recbole_llmdistill.tuning.winner import Winner, retrain


@dataclass(frozen=True)
class Search:
    """Everything that a search needs.

    Attributes:
        config: RecBole config of the model without the searched settings.
        space: what is searched.
        options: how.
    """

    config: Config
    space: Space
    options: SearchOptions

    @property
    def settings(self) -> dict[str, Any]:
        """What the user set, with the names of model and data set, for RecBole's ``--config_files``."""
        names = {"model": self.config["model"], "dataset": self.config["dataset"]}
        return {**names, **self.config.external_config_dict, **names, "seed": self.config["seed"]}

    @property
    def metric(self) -> str:
        """Name of the validation metric that selects."""
        return self.config["valid_metric"]

    @property
    def grace_epochs(self) -> int:
        """Epochs that every trial trains at least."""
        return self.options.grace_epochs or default_grace_epochs(self.most_epochs)

    @property
    def most_epochs(self) -> int:
        """Epochs of the longest trial."""
        searched = self.space.distributions.get("epochs")
        return int(max(searched.extremes())) if searched else self.config["epochs"]

    def epochs_of(self, values: Mapping[str, Any]) -> int:
        """Epochs of a trial that nothing stops."""
        return int(values.get("epochs", self.config["epochs"]))

    def identity(self, data: SharedData) -> dict[str, Any]:
        """What decides which trials there are and how they are measured."""
        options = self.options
        return {
            "model": self.config["model"],
            "dataset": self.config["dataset"],
            **data.sizes(),
            "metric": self.metric,
            **{f"space of {key}": values for key, values in self.space.describe().items()},
            **{f"--{key}": value for key, value in identity(self.settings, but=("model", "dataset")).items()},
            "searcher": options.searcher,
            "scheduler": options.scheduler,
            "grace_epochs": None if options.scheduler == "none" else self.grace_epochs,
        }


def run_search(search: Search) -> dict[str, Any]:
    """Search, train the winner again, test it, and write all results into the folder.

    Returns:
        What ``best.json`` holds: the winner's trial, values, validation and test results, and its checkpoint.

    Raises:
        InputError: something is wrong that the user can fix, or no trial could be trained.
    """
    options = search.options
    if options.address and options.address.startswith("ray://"):
        raise InputError(
            f"--address={options.address}: a search writes its files where it runs; run this command on a node of the "
            "cluster, with --address=auto"
        )
    check_searcher(options.searcher, search.space)
    data = SharedData.build(search.config)
    with lock_output(options.out):
        folder = SearchFolder(options.out)
        folder.open(search.identity(data), options.resume)
        if (best := folder.read_best()) and best["trials"] >= options.trials:
            print(f"{folder.best_result}: this search has ended; there is nothing left to do")
            return best
        go_on = "the same command with --resume goes on from there"
        with ray_cluster(options.address or "local", "--address", "tune", "no trial has reported", go_on) as cluster:
            share = share_of(cluster.resources(), options.cpus_per_trial, options.gpus_per_trial, options.concurrency)
            setup = TrialSetup(
                search.settings,
                search.space,
                needs_real_domains(options.searcher),
                threads=max(1, int(share.cpus)),
                folder=os.getcwd(),
                histories=folder.journal.read(),
            )
            _announce(search, share, setup)
            shared = ray.put(data)
            del data
            trials = run_trials(search, setup, shared, share, folder, cluster)
            winner = best_trial(trials, search.config["valid_metric_bigger"])
            if winner is None:
                raise InputError(_no_winner(trials, folder))
            print(
                f"best: trial {winner.number}, {search.metric} {winner.score:.4f}; it is trained again and tested",
                flush=True,
            )
            result = retrain(winner.values, setup, shared, share, cluster)
        return _write_results(search, folder, trials, winner, result)


def run_trials(
    search: Search, setup: TrialSetup, data: ray.ObjectRef, share: Share, folder: SearchFolder, cluster: RayCluster
) -> list[Trial]:
    """Let Ray Tune train the trials; what they report is in the journal and in ``trials.csv`` at once.

    Args:
        search: what to search.
        setup: of the trials.
        data: reference to the :class:`SharedData` in Ray's object store.
        share: what a trial gets.
        folder: of the search.
        cluster: that they run on.

    Raises:
        InputError: Ray or the disk ends the search.
    """
    options = search.options
    progress = SearchProgress(
        options.trials,
        search.metric,
        setup.values,
        search.epochs_of,
        dict(setup.histories),
        folder.journal,
        folder.failures,
        lambda trials: write_text_atomically(folder.trials, trials_csv(trials, search.metric)),
        options.time_budget,
        cluster.heard,
    )
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a failed trial is told in one line, not by a traceback
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(run_trial, setup=setup, data=data), {"cpu": share.cpus, "gpu": share.gpus}
        ),
        param_space=search.space.real_domains() if setup.real else search.space.domains(),
        tune_config=tune.TuneConfig(
            metric=BEST,
            mode="max" if search.config["valid_metric_bigger"] else "min",
            search_alg=build_searcher(options.searcher, search.config["seed"], share.at_once),
            scheduler=build_scheduler(options.scheduler, search.most_epochs, search.grace_epochs),
            num_samples=options.trials,
            max_concurrent_trials=None if options.searcher == "random" else share.at_once,
            time_budget_s=options.time_budget,
        ),
        run_config=tune.RunConfig(  # Ray's own files go into the scratch folder; the journal holds what matters
            storage_path=str(cluster.scratch), name="search", callbacks=[progress], verbose=0, log_to_file=False
        ),
    )
    try:
        tuner.fit()
        progress.end_running()
    except Exception as error:  # Ray wraps its own errors, those of a searcher and those of our callbacks alike
        raise cluster.failure(error) from error
    finally:
        progress.close()
    return list(progress.trials.values())


def _announce(search: Search, share: Share, setup: TrialSetup) -> None:
    options = search.options
    on = f"{share.cpus:g} CPU" + (f" and {share.gpus:g} GPU" if share.gpus else "")
    print(
        f"{search.config['model']} on {search.config['dataset']}: {options.trials} trials of at most "
        f"{search.most_epochs} epochs, {share.at_once} at once with {on} each; drawn by {options.searcher} from "
        f"{', '.join(search.space.distributions)}; scheduler {options.scheduler}"
        + (f", {search.grace_epochs} epochs at least" if options.scheduler != "none" else ""),
        flush=True,
    )
    if setup.histories:
        epochs = sum(history.evaluations[-1]["epoch"] for history in setup.histories.values() if history.evaluations)
        print(f"going on with {len(setup.histories)} recorded trials of {epochs} epochs")


def _no_winner(trials: list[Trial], folder: SearchFolder) -> str:
    failed = [trial for trial in trials if trial.status in ("failed", "lost")]
    if failed:
        again = "; --resume tries lost trials again" if any(trial.status == "lost" for trial in failed) else ""
        return (
            f"no trial finished; {len(failed)} of {len(trials)} failed, trial {failed[0].number} by {failed[0].reason} "
            f"(all reasons: {folder.trials}){again}"
        )
    return "no trial was evaluated within --time-budget; give more time, and --resume"


def _write_results(
    search: Search, folder: SearchFolder, trials: list[Trial], winner: Trial, result: Winner
) -> dict[str, Any]:
    checkpoint = Path(search.config["checkpoint_dir"], result.name)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(checkpoint) as temporary:
        temporary.write_bytes(result.checkpoint)
    write_text_atomically(folder.best_settings, settings_yaml({**search.settings, **winner.values}))
    ended = [trial for trial in trials if trial.status != "running"]
    bigger = search.config["valid_metric_bigger"]
    title = f"{search.config['model']} on {search.config['dataset']}"
    page = search.options.display_file or folder.page
    write_text_atomically(page, search_page(title, search.metric, bigger, ended, search.space))
    if search.options.output_file:
        write_text_atomically(search.options.output_file, recbole_text(trials, winner, result.test_result))
    kept = {key: value for key, value in asdict(result).items() if key not in ("name", "checkpoint")}
    best = {
        "trial": winner.number,
        "values": winner.values,
        "metric": search.metric,
        "score_in_search": winner.score,
        **kept,
        "checkpoint": str(checkpoint),
        "settings": str(folder.best_settings),
        "page": str(page),
        "trials": sum(trial.status in ("finished", "stopped", "failed") for trial in trials),
        "lost": sum(trial.status == "lost" for trial in trials),
        "epochs_trained": sum(trial.last["epoch"] for trial in trials if trial.last),
    }
    write_text_atomically(folder.best_result, json.dumps(best, indent=2) + "\n")
    return best
