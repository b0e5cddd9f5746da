"""``llmdistill serve``: an exported model behind HTTP."""

import argparse

from recbole_llmdistill.api.serve import ServeOptions, serve
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import PrintedMessages


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "serve",
        description="Answer POST /recommend with the next items after sequences, from the folder of an export. "
        "SIGTERM and SIGINT end it when begun requests are answered; SIGHUP loads the folder again.",
    )
    add_options(parser, ServeOptions)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Serve, and say in the end that it has ended."""
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood; see llmdistill serve --help")
    serve(from_arguments(ServeOptions, arguments), messages=PrintedMessages())
    print("ended; begun requests were answered")
    return 0
