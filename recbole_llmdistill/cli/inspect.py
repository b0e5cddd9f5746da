"""``llmdistill inspect``: are these vectors any good? A page to look at, and the number that foretells value."""

import argparse

from recbole_llmdistill.api.inspect import InspectOptions, inspect
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.cli.recbole_arguments import check_settings
from recbole_llmdistill.messages import PrintedMessages


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "inspect",
        description="See whether vectors of users or items are any good, before training: an HTML page and a summary.",
        epilog="RecBole's own settings, e.g. --eval_args=... or --data_path=..., are given as --key=value.",
    )
    add_options(parser, InspectOptions)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Inspect; print the summary and where the page is."""
    options = from_arguments(InspectOptions, arguments)
    check_settings(settings, arguments.parser)
    result = inspect(options, messages=PrintedMessages(), command_line=settings)
    print(result.summary)
    for file in result.files:
        print(f"\nwrote {file}")
    return 0
