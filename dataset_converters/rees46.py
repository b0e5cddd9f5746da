"""REES46: events of an online shop, one csv a month."""

from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import RawTables, Source
from recbole_llmdistill.dataset_converters.text_files import scan_csv

Event = Literal["view", "cart", "remove_from_cart", "purchase"]
_COLUMNS = {
    **dict.fromkeys(("event_time", "event_type", "product_id", "category_code", "brand"), pl.String),
    "price": pl.Float64,
    "user_id": pl.String,
}


class Rees46(Source):
    """Events; items with category, brand and price, as their last event has them.

    Attributes:
        events: kinds of events to keep; empty keeps all.
    """

    events: tuple[Event, ...] = Field(
        (), description="of view cart remove_from_cart purchase (default: all)", json_schema_extra={"metavar": "EVENT"}
    )

    name = "rees46"
    title = "REES46 eCommerce events (electronics, cosmetics), any months"
    publisher = "https://rees46.com/en/datasets"

    def read(self, files: RawFiles) -> RawTables:
        """Events of all months that are there."""
        months = [files.open(month) for month in files.matching("*.csv")]
        if not months:
            raise files.error("no csv of events here, e.g. 2019-Oct.csv.gz")
        events = pl.concat([scan_csv(month, _COLUMNS) for month in months])
        if self.events:
            events = events.filter(pl.col("event_type").is_in(self.events))
        moment = pl.col("event_time").str.head(19).str.to_datetime("%Y-%m-%d %H:%M:%S")  # ends in " UTC"
        interactions = events.select(
            pl.col("user_id").alias("user_id:token"),
            pl.col("product_id").alias("item_id:token"),
            pl.col("event_type").alias("event_type:token"),
            moment.dt.epoch("s").alias("timestamp:float"),
        )
        kept = f"events: {', '.join(self.events) or 'all kinds'}"
        return RawTables(interactions, lambda _: _read_items(months), notes=[kept])


def _read_items(months: list[Path]) -> pl.DataFrame:
    described = ("category_code", "brand", "price")
    events = pl.concat([scan_csv(month, _COLUMNS) for month in months])
    # Few different descriptions a product are left of millions of events.
    versions = events.group_by("product_id", *described).agg(pl.col("event_time").max()).collect(engine="streaming")
    last = [pl.col(name).sort_by("event_time", name).drop_nulls().last() for name in described]
    return (
        versions.group_by("product_id")
        .agg(last)
        .select(
            pl.col("product_id").alias("item_id:token"),
            pl.col("category_code").str.split(".").alias("category:token_seq"),
            pl.col("brand").alias("brand:token"),
            pl.col("price").alias("price:float"),
        )
    )
