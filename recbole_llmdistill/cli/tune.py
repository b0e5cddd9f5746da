"""``llmdistill tune``, and the whole of ``run_hyper``: search the settings of a model with Ray Tune."""

import argparse
from pathlib import Path

from recbole_llmdistill.api.tune import TuneOptions, tune
from recbole_llmdistill.cli.options import from_arguments
from recbole_llmdistill.cli.recbole_arguments import leave_to_recbole
from recbole_llmdistill.ray_cluster import check_ray

EPILOG = (
    "The space is yaml (learning_rate: {loguniform: [0.0003, 0.003]}) or RecBole's text format; a killed search goes "
    "on with --resume. Any setting that is not searched is given as --key=value, e.g. --epochs=30."
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "tune",
        description="Search the settings of any RecBole model, selected by the validation metric.",
        epilog=EPILOG,
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of a search; those with an underscore are RecBole's."""
    default = {name: field.default for name, field in TuneOptions.model_fields.items()}
    parser.set_defaults(parser=parser)
    parser.add_argument("--model", "-m", help="name of the model, unless a config file names it")
    parser.add_argument("--dataset", "-d", help="name of the data set, likewise")
    parser.add_argument("--config_files", "--config-files", help="yaml files, separated by spaces")
    parser.add_argument(
        "--space", "--params_file", type=Path, help="search space; default: the one that comes with the model"
    )
    parser.add_argument("--out", type=Path, help="folder for the results; default: tune/<model>-<dataset>")
    parser.add_argument("--resume", action="store_true", help="go on with the search in that folder")
    parser.add_argument("--output_file", type=Path, help="also write all results as RecBole's text")
    parser.add_argument("--display_file", type=Path, help="page of plots; default: search.html in the folder")
    search = parser.add_argument_group("search")
    search.add_argument("--trials", type=int, default=default["trials"], help="sets of settings that are drawn (20)")
    search.add_argument(
        "--searcher", default=default["searcher"], help="random (default), hyperopt, optuna or bayesopt"
    )
    search.add_argument(
        "--scheduler", default=default["scheduler"], help="what stops a trial early: asha (default), median or none"
    )
    search.add_argument("--grace-epochs", type=int, help="epochs of every trial at least; default: an eighth of all")
    search.add_argument(
        "--early-stop-metric", help="validation metric that stops, prunes and selects; default: valid_metric"
    )
    search.add_argument("--seed", type=int, help="of the draws, the split and the weights; default: the config's seed")
    search.add_argument("--time-budget", type=float, metavar="SECONDS", help="train no longer than this")
    resources = parser.add_argument_group("resources")
    resources.add_argument("--concurrency", type=int, help="most trials at once; default: as many as there is room for")
    resources.add_argument(
        "--cpus-per-trial", type=float, default=default["cpus_per_trial"], help="CPUs, and threads, of a trial (1)"
    )
    resources.add_argument("--gpus-per-trial", type=float, help="GPUs or a fraction; default: 1 where there is any")
    resources.add_argument("--address", help="of a Ray cluster, e.g. auto; default: this machine")


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Search, and print what was found."""
    check_ray("a search", "tune")
    leave_to_recbole(settings, arguments.parser)

    arguments.config_files = (arguments.config_files or "").split()
    arguments.settings = dict(setting.removeprefix("--").split("=", 1) for setting in settings)
    report(tune(from_arguments(TuneOptions, arguments)).best)
    return 0


def report(best: dict) -> None:
    """Print the winner: what it is, what it reached, and how to use it."""
    values = " ".join(f"{key}={value}" for key, value in best["values"].items())
    if best.get("lost"):
        print(f"{best['lost']} trials were lost with their processes; the same command with --resume trains them again")
    print(f"the best of {best['trials']} trials is number {best['trial']}: {values}")
    print(f"validation {best['metric']}: {best['valid_score']} trained again, {best['score_in_search']} in the search")
    print("test: " + ", ".join(f"{name} {value}" for name, value in best["test_result"].items()))
    print(f"epochs trained by all trials: {best['epochs_trained']}")
    print(f"wrote {best['settings']}, {best['page']} and {best['checkpoint']}")
    print(f"train it: run_recbole --config_files={best['settings']}")
