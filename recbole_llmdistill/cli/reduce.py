"""``llmdistill reduce``: shorten vectors, and say what was kept of the neighbourhoods between users."""

import argparse
import sys
from pathlib import Path

from recbole_llmdistill.cli.encode import report_files
from recbole_llmdistill.cli.options import from_arguments
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.reducers.choice import METHODS


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "reduce",
        description="Shorten the vectors of <dataset>.useremb, and print what was kept of the neighbourhoods.",
    )
    parser.add_argument("--dataset", "-d", required=True, help="name of the data set, e.g. ml-100k")
    parser.add_argument("--vectors", type=Path, required=True, help="file or folder of the full vectors")
    parser.add_argument("--out", type=Path, required=True, help="another folder, for the reduced vectors")
    parser.add_argument("--method", choices=METHODS, default="pca", help="default: pca")
    parser.add_argument("--dimensions", type=int, help="size of the reduced vectors (64)")
    parser.add_argument("--neighbours", "--neighbors", type=int, help="umap: neighbourhoods that it keeps (15)")
    parser.add_argument("--min-dist", type=float, help="umap: least distance between points of the result (0.1)")
    parser.add_argument("--seed", type=int, default=0, help="of umap, random projection and sample (0)")
    parser.add_argument(
        "--fit-sample", type=int, default=100_000, help="vectors to learn from; the rest is mapped afterwards (100000)"
    )
    parser.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="centre, and scale to unit root mean square (default)",
    )
    parser.add_argument("--text", action=argparse.BooleanOptionalAction, default=True, help="write the text file too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Reduce, and print what was kept."""
    from recbole_llmdistill.formats.vectors import newest_twin, read_profile_file
    from recbole_llmdistill.vectors.reducers.choice import ReducerOptions
    from recbole_llmdistill.vectors.reducing import reduce_vectors

    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood; see llmdistill reduce --help")
    options = from_arguments(ReducerOptions, arguments)
    path = arguments.vectors
    if path.is_dir() and (path := newest_twin(arguments.vectors, arguments.dataset)) is None:
        raise InputError(f"--vectors={arguments.vectors} holds no vectors of the data set {arguments.dataset!r}")
    table = read_profile_file(path)
    summary = reduce_vectors(table, options, arguments.dataset, arguments.out, text=arguments.text, show_progress=True)
    if summary.problem:
        print(f"warning: {path}: {summary.problem}", file=sys.stderr)
    print(f"{path}: {table.vectors.shape[-1]} values a vector, now {summary.shape[-1]} by {options.method}")
    if summary.quality:
        kept = summary.quality
        print(
            f"kept: trustworthiness {kept.trustworthiness:.3f}, overlap of the {kept.neighbours} nearest neighbours "
            f"{kept.overlap:.3f} (chance {kept.chance_overlap:.3f}), over {kept.vectors} vectors"
        )
    if summary.explained_variance is not None:
        print(f"explained variance: {summary.explained_variance:.3f}")
    report_files(arguments.dataset, summary.files, summary.shape, summary.has_manifest, path.parent)
    return 0
