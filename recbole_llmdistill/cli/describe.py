"""``llmdistill describe``: the size and shape of a data set of atomic files."""

import argparse

from recbole_llmdistill.errors import InputError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser("describe")
    parser.add_argument("dataset", help="name below --data_path, or path of the folder")
    parser.add_argument(
        "--data_path", default="dataset/", help="folder of data sets, as in RecBole (default: dataset/)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Print one line a figure."""
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood; see llmdistill describe --help")
    from recbole_llmdistill.dataset_converters.description import describe, find_dataset

    for label, value in describe(find_dataset(arguments.dataset, arguments.data_path)).items():
        print(f"{label:<28}{value}")
    return 0
