"""``llmdistill import``: bring in vectors that somebody else made."""

import argparse
import sys
from pathlib import Path

from recbole_llmdistill.cli.encode import report_files
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.data.known_tokens import check_known
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.scratch_folder import scratch_folder
from recbole_llmdistill.formats.entity import ENTITIES, USERS
from recbole_llmdistill.messages import PrintedMessages


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "import",
        description="Bring vectors of users (or items) from npz, parquet, JSON, CSV, TSV or .useremb (.itememb) into "
        "<dataset>.useremb (.itememb) and its binary twin. A manifest beside the file is carried along.",
    )
    parser.add_argument("file", type=Path, help="the vectors; the suffix tells the format")
    parser.add_argument("--dataset", "-d", required=True, help="name of the data set, e.g. ml-100k")
    parser.add_argument("--of", choices=list(ENTITIES), default=USERS.name, help="whose vectors (default users)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the vectors")
    parser.add_argument(
        "--user-column",
        "--item-column",
        dest="id_column",
        help="column or npz array of the users (or items); default: user_id, uid, user (item_id, iid, item), or the "
        "first",
    )
    parser.add_argument("--vector-column", help="column or npz array of the vectors; default: found by its type")
    parser.add_argument("--text", action=argparse.BooleanOptionalAction, default=True, help="write the text file too")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Import, and print what was written."""
    from recbole_llmdistill.formats.manifest import check_output_folder
    from recbole_llmdistill.vectors.importing import check_content, import_vectors, read_vectors

    leave_to_recbole(settings, arguments.parser)
    of = ENTITIES[arguments.of]
    config = build_config("SASRecDistill", arguments.dataset)
    check_output_folder(arguments.out, arguments.file.parent, arguments.dataset, of)
    with lock_output(arguments.out), scratch_folder(".import-", arguments.out) as scratch:
        table = read_vectors(arguments.file, scratch, arguments.id_column, arguments.vector_column, _tell, of)
        check_known(config, table.tokens.tolist(), arguments.file, PrintedMessages(), of)
        check_content(table, _tell)
        summary = import_vectors(table, arguments.dataset, arguments.out, text=arguments.text)
    report_files(of, arguments.dataset, summary.files, summary.shape, summary.has_manifest, arguments.file.parent)
    return 0


def _tell(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)
