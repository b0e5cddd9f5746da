"""Amazon-M2 (KDD Cup 2023): shopping sessions of six locales. A session becomes a user."""

from pathlib import Path

import polars as pl
from pydantic import Field

from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import RawTables, Source
from recbole_llmdistill.dataset_converters.text_files import scan_csv

_QUOTED = r"'[^']*'|\"[^\"]*\""
_TEXT = ("title", "brand", "color", "size", "model", "material", "author", "desc")


class AmazonM2(Source):
    """Sessions in their order; items with title, brand, price, colour, material, author and description.

    The user id is the locale and the row of the session in ``sessions_train.csv``, from 0: ``UK-3272716``.

    Attributes:
        locales: keep sessions and products of these; empty keeps all.
    """

    locales: tuple[str, ...] = Field(
        (), description="of DE JP UK ES FR IT (default: all)", json_schema_extra={"metavar": "LOCALE"}
    )

    name = "amazon-m2"
    title = "Amazon-M2, the shopping sessions of KDD Cup 2023"
    publisher = "https://www.aicrowd.com/challenges/amazon-kdd-cup-23-multilingual-recommendation-challenge"

    def read(self, files: RawFiles) -> RawTables:
        """Training sessions; the test files have no answers and are not read."""
        columns = dict.fromkeys(("prev_items", "next_item", "locale"), pl.String)
        # Each list is written as NumPy prints it: quoted ids with spaces, line breaks or commas between them.
        viewed = pl.col("prev_items").str.extract_all(_QUOTED)
        answer = pl.concat_list(pl.format("'{}'", pl.col("next_item"))).list.drop_nulls()
        session = pl.format("{}-{}", pl.col("locale"), pl.col("row"))
        sessions = (
            scan_csv(files.get("sessions_train.csv"), columns)
            .with_row_index("row")
            .filter(self._locale_is_kept())
            .select(session.alias("user_id:token"), viewed.list.concat(answer).alias("item_id:token"), "locale")
            .explode("item_id:token", empty_as_null=False)
            .select(
                "user_id:token",
                pl.col("item_id:token").str.slice(1).str.head(-1),
                pl.col("locale").alias("locale:token"),
            )
        )
        products = files.get("products_train.csv")
        kept = f"sessions of {', '.join(self.locales) or 'all locales'}"
        return RawTables(sessions, lambda wanted: self._read_products(products, wanted), notes=[kept])

    def _locale_is_kept(self) -> pl.Expr:
        return pl.col("locale").is_in(self.locales) if self.locales else pl.lit(True)

    def _read_products(self, path: Path, wanted: pl.Series) -> pl.DataFrame:
        """Products by id. One that is sold in several locales is described as in the first of the file."""
        columns = {"id": pl.String, "locale": pl.String, "price": pl.Float64} | dict.fromkeys(_TEXT, pl.String)
        products = (
            scan_csv(path, columns)
            .filter(self._locale_is_kept(), pl.col("id").is_in(wanted.implode()))
            .unique("id", keep="first", maintain_order=True)
            .collect(engine="streaming")
        )
        texts = {name: "token_seq" if name in ("title", "desc") else "token" for name in _TEXT}
        return products.select(
            pl.col("id").alias("item_id:token"),
            *(pl.col(name).alias(f"{name}:{kind}") for name, kind in texts.items()),
            pl.col("price").alias("price:float"),
            pl.col("locale").alias("item_locale:token"),
        )
