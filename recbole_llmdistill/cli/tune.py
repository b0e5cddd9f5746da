"""``llmdistill tune``, and the whole of ``run_hyper``: search the settings of a model with Ray Tune."""

import argparse

from recbole_llmdistill.api.tune import TuneOptions, tune
from recbole_llmdistill.cli.options import add_options, from_arguments
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
    """The flags of a search."""
    parser.set_defaults(parser=parser)
    add_options(parser, TuneOptions)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Search, and print what was found."""
    check_ray("a search", "tune")
    leave_to_recbole(settings, arguments.parser)

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
