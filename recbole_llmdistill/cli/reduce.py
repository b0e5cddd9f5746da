"""``llmdistill reduce``: shorten vectors, and say what was kept of the neighbourhoods between users or items."""

import argparse

from recbole_llmdistill.api.reduce import ReduceOptions, reduce
from recbole_llmdistill.cli.encode import report_files
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ENTITIES
from recbole_llmdistill.messages import PrintedMessages
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "reduce",
        description="Shorten the vectors of <dataset>.useremb or .itememb, and print what was kept of the "
        "neighbourhoods.",
    )
    add_options(parser, ReduceOptions, REDUCERS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Reduce, and print what was kept."""
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood; see llmdistill reduce --help")
    options = from_arguments(ReduceOptions, arguments, REDUCERS)
    result = reduce(options, messages=PrintedMessages())
    print(f"{result.source}: {result.full_dimensions} values per vector, now {result.shape[-1]} by {options.method}")
    if result.quality:
        kept = result.quality
        print(
            f"kept: trustworthiness {kept.trustworthiness:.3f}, overlap of the {kept.neighbours} nearest neighbours "
            f"{kept.overlap:.3f} (chance {kept.chance_overlap:.3f}), over {kept.vectors} vectors"
        )
    if result.explained_variance is not None:
        print(f"explained variance: {result.explained_variance:.3f}")
    report_files(
        ENTITIES[options.of], options.dataset, result.files, result.shape, result.has_manifest, result.source.parent
    )
    return 0
