"""``llmdistill recommend``: the next items for users or sequences, from a checkpoint."""

import argparse

import recbole_llmdistill
from recbole_llmdistill.api.recommend import RecommendOptions, recommend
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import PrintedMessages


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "recommend",
        description="Recommend the next items for users or sequences, from a checkpoint alone where users are given by "
        "their sequences.",
    )
    add_options(parser, RecommendOptions)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Recommend, and print for how many."""
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood; see llmdistill recommend --help")
    recbole_llmdistill.register()
    result = recommend(from_arguments(RecommendOptions, arguments), messages=PrintedMessages())
    print(f"{result.file}: items for {result.users:,} users")
    if result.popular:
        print(f"{result.popular:,} of them got the most popular items, as the model knows nothing of them")
    if result.unknown_items:
        print(f"{result.unknown_items:,} items of their sequences are unknown to the model and were passed over")
    if result.broken_rows:
        print(f"{result.broken_rows:,} rows could not be read and were passed over")
    return 0
