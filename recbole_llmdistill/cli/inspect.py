"""``llmdistill inspect``: are these vectors any good? A page to look at, and the number that foretells value."""

import argparse
import logging
import sys
from pathlib import Path

from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "inspect",
        description="See whether vectors are any good, before training: an HTML page and a summary.",
        epilog="RecBole's own settings, e.g. --eval_args=... or --data_path=..., are given as --key=value.",
    )
    parser.add_argument("--dataset", "-d", required=True, help="name of the data set, e.g. ml-100k")
    parser.add_argument(
        "--vectors", type=Path, help="file or folder of the vectors; default: those that training would use"
    )
    parser.add_argument(
        "--profiles",
        type=Path,
        help="profiles.jsonl or its folder; default: beside the vectors, else those that the package ships, else none",
    )
    parser.add_argument("--config_files", help="yaml files, separated by spaces")
    parser.add_argument("--genre-field", help="field of the .item file for the favourite genre; default: found")
    parser.add_argument("--out", type=Path, default=Path("inspect.html"), help="the page (inspect.html)")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Inspect; print the summary and write the page."""
    vectors = None if arguments.vectors is None else str(arguments.vectors)
    leave_to_recbole(settings, arguments.parser, profile_path=vectors)
    config_files = arguments.config_files.split() if arguments.config_files else None
    config = build_config("SASRecDistill", arguments.dataset, config_files)

    from recbole.data import create_dataset

    from recbole_llmdistill.data.dataset_check import check_dataset
    from recbole_llmdistill.data.vector_lookup import find_profile_file
    from recbole_llmdistill.formats.vectors import read_profile_file
    from recbole_llmdistill.inspection.page import write_page
    from recbole_llmdistill.inspection.report import inspect_vectors
    from recbole_llmdistill.inspection.split import read_split
    from recbole_llmdistill.inspection.summary import summarize

    logging.getLogger().setLevel(logging.WARNING)
    check_dataset(config)
    table = read_profile_file(find_profile_file(config))
    texts = _texts(arguments, table.path.parent)
    for warning in texts.warnings() if texts else ():
        print(f"warning: {warning}", file=sys.stderr)
    training_part, validation_part, *_ = create_dataset(config).build()
    inspection = inspect_vectors(
        table, read_split(training_part, validation_part), texts, config, arguments.genre_field
    )
    write_page(inspection, arguments.out)
    print(summarize(inspection))
    print(f"\nwrote {arguments.out}")
    return 0


def _texts(arguments: argparse.Namespace, beside: Path):
    """The profile texts asked for, or those at hand, or None."""
    from recbole_llmdistill.files.resources import properties
    from recbole_llmdistill.formats.profile_texts import TEXTS, find_profile_texts, read_profile_texts

    if arguments.profiles is not None:
        return read_profile_texts(find_profile_texts(arguments.profiles))
    for folder in (beside, properties("profiles", arguments.dataset)):
        if (folder / TEXTS).is_file():
            return read_profile_texts(folder / TEXTS)
    return None
