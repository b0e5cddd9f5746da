"""Anybody's own tables of interactions, items and users: csv, tsv or parquet."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from recbole_llmdistill.dataset_converters.columns import Column, examine, read_ids, read_numbers, read_times
from recbole_llmdistill.dataset_converters.raw_files import RawFile, RawFiles
from recbole_llmdistill.dataset_converters.source import ITEM, RATING, TIME, USER, RawTables, Source
from recbole_llmdistill.dataset_converters.table_files import Table, open_table
from recbole_llmdistill.dataset_converters.time_order import TIME_RANK
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.yaml_file import read_yaml

INTERACTIONS, ITEMS, USERS = "interactions.*", "items.*", "users.*"
_PART_OF_A_TABLE = re.compile(r"part\W?\d.*|\d+\.\w+")
"""How Spark, Dask, BigQuery and others name the files of one table."""
_MOST_CATEGORIES = 1000
"""Text of an interaction with more different values is an id or free text rather than a kind of event."""
_RECBOLES_OWN = (USER, ITEM, TIME, RATING, TIME_RANK, "label", "item_length", "mask_item_seq")


class Tables(Source):
    """Own tables. What is not said is looked for under RecBole's names: user_id, item_id, timestamp, rating.

    Attributes:
        interactions: name of the file of interactions, a pattern that several files fit, or a folder of them.
        items: of items, which may be missing.
        users: of users, which may be missing.
        user: column of the user id, in the interactions and in the users.
        item: column of the item id, in the interactions and in the items.
        time: column of the time. Without one, the order of the rows is taken for the order in time.
        rating: column of the rating.
        further: other columns of the interactions to keep; None keeps those that say something of an interaction
            (numbers, yes or no, and text of few different values), an empty one keeps none.
        text: item columns for the prompts, in this order; empty takes all texts, lists and numbers.
        lists: multi-valued item columns and what separates their values, e.g. ``{"tags": "|"}``.
        encoding: of the csv files that are not UTF-8, e.g. ``cp1252``.
        time_format: how times are written as text, e.g. ``%d/%m/%Y %H:%M``; None finds it out.
        quotes: whether a straight double quote in a csv file encloses a field.
    """

    interactions: str = Field(
        INTERACTIONS,
        description="in --input: a file, a folder of files, or a pattern in quotes that several fit",
        json_schema_extra={"metavar": "FILE"},
    )
    items: str = Field(ITEMS, description="the same of the item table, if any", json_schema_extra={"metavar": "FILE"})
    users: str = Field(USERS, description="the same of the user table, if any", json_schema_extra={"metavar": "FILE"})
    user: str = Field(USER, description="user id", json_schema_extra={"flags": ["--user-column"], "metavar": "COLUMN"})
    item: str = Field(ITEM, description="item id", json_schema_extra={"flags": ["--item-column"], "metavar": "COLUMN"})
    time: str | None = Field(
        None,
        description="default: timestamp, if there is one",
        json_schema_extra={"flags": ["--time-column"], "metavar": "COLUMN"},
    )
    rating: str | None = Field(
        None,
        description="default: rating, if there is one",
        json_schema_extra={"flags": ["--rating-column"], "metavar": "COLUMN"},
    )
    further: tuple[str, ...] | None = Field(
        None,
        description="other columns of the interactions to keep, e.g. event price; none after the flag keeps none "
        "(default: those that say something of an interaction)",
        json_schema_extra={"flags": ["--interaction-columns"], "metavar": "COLUMN", "nargs": "*"},
    )
    text: tuple[str, ...] = Field(
        (),
        description="of items, for the prompts",
        json_schema_extra={"flags": ["--text-columns"], "metavar": "COLUMN"},
    )
    lists: dict[str, str] = Field(
        {}, description="multi-valued item columns and their separators", json_schema_extra={"cli": False}
    )
    encoding: str | None = Field(
        None, description="of csv files that are not UTF-8, e.g. cp1252", json_schema_extra={"metavar": "NAME"}
    )
    time_format: str | None = Field(
        None, description="of times as text, e.g. '%d/%m/%Y %H:%M'", json_schema_extra={"metavar": "FORMAT"}
    )
    quotes: bool = Field(
        True,
        description='in csv files a straight double quote (") is a character as any other',
        json_schema_extra={"flags": ["--no-quotes"], "off": True},
    )

    name = "csv"
    title = "your own tables (csv, tsv, parquet)"
    publisher = "your own files"
    options_file = "all of these in a file; see docs/convert.md"

    @classmethod
    def from_yaml(cls, path: Path, **given: Any) -> "Tables":
        """The attributes from a yaml file, but for those that are given.

        Raises:
            InputError: the file cannot be read, or holds another key.
        """
        content = read_yaml(path)[1] or {}
        known = cls.model_fields
        unknown = [key for key in content if key not in known] if isinstance(content, dict) else [content]
        if unknown:
            raise InputError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
        for key, value in content.items():
            if not _is_right_kind(key, value):
                raise InputError(
                    f"{path}: {key}: {value!r} is not what it should be; text and further are lists of columns, lists "
                    "a mapping of column: separator, quotes true or false, all others a text"
                )
        content = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        return cls(**{**content, **given})

    def read(self, files: RawFiles) -> RawTables:
        """Interactions with user, item and, if there, time, rating and what else says something; items; users."""
        table = self._open(files, self._find_interactions(files), "--interactions")
        found = table.columns
        time = self.time or (TIME if TIME in found else None)
        rating = self.rating or (RATING if RATING in found else None)
        table.require(
            (name, flag)
            for name, flag in (
                (self.user, "--user-column"),
                (self.item, "--item-column"),
                (time, "--time-column"),
                (rating, "--rating-column"),
                *((name, "--interaction-columns") for name in self.further or ()),
            )
            if name
        )
        roles = [name for name in (self.user, self.item, time, rating) if name]
        twice = [name for name in roles if roles.count(name) > 1]
        if twice:
            raise InputError(f"column {twice[0]} cannot be two of user, item, time and rating; name another one")
        notes = list(table.remarks)
        columns = [
            read_ids(table, self.user, notes).alias(f"{USER}:token"),
            read_ids(table, self.item, notes).alias(f"{ITEM}:token"),
        ]
        if rating:
            values, remark = read_numbers(table, rating)
            columns.append(values.cast(pl.Float32).alias(f"{RATING}:float"))
            notes.append(f"{rating}: {remark}" if remark else "")
        if time:
            values, remark = read_times(table, time, self.time_format)
            columns.append(values.alias(f"{TIME}:float"))
            notes.append(f"{time}: {remark}" if remark else "")
        else:
            notes.append("no times: the order of the rows was taken for the order in time")
        items = self._features(files, self._find(files, self.items, ITEMS, "--items"), ITEM, (), notes)
        users = self._features(files, self._find(files, self.users, USERS, "--users"), USER, items, notes)
        further = self._further(table, [self.user, self.item, time, rating], [*items, *users], notes)
        shown = {name: kind for name, (kind, _) in further.items() if kind in ("token", "float")}
        labels = {name: _label(name) for name in ([RATING] if rating else []) + list(shown)}
        notes.append(f"prompts show of an interaction: {', '.join(labels)}" if labels else "")
        settings: dict = {"profile_interaction_fields": labels or None}
        if items:
            settings["profile_item_fields"] = self._labels(items, notes)
        columns += [values.alias(f"{name}:{kind}") for name, (kind, values) in further.items()]
        return RawTables(
            table.frame.select(columns),
            items.read if items else None,
            users.read if users else None,
            rating_field=RATING if rating else None,
            settings=settings,
            notes=[note for note in notes if note],
        )

    def _open(self, files: RawFiles, found: list[RawFile], option: str) -> Table:
        return open_table(files, found, option, self.encoding, self.quotes)

    def _find_interactions(self, files: RawFiles) -> list[RawFile]:
        if not files.given.is_dir() and files.given.suffix.lower() != ".zip":
            return files.all()
        found = files.tables(self.interactions)
        if not found and self.interactions == INTERACTIONS:
            found = [file for file in files.tables("*") if _PART_OF_A_TABLE.fullmatch(file.name.lower())]
            found = found or (files.tables("*") if len(files.tables("*")) == 1 else [])
        if not found:
            raise files.missing(self.interactions, "--interactions")
        return found

    def _find(self, files: RawFiles, pattern: str, default: str, option: str) -> list[RawFile]:
        found = files.tables(pattern)
        if not found and pattern != default:
            raise files.missing(pattern, option)
        return found

    def _features(
        self, files: RawFiles, found: list[RawFile], id_name: str, taken: Collection[str], notes: list[str]
    ) -> "_Features":
        """The fields of items or users, by the kinds of their columns."""
        features = _Features(id_name)
        if not found:
            return features
        id_column, option = (self.item, "--items") if id_name == ITEM else (self.user, "--users")
        table = self._open(files, found, option)
        flag = "--item-column" if id_name == ITEM else "--user-column"
        lists = self.lists if id_name == ITEM else {}
        table.require([(id_column, flag), *((name, "lists") for name in lists)])
        notes += table.remarks
        features.open(table, read_ids(table, id_column, notes))
        strings = [name for name, kind in table.frame.collect_schema().items() if kind == pl.String]
        split = {name: pl.col(name).str.split(lists[name]) for name in lists if name in strings}
        others = [name for name in table.columns if name != id_column and name not in split]
        examined = {column.name: column for column in examine(table, others)}
        for name in (name for name in table.columns if name != id_column):
            if name in split:
                features.add(table, name, "token_seq", split[name], taken, notes)
                continue
            column = examined[name]
            if column.remark:
                notes.append(f"{table.name}, {name}: {'left out, ' if column.values is None else ''}{column.remark}")
            if column.values is not None:
                kind = "token" if column.kind == "text" and id_name == USER else column.field_type
                features.add(table, name, kind, column.values, taken, notes, column.looks_like_an_id)
        return features

    def _further(self, table: Table, used: list, taken: list[str], notes: list[str]) -> dict[str, tuple[str, pl.Expr]]:
        """Other columns of the interactions that are kept: field -> type and values."""
        others = [name for name in table.columns if name not in used]
        kept = _Features("interaction")
        wanted = others if self.further is None else [name for name in self.further if name in others]
        left_out = {name: "not in --interaction-columns" for name in others if name not in wanted}
        for column in examine(table, wanted):
            reason = column.remark if column.values is None else ""
            if self.further is None and not reason:
                reason = _why_left_out(column)
            if column.values is None or reason:
                left_out[column.name] = reason
                continue
            notes.append(f"{table.name}, {column.name}: {column.remark}" if column.remark else "")
            kind = "token" if column.kind == "text" else column.field_type
            kept.add(table, column.name, kind, column.values, taken, notes)
        if kept:
            notes.append(f"columns kept of the interactions: {', '.join(kept)}")
        if left_out:
            told = ", ".join(f"{name} ({reason})" for name, reason in left_out.items())
            notes.append(f"columns left out of the interactions: {told}; choose by --interaction-columns")
        return kept

    def _labels(self, items: "_Features", notes: list[str]) -> dict[str, str]:
        """Item fields for the prompts, each with its label."""
        wanted = [items.field_of.get(name, name) for name in self.text]
        unknown = [name for name in wanted if name not in items]
        if unknown:
            assert items.table is not None
            raise InputError(
                f"{items.table.name}: column {', '.join(unknown)} is missing or was left out; --text-columns may name "
                f"{', '.join(items.field_of) or 'none'}"
            )
        shown = wanted or [
            name for name, (kind, _) in items.items() if kind in ("token_seq", "float") and name not in items.ids
        ]
        notes.append(f"prompts show of an item: {', '.join(shown)}" if shown else "prompts show nothing of an item")
        hidden = [name for name in items if name not in shown]
        if hidden:
            notes.append(f"prompts do not show of an item: {', '.join(hidden)}; choose by --text-columns")
        return {name: _label(name) for name in shown}


class _Features(dict):
    """Fields of one table, name -> type and values.

    Attributes:
        table: the table; None as long as there is none.
        field_of: names of the fields by those of the columns.
        ids: fields that look like ids, so that prompts do without them.
    """

    def __init__(self, id_name: str) -> None:
        super().__init__()
        self.table: Table | None = None
        self.field_of: dict[str, str] = {}
        self.ids: list[str] = []
        self._id_name = id_name

    def __bool__(self) -> bool:
        return self.table is not None or len(self) > 0

    def open(self, table: Table, ids: pl.Expr) -> None:
        """Set the table and the values of its ids."""
        self.table, self._ids = table, ids

    def add(
        self,
        table: Table,
        column: str,
        kind: str,
        values: pl.Expr,
        taken: Collection[str],
        notes: list[str],
        is_id: bool = False,
    ) -> None:
        """One more field, under a name that RecBole does not know yet: it has one name space for all files."""
        plain = _plain_name(column)
        name = plain
        if name in taken or name in _RECBOLES_OWN or name.endswith("_list"):
            name = f"{self._id_name.removesuffix('_id')}_{plain}".removesuffix("_list")
            notes.append(f"{table.name}, {column}: written as {name}, as {plain} means something else")
        if name in self or name in taken:
            raise InputError(f"{table.name}: two columns would be named {name}; rename one")
        self[name] = (kind, values)
        self.field_of[column] = name
        if is_id:
            self.ids.append(name)

    def read(self, _: pl.Series) -> pl.DataFrame:
        """The table, as :class:`RawTables` has it."""
        assert self.table is not None  # nobody reads fields of no table
        columns = [values.alias(f"{name}:{kind}") for name, (kind, values) in self.items()]
        return self.table.frame.select(self._ids.alias(f"{self._id_name}:token"), *columns).collect()


def _is_right_kind(key: str, value: object) -> bool:
    if key in ("text", "further"):
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if key == "lists":
        return isinstance(value, dict) and all(
            isinstance(part, str) and part for pair in value.items() for part in pair
        )
    return isinstance(value, bool if key == "quotes" else str)


def _why_left_out(column: Column) -> str:
    """Why a column says nothing of an interaction that a reader could use; empty if it does."""
    if column.looks_like_an_id:
        return "an id or the number of a row"
    if column.kind == "time":
        return "a further time"
    if column.kind in ("list", "numbers"):
        return "a list"
    if column.kind == "text" and column.distinct > _MOST_CATEGORIES:
        return f"about {column.distinct:,} different texts"
    return ""


def _label(name: str) -> str:
    return name.replace("_", " ").strip().lower()


def _plain_name(name: str) -> str:
    """A column name that can stand in the head of an atomic file."""
    return re.sub(r"[^\w.-]+", "_", name.strip())
