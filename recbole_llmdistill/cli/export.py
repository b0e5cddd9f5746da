"""``llmdistill export``: a checkpoint's model as a folder for other processes."""

import argparse

import recbole_llmdistill
from recbole_llmdistill.api.export import ExportOptions, export
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import PrintedMessages


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "export",
        description="Write a checkpoint's model as one folder, for recommend, serve and other programs: graph, item "
        "tokens, settings and model card.",
    )
    add_options(parser, ExportOptions)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Export, and print what was written."""
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood; see llmdistill export --help")
    recbole_llmdistill.register()
    options = from_arguments(ExportOptions, arguments)
    result = export(options, messages=PrintedMessages())
    print(
        f"{result.folder}: {result.model} as {options.format} {options.precision}, {result.items:,} items, "
        f"{result.bytes / 1e6:,.1f} MB"
    )
    print(result.faithful)
    return 0
