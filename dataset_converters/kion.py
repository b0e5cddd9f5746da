"""Kion: views of films and series on the streaming service of MTS, described in Russian or translated to English."""

from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import RawTables, Source
from recbole_llmdistill.dataset_converters.text_files import scan_csv
from recbole_llmdistill.errors import InputError

_TEXT = ("title", "title_orig", "description")
_LISTS = ("genres", "countries", "studios", "directors", "actors", "keywords")
_WORDS = ("content_type", "release_year", "for_kids", "age_rating")
_ITEM_FIELDS = (*_WORDS, *_TEXT, *_LISTS)
_ENGLISH_NAMES = {"directors": "directors_translated", "actors": "actors_translated"}
"""Columns that are called otherwise in items_en.csv."""
_USER_FIELDS = ("age", "income", "sex", "kids_flg")


class Kion(Source):
    """Views with the share that was watched; items with title, genres, people, keywords and description; users.

    Attributes:
        language: of the item and user tables, needed where both are there.
    """

    language: Literal["ru", "en"] | None = Field(None, description="of items and users, where both are there")

    name = "kion"
    title = "Kion, in Russian or English"
    publisher = "https://github.com/irsafilo/KION_DATASET"

    def read(self, files: RawFiles) -> RawTables:
        """Tables in the language asked for, or in the one that is there."""
        suffix = {"en": "_en", "ru": ""}[self.language or _language(files)]
        columns = {
            "user_id": pl.String,
            "item_id": pl.String,
            "last_watch_dt": pl.String,
            "total_dur": pl.Float64,
            "watched_pct": pl.Float32,
        }
        views = scan_csv(files.get("interactions.csv"), columns)
        day = pl.col("last_watch_dt").str.to_datetime("%Y-%m-%d")
        items, users = files.get(f"items{suffix}.csv"), files.get_optional(f"users{suffix}.csv")
        return RawTables(
            views.select(
                pl.col("user_id").alias("user_id:token"),
                pl.col("item_id").alias("item_id:token"),
                pl.col("watched_pct").alias("watched_pct:float"),
                pl.col("total_dur").alias("total_dur:float"),
                day.dt.epoch("s").alias("timestamp:float"),
            ),
            lambda _: _read_items(items, _ENGLISH_NAMES if suffix else {}),
            (lambda _: _read_users(users)) if users else None,
            rating_field="watched_pct",
            notes=[f"items and users in {'English' if suffix else 'Russian'}", "times are days"],
        )


def _language(files: RawFiles) -> str:
    if files.has("items.csv") and files.has("items_en.csv"):
        raise InputError(f"{files.given}: items.csv and items_en.csv are both here; say --language ru or en")
    return "en" if files.has("items_en.csv") else "ru"


def _read_items(path: Path, names: dict[str, str]) -> pl.DataFrame:
    columns = ["item_id", *(names.get(name, name) for name in _ITEM_FIELDS)]
    items = scan_csv(path, dict.fromkeys(columns, pl.String)).collect()
    items = items.rename({theirs: ours for ours, theirs in names.items()})
    whole = [_without_fraction(name) for name in _WORDS]
    lists = [pl.col(name).str.split(",").alias(f"{name}:token_seq") for name in _LISTS]
    texts = [pl.col(name).alias(f"{name}:token_seq") for name in _TEXT]
    return items.select(_without_fraction("item_id"), *texts, *whole, *lists)


def _read_users(path: Path) -> pl.DataFrame:
    users = scan_csv(path, dict.fromkeys(("user_id", *_USER_FIELDS), pl.String)).collect()
    return users.select(_without_fraction(name) for name in users.columns)


def _without_fraction(name: str) -> pl.Expr:
    """Years and ages stand in the file as ``1998.0``, because pandas has written a column with missing values."""
    return pl.col(name).str.strip_suffix(".0").alias(f"{name}:token")
