"""``llmdistill generate``: have an LLM describe users by their training histories, or items by their fields."""

import argparse

from recbole_llmdistill.api.generate import generate
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.cli.recbole_arguments import check_settings
from recbole_llmdistill.messages import PrintedMessages
from recbole_llmdistill.profiles.llm.protocol import LLMS
from recbole_llmdistill.profiles.options import GenerateOptions

_FAILED = 1


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "generate",
        description="Write profiles.jsonl, one line per user, from the very training part that training will use; or, "
        "by --of=items, items.jsonl, one line per item, from the fields of the .item file.",
        epilog="Settings of RecBole are given as for training, --key=value; its --seed is the LLM's as well.",
        allow_abbrev=False,
    )
    add_options(parser, GenerateOptions, LLMS)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Generate, and print what is done; status 1 if any failed."""
    options = from_arguments(GenerateOptions, arguments, LLMS)
    check_settings(settings, arguments.parser)
    result = generate(options, messages=PrintedMessages(), command_line=settings)
    return _FAILED if result.failures else 0
