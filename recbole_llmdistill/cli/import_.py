"""``llmdistill import``: bring in vectors that somebody else made."""

import argparse
import sys
from pathlib import Path

from recbole_llmdistill.cli.encode import report_files
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.data.known_users import check_known_users
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.scratch_folder import scratch_folder
from recbole_llmdistill.messages import PrintedMessages


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "import",
        description="Bring vectors of users from npz, parquet, JSON, CSV, TSV or .useremb into <dataset>.useremb and "
        "its binary twin. A manifest.json beside the file is carried along.",
    )
    parser.add_argument("file", type=Path, help="the vectors; the suffix tells the format")
    parser.add_argument("--dataset", "-d", required=True, help="name of the data set, e.g. ml-100k")
    parser.add_argument("--out", type=Path, required=True, help="folder for the vectors")
    parser.add_argument(
        "--user-column", help="column or npz array of the users; default: user_id, uid, user, or the first"
    )
    parser.add_argument("--vector-column", help="column or npz array of the vectors; default: found by its type")
    parser.add_argument("--text", action=argparse.BooleanOptionalAction, default=True, help="write the text file too")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Import, and print what was written."""
    from recbole_llmdistill.formats.manifest import check_output_folder
    from recbole_llmdistill.vectors.importing import check_content, import_vectors, read_vectors

    leave_to_recbole(settings, arguments.parser)
    config = build_config("SASRecDistill", arguments.dataset)
    check_output_folder(arguments.out, arguments.file.parent, arguments.dataset)
    with lock_output(arguments.out), scratch_folder(".import-", arguments.out) as scratch:
        table = read_vectors(arguments.file, scratch, arguments.user_column, arguments.vector_column, _tell)
        check_known_users(config, table.user_tokens.tolist(), arguments.file, PrintedMessages())
        check_content(table, _tell)
        summary = import_vectors(table, arguments.dataset, arguments.out, text=arguments.text)
    report_files(arguments.dataset, summary.files, summary.shape, summary.has_manifest, arguments.file.parent)
    return 0


def _tell(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)
