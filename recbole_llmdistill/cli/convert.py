"""``llmdistill convert``: a publisher's files, or one's own tables, as a data set that RecBole reads."""

import argparse
from pathlib import Path

from recbole_llmdistill.errors import InputError

EXAMPLE = """examples:
  llmdistill convert movielens --input ml-20m.zip --out dataset/ml-20m
  llmdistill convert csv --input shop/ --out dataset/shop --user-column client --item-column sku --time-column at
"""


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``, with a sub-command a source."""
    parser = commands.add_parser(
        "convert",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sources = parser.add_subparsers(title="sources", dest="source", required=True, metavar="SOURCE")
    for name, text, add_options in _SOURCES:
        source = sources.add_parser(name, help=text, description=text)
        source.add_argument("--input", required=True, type=Path, help="folder, archive or file as it was downloaded")
        source.add_argument("--out", required=True, type=Path, help="new folder, e.g. dataset/NAME")
        if add_options:
            add_options(source)
        _add_filters(source)
        source.set_defaults(run=run)


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


def _add_kion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--language", choices=("ru", "en"), help="of items and users, where both are there")


def _add_amazon_m2(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--locales", nargs="+", metavar="LOCALE", help="of DE JP UK ES FR IT (default: all)")


def _add_rees46(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", nargs="+", metavar="EVENT", help="of view cart purchase (default: all)")


def _add_csv(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interactions",
        metavar="FILE",
        help="in --input: a file, a folder of files, or a pattern in quotes that several fit (default: interactions.*)",
    )
    parser.add_argument("--items", metavar="FILE", help="the same of the item table, if any (default: items.*)")
    parser.add_argument("--users", metavar="FILE", help="the same of the user table, if any (default: users.*)")
    parser.add_argument("--user-column", dest="user", metavar="COLUMN", help="user id (default: user_id)")
    parser.add_argument("--item-column", dest="item", metavar="COLUMN", help="item id (default: item_id)")
    parser.add_argument("--time-column", dest="time", metavar="COLUMN", help="default: timestamp, if there is one")
    parser.add_argument("--rating-column", dest="rating", metavar="COLUMN", help="default: rating, if there is one")
    parser.add_argument(
        "--interaction-columns",
        dest="further",
        nargs="*",
        metavar="COLUMN",
        help="other columns of the interactions to keep, e.g. event price; none after the flag keeps none (default: "
        "those that say something of an interaction)",
    )
    parser.add_argument("--text-columns", dest="text", nargs="+", metavar="COLUMN", help="of items, for the prompts")
    parser.add_argument("--time-format", metavar="FORMAT", help="of times as text, e.g. '%%d/%%m/%%Y %%H:%%M'")
    parser.add_argument("--encoding", metavar="NAME", help="of csv files that are not UTF-8, e.g. cp1252")
    parser.add_argument(
        "--no-quotes",
        dest="quotes",
        action="store_const",
        const=False,
        help='in csv files a straight double quote (") is a character as any other',
    )
    parser.add_argument("--columns", type=Path, metavar="YAML", help="all of these in a file; see docs/convert.md")


_SOURCES = (
    ("movielens", "MovieLens 100K, 1M, 10M, 20M, 25M, 32M, latest-small", None),
    ("amazon-reviews", "Amazon Reviews 2014, 2018 and 2023, one category", None),
    ("kion", "Kion, in Russian or English", _add_kion),
    ("amazon-m2", "Amazon-M2, the shopping sessions of KDD Cup 2023", _add_amazon_m2),
    ("rees46", "REES46 eCommerce events, any months", _add_rees46),
    ("steam", "Steam reviews, UCSD's release with steam_games.json", None),
    ("csv", "your own tables (csv, tsv, parquet)", _add_csv),
)
"""Written out, so that showing the help does not import polars."""


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


def _source(arguments: argparse.Namespace):
    from recbole_llmdistill.dataset_converters.sources import SOURCES

    source = SOURCES[arguments.source]
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name in getattr(source, "__dataclass_fields__", {})
        if (value := getattr(arguments, name, None)) is not None
    }
    if getattr(arguments, "columns", None):
        return source.from_yaml(arguments.columns, **given)
    return source(**given)
