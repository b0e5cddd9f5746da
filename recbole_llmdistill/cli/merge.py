"""``llmdistill merge``: join the folders of a generation that was spread over machines."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "merge",
        description="Join the folders of all shards into one, which `llmdistill generate` can go on with.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of all n shards, in any order")
    parser.add_argument("--out", required=True, type=Path, help="folder for all profiles")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Join, and print how many have a text now."""
    from recbole_llmdistill.errors import InputError
    from recbole_llmdistill.profiles.merging import merge_shards

    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood")
    with tqdm(unit="text", desc="merging", delay=1) as bar:
        merged = merge_shards(arguments.folders, arguments.out, bar.update)
    of = merged.of
    print(f"{arguments.out}: {merged.texts:,} of {merged.all:,} {of.name} have a {of.text}, {merged.failures:,} failed")
    if merged.thoughts:
        print(
            f"warning: {merged.thoughts:,} {of.text}s hold a model's thought; `llmdistill encode` leaves it out, and "
            "says who has nothing else",
            file=sys.stderr,
        )
    return 0
