"""Amazon Reviews of UCSD: the releases of 2014, 2018 and 2023."""

import html
import re
from pathlib import Path

import polars as pl

from recbole_llmdistill.dataset_converters.json_lines import field_names, read_wanted, scan_records
from recbole_llmdistill.dataset_converters.raw_files import RawFile, RawFiles
from recbole_llmdistill.dataset_converters.source import RawTables, Source
from recbole_llmdistill.dataset_converters.text_files import csv_header
from recbole_llmdistill.errors import InputError

_ASIN_LENGTH = 10
_TAG = re.compile(r"<[^<>]*>")
_ITEM_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id:token": pl.String,
    "title:token_seq": pl.String,
    "brand:token": pl.String,
    "price:float": pl.Float64,
    "categories:token_seq": pl.List(pl.String),
    "description:token_seq": pl.String,
    "features:token_seq": pl.String,
}


class AmazonReviews(Source):
    """One category: reviews (json) or ratings (csv), and the ``meta_`` file of its items.

    In the release of 2023 an item is a ``parent_asin``, the product without its colours and sizes.
    """

    name = "amazon-reviews"
    title = "Amazon Reviews 2014, 2018 and 2023, one category"
    publisher = "https://amazon-reviews-2023.github.io (2014, 2018: https://cseweb.ucsd.edu/~jmcauley/datasets.html)"

    def read(self, files: RawFiles) -> RawTables:
        """Ratings, and items if a ``meta_`` file is there."""
        ratings = _only_one(files, [*files.matching("*.csv"), *files.matching("*.json*", unlike="meta_*")])
        metadata = files.matching("meta_*.json*")
        path = files.open(ratings)
        interactions, note = _scan_csv(path) if ratings.name.endswith(".csv") else _scan_json(path, files.workspace)
        items = files.open(_only_one(files, metadata)) if metadata else None
        return RawTables(
            interactions,
            (lambda wanted: _read_items(items, wanted)) if items else None,
            rating_field="rating",
            notes=[note, "" if items else "no meta_ file: items have no text"],
        )


def _only_one(files: RawFiles, found: list[RawFile]) -> RawFile:
    if not found:
        raise files.error("no reviews here (*.jsonl, *.json) and no ratings (*.csv)")
    csv = [file for file in found if file.name.endswith(".csv")]
    if len(found) == 1 or len(csv) == 1:
        return (csv or found)[0]
    raise InputError(f"several categories: {', '.join(map(str, found))}; give --input a folder with one of them")


def _scan_csv(path: Path) -> tuple[pl.LazyFrame, str]:
    """Ratings without a header (2014: user, item; 2018: item, user), or with one (2023)."""
    header = csv_header(path)
    if "parent_asin" in header:
        names, note = {"user_id": "user_id:token", "parent_asin": "item_id:token"}, "ratings of the 2023 release"
        lazy = pl.scan_csv(path, infer_schema=False).rename(names)
    else:
        if len(header) != 4:
            raise InputError(f"{path.name}: expected 4 columns user, item, rating, timestamp; found {len(header)}")
        columns = ["user_id:token", "item_id:token", "rating", "timestamp"]
        note = "ratings of the 2014 release: user, item, rating, timestamp"
        head = pl.read_csv(path, has_header=False, infer_schema=False, n_rows=1000)
        first, second = ((head.to_series(place).str.len_chars() == _ASIN_LENGTH).sum() for place in (0, 1))
        if first > second:
            columns[:2] = reversed(columns[:2])
            note = "ratings of the 2018 release: item, user, rating, timestamp"
        lazy = pl.scan_csv(path, has_header=False, schema=dict.fromkeys(columns, pl.String))
    return lazy.select("user_id:token", "item_id:token", *_numbers("rating", "timestamp")), note


def _scan_json(path: Path, workspace: Path) -> tuple[pl.LazyFrame, str]:
    if "parent_asin" in field_names(path):
        user, item, rating, time, note = "user_id", "parent_asin", "rating", "timestamp", "2023"
    else:
        user, item, rating, time, note = "reviewerID", "asin", "overall", "unixReviewTime", "2014 or 2018"
    types = {user: pl.String, item: pl.String, rating: pl.Float64, time: pl.Int64}
    lazy = scan_records(path, types, workspace)
    return (
        lazy.select(pl.col(user).alias("user_id:token"), pl.col(item).alias("item_id:token"), *_numbers(rating, time)),
        f"reviews of the {note} release",
    )


def _numbers(rating: str, time: str) -> list[pl.Expr]:
    """Rating, and time in seconds with their fraction: the release of 2023 counts milliseconds."""
    moment = pl.col(time).cast(pl.Int64)
    return [
        pl.col(rating).cast(pl.Float32).alias("rating:float"),
        pl.when(moment >= 10**11).then(moment / 1000).otherwise(moment).alias("timestamp:float"),
    ]


def _read_items(path: Path, wanted: pl.Series) -> pl.DataFrame:
    return read_wanted(path, ("parent_asin", "asin"), wanted, _ITEM_COLUMNS, _item)


def _item(record: dict) -> tuple:
    """Title, brand, price, categories, description and features, whatever each release calls them."""
    categories = record.get("categories") or record.get("category") or []
    if categories and isinstance(categories[0], list):  # 2014: several paths
        categories = [name for path in categories for name in path]
    return (
        _text(record.get("title")),
        _text(record.get("brand") or record.get("store")),
        _price(record.get("price")),
        [html.unescape(name) for name in dict.fromkeys(categories)],
        _text(record.get("description")),
        _text(record.get("features") or record.get("feature")),
    )


def _text(value: str | list | None) -> str | None:
    """Text without HTML; the paragraphs of a list behind one another."""
    if isinstance(value, list):
        value = " ".join(str(paragraph) for paragraph in value)
    return html.unescape(_TAG.sub(" ", value)) if isinstance(value, str) and value else None


def _price(value: float | str | None) -> float | None:
    """2018 writes ``$1,010.00`` and ranges ``$10.00 - $20.00`` (the lower end is taken); anything else is no price."""
    if isinstance(value, str):
        found = re.match(r"\$?\s*([\d,]*\.?\d+)", value.strip())
        value = float(found[1].replace(",", "")) if found else None
    return value
