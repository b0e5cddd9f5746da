"""Steam: reviews of games, UCSD's second release (steam_reviews, steam_games)."""

from pathlib import Path

import polars as pl

from recbole_llmdistill.dataset_converters.json_lines import read_wanted, scan_records
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import RawTables, Source

_ITEM_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id:token": pl.String,
    "title:token_seq": pl.String,
    "genres:token_seq": pl.List(pl.String),
    "tags:token_seq": pl.List(pl.String),
    "specs:token_seq": pl.List(pl.String),
    "developer:token": pl.String,
    "publisher:token": pl.String,
    "release_date:token": pl.String,
    "price:float": pl.Float64,
}


class Steam(Source):
    """Reviews with the hours played; items with title, genres, tags, developer, publisher and price.

    The user id is the user name, as in the papers that use this data set.
    """

    name = "steam"
    title = "Steam reviews, UCSD's release with steam_games.json"
    publisher = "https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data"

    def read(self, files: RawFiles) -> RawTables:
        """Reviews, and games if they are there."""
        types = {"username": pl.String, "product_id": pl.String, "hours": pl.Float64, "date": pl.String}
        reviews = scan_records(files.get("steam_reviews.json"), types, files.workspace)
        games = files.get_optional("steam_games.json")
        return RawTables(
            reviews.select(
                pl.col("username").alias("user_id:token"),
                pl.col("product_id").alias("item_id:token"),
                pl.col("hours").alias("hours:float"),
                pl.col("date").str.to_datetime("%Y-%m-%d").dt.epoch("s").alias("timestamp:float"),
            ),
            (lambda wanted: _read_games(games, wanted)) if games else None,
            rating_field="hours",
            notes=["times are days", "" if games else "no steam_games.json: items have no text"],
        )


def _read_games(path: Path, wanted: pl.Series) -> pl.DataFrame:
    return read_wanted(path, ("id",), wanted, _ITEM_COLUMNS, _game)


def _game(record: dict) -> tuple:
    price = record.get("price")
    return (
        record.get("app_name") or record.get("title"),
        record.get("genres"),
        record.get("tags"),
        record.get("specs"),
        record.get("developer"),
        record.get("publisher"),
        record.get("release_date"),
        price if isinstance(price, int | float) else None,  # else words such as "Free To Play"
    )
