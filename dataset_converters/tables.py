"""Anybody's own tables of interactions, items and users: csv, tsv or parquet."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import yaml

from recbole_llmdistill.dataset_converters.moments import seconds
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import ITEM, RATING, TIME, USER, RawTables, Source
from recbole_llmdistill.dataset_converters.text_files import check_columns, csv_header
from recbole_llmdistill.errors import InputError


@dataclass(frozen=True)
class Tables(Source):
    """Own tables. What is not said is looked for under RecBole's names: user_id, item_id, timestamp, rating.

    Attributes:
        interactions: name of the file of interactions; may be a pattern.
        items: of items, which may be missing.
        users: of users, which may be missing.
        user: column of the user id, in the interactions and in the users.
        item: column of the item id, in the interactions and in the items.
        time: column of the time. Without one, the order of the rows is taken for the order in time.
        rating: column of the rating.
        text: item columns for the prompts, in this order; empty takes all texts and lists.
        lists: multi-valued item columns and what separates their values, e.g. ``{"tags": "|"}``.
    """

    interactions: str = "interactions.*"
    items: str = "items.*"
    users: str = "users.*"
    user: str = USER
    item: str = ITEM
    time: str | None = None
    rating: str | None = None
    text: tuple[str, ...] = ()
    lists: dict[str, str] = field(default_factory=dict)

    name = "csv"
    title = "your own tables (csv, tsv, parquet)"
    publisher = "your own files"

    @classmethod
    def from_yaml(cls, path: Path, **given) -> "Tables":
        """The attributes from a yaml file, but for those that are given.

        Raises:
            InputError: the file cannot be read, or holds another key.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"{path}: {' '.join(str(error).split())}") from error
        known = cls.__dataclass_fields__
        unknown = [key for key in content if key not in known] if isinstance(content, dict) else [content]
        if unknown:
            raise InputError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
        if not isinstance(content.get("lists", {}), dict) or not isinstance(content.get("text", []), list):
            raise InputError(f"{path}: text is a list of columns, lists a mapping of column: separator")
        return cls(**{**content, "text": tuple(content.get("text", ())), **given})

    def read(self, files: RawFiles) -> RawTables:
        """Interactions with user, item and, if there, time and rating; further columns are left out and named."""
        pattern = files.given.name.removesuffix(".gz") if files.given.is_file() else self.interactions
        path = files.get("*" if pattern.lower().endswith(".zip") else pattern.lower())
        table = _scan(path, all_strings=True)
        found = table.collect_schema().names()
        time = self.time or (TIME if TIME in found else None)
        rating = self.rating or (RATING if RATING in found else None)
        used = [name for name in (self.user, self.item, time, rating) if name]
        check_columns(path, used, found)
        columns = [
            pl.col(self.user).cast(pl.String).alias(f"{USER}:token"),
            pl.col(self.item).cast(pl.String).alias(f"{ITEM}:token"),
        ]
        if rating:
            columns.append(pl.col(rating).cast(pl.Float32).alias(f"{RATING}:float"))
        if time:
            columns.append(seconds(table, time, path).alias(f"{TIME}:float"))
        left_out = [name for name in found if name not in used]
        notes = [f"columns left out: {', '.join(left_out)}" if left_out else ""]
        if not time:
            notes.append("no times: the order of the rows was taken for the order in time")
        items, users = files.get_optional(self.items.lower()), files.get_optional(self.users.lower())
        item_table = self._features(items, self.item, ITEM) if items else None
        user_table = self._features(users, self.user, USER) if users else None
        return RawTables(
            table.select(columns),
            (lambda _: item_table.collect()) if items else None,
            (lambda _: user_table.collect()) if users else None,
            rating_field=RATING if rating else None,
            settings={"profile_item_fields": self._labels(items, item_table)} if items else {},
            notes=notes,
        )

    def _features(self, path: Path, id_column: str, id_name: str) -> pl.LazyFrame:
        """Features with names ``name:type``, by their type in the table."""
        table = _scan(path, all_strings=False, id_column=id_column)
        schema = table.collect_schema()
        check_columns(path, [id_column, *(self.lists if id_name == ITEM else ())], schema.names())
        columns = [pl.col(id_column).cast(pl.String).alias(f"{id_name}:token")]
        for name, data_type in schema.items():
            if name == id_column:
                continue
            plain = _plain_name(name)
            if name in self.lists and data_type == pl.String:
                columns.append(pl.col(name).str.split(self.lists[name]).alias(f"{plain}:token_seq"))
            elif isinstance(data_type, pl.List):
                columns.append(pl.col(name).cast(pl.List(pl.String)).alias(f"{plain}:token_seq"))
            elif data_type.is_numeric():
                columns.append(pl.col(name).alias(f"{plain}:float"))
            elif data_type == pl.String and id_name == ITEM:
                columns.append(pl.col(name).alias(f"{plain}:token_seq"))
            elif not data_type.is_nested():
                columns.append(pl.col(name).cast(pl.String).alias(f"{plain}:token"))
        names = [column.meta.output_name() for column in columns]
        twice = sorted({name.rsplit(":", 1)[0] for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"{path.name}: two columns would be named {twice[0]}; rename one")
        return table.select(columns)

    def _labels(self, path: Path, table: pl.LazyFrame) -> dict[str, str]:
        """Item fields for the prompts, each with its label."""
        typed = dict(name.rsplit(":", 1) for name in table.collect_schema().names())
        wanted = [_plain_name(name) for name in self.text]
        check_columns(path, wanted, list(typed))
        wanted = wanted or [name for name, kind in typed.items() if kind == "token_seq"]
        return {name: name.replace("_", " ").lower() for name in wanted}


def _plain_name(name: str) -> str:
    """A column name that can stand in the head of an atomic file."""
    return re.sub(r"[^\w.-]+", "_", name.strip())


def _scan(path: Path, all_strings: bool, id_column: str | None = None) -> pl.LazyFrame:
    """A table of any of the formats; ids of a csv file stay as they are written, ``007`` too."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return pl.scan_parquet(path)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise InputError(f"{path.name}: known are .csv, .tsv, .txt and .parquet files, also as .gz or in a .zip")
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        head = file.readline()
    separator = max("\t,;|", key=head.count)
    csv_header(path, separator)  # tells an empty file
    overrides = {id_column: pl.String} if id_column and id_column in csv_header(path, separator) else None
    return pl.scan_csv(
        path,
        separator=separator,
        infer_schema=not all_strings,
        infer_schema_length=None,
        schema_overrides=overrides,
    )
