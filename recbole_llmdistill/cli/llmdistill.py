"""``llmdistill``: the commands around training, one module each."""

import argparse
import sys

from recbole_llmdistill.cli import (
    compare,
    convert,
    describe,
    doctor,
    encode,
    generate,
    import_,
    inspect,
    merge,
    reduce,
    tune,
)
from recbole_llmdistill.cli.exit_status import ends_with_one_line

COMMANDS = (doctor, convert, describe, generate, merge, encode, reduce, import_, inspect, tune, compare)


def build_parser() -> argparse.ArgumentParser:
    """A parser with one sub-parser a command; each module adds its own and sets ``run``."""
    parser = argparse.ArgumentParser(prog="llmdistill", description="LLM user profiles for sequential recommenders.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


@ends_with_one_line
def main() -> int:
    """Entry point of the console command."""
    arguments, settings = build_parser().parse_known_args()
    return arguments.run(arguments, settings)


if __name__ == "__main__":
    sys.exit(main())
