"""``llmdistill convert``: a publisher's files, or one's own tables, as a data set that RecBole reads."""

import argparse
from pathlib import Path

from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.dataset_converters.source import Source, sources
from recbole_llmdistill.errors import InputError

EXAMPLE = """examples:
  llmdistill convert movielens --input ml-20m.zip --out dataset/ml-20m
  llmdistill convert csv --input shop/ --out dataset/shop --user-column client --item-column sku --time-column at
"""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``, with a sub-command a source."""
    parser = commands.add_parser(
        "convert",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="sources", dest="source", required=True, metavar="SOURCE")
    for name, source in sources().items():
        one = commands.add_parser(name, help=source.title, description=source.title)
        one.add_argument("--input", required=True, type=Path, help="folder, archive or file as it was downloaded")
        one.add_argument("--out", required=True, type=Path, help="new folder, e.g. dataset/NAME")
        add_options(one, source)
        if source.options_file:
            one.add_argument("--columns", type=Path, metavar="YAML", help=source.options_file)
        _add_filters(one)
        one.set_defaults(run=run)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("filters, applied in this order and counted")
    group.add_argument("--since", metavar="MOMENT", help="keep from here on, e.g. 2016-10-01 (UTC) or seconds")
    group.add_argument("--until", metavar="MOMENT", help="keep what is earlier than this")
    group.add_argument("--min-rating", type=float, metavar="X", help="keep ratings of at least X")
    group.add_argument(
        "--duplicates",
        choices=("keep", "first", "last"),
        default="keep",
        help="which of several interactions of a user with the same item to keep (default: all)",
    )
    group.add_argument("--min-user-interactions", type=int, default=0, metavar="N", help="of a user, counted once")
    group.add_argument("--min-item-interactions", type=int, default=0, metavar="N", help="of an item, counted once")
    group.add_argument("--k-core", type=int, default=0, metavar="K", help="of users and items, repeated until it holds")
    group.add_argument("--sample-users", type=int, metavar="N", help="keep N users drawn at random")
    group.add_argument("--seed", type=int, default=0, help="of the drawing (default: 0)")
    parser.add_argument(
        "--global-time-split",
        type=float,
        metavar="SHARE",
        help="split as the paper does: train on the first SHARE of all interactions, e.g. 0.8, test on the last item "
        "of each later user; without it RecBole splits as its eval_args say",
    )


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Convert, then say how to look at the result and how to train on it."""
    if settings:
        raise InputError(
            f"argument {settings[0]!r} is not understood; see llmdistill convert {arguments.source} --help"
        )
    from recbole_llmdistill.dataset_converters.conversion import convert
    from recbole_llmdistill.dataset_converters.filters import Filters, parse_moment

    filters = Filters(
        since=parse_moment(arguments.since) if arguments.since else None,
        until=parse_moment(arguments.until) if arguments.until else None,
        min_rating=arguments.min_rating,
        duplicates=arguments.duplicates,
        min_user_interactions=arguments.min_user_interactions,
        min_item_interactions=arguments.min_item_interactions,
        k_core=arguments.k_core,
        sample_users=arguments.sample_users,
        seed=arguments.seed,
    )
    folder = convert(_source(arguments), arguments.input, arguments.out, filters, arguments.global_time_split)
    print(f"{folder} is done; next:")
    print(f"  llmdistill describe {folder}")
    data_path = "" if folder.parent == Path("dataset") else f" --data_path={folder.parent}"
    print(f"  run_recbole --model=SASRecDistill --dataset={folder.name}{data_path} --distill_alpha=0")
    return 0


def _source(arguments: argparse.Namespace) -> Source:
    source = sources()[arguments.source]
    if file := getattr(arguments, "columns", None):
        given = {name: value for name, value in vars(arguments).items() if name in source.model_fields}
        return source.from_yaml(file, **given)
    return from_arguments(source, arguments)
