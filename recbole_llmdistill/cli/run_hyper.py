"""``run_hyper``: RecBole's ``run_hyper.py`` by name and flags, with the search of ``llmdistill tune``."""

import argparse
import sys

from recbole_llmdistill.cli import tune
from recbole_llmdistill.cli.exit_status import cli_errors


def build_parser() -> argparse.ArgumentParser:
    """The flags of ``llmdistill tune``, RecBole's among them."""
    parser = argparse.ArgumentParser(
        prog="run_hyper",
        description="Search the settings of any RecBole model with Ray Tune, selected by the validation metric.",
        epilog=tune.EPILOG,
    )
    tune.add_arguments(parser)
    return parser


@cli_errors
def main() -> int:
    """Entry point of the console command."""
    return tune.run(*build_parser().parse_known_args())


if __name__ == "__main__":
    sys.exit(main())
