"""What a source of data is: where its files come from, and how they become three tables."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.parts import declared

USER, ITEM, TIME, RATING = "user_id", "item_id", "timestamp", "rating"
"""Names of the columns that every source uses alike."""


@dataclass
class RawTables:
    """The tables of a data set before filters. Columns are named as in atomic files, ``name:type``.

    Attributes:
        interactions: ``user_id:token``, ``item_id:token`` (strings), perhaps ``timestamp:float`` (seconds since 1970;
            a fraction tells the order and is not written) and ``rating:float``, perhaps further columns; rows in the
            publisher's order.
        items: called with the item ids that are left after filtering, gives one row an item with ``item_id:token``;
            it may give more items, or fewer. A column of strings and type ``token_seq`` is text, a column of lists is
            a multi-valued field.
        users: the same of users.
        rating_field: name of the column that ``RATING_FIELD`` and ``--min-rating`` mean, if there is one.
        settings: RecBole settings that this very data set needs beside those of the source's yaml.
        notes: remarks for the provenance, e.g. which of several formats was found.
    """

    interactions: pl.LazyFrame
    items: Callable[[pl.Series], pl.DataFrame] | None = None
    users: Callable[[pl.Series], pl.DataFrame] | None = None
    rating_field: str | None = None
    settings: dict = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Source(Options):
    """Reader of one publisher's format: one module in this folder, and one yaml file; its fields are its options."""

    name: ClassVar[str]
    """Name on the command line; ``properties/dataset/converted/<name>.yaml`` has its RecBole settings."""
    title: ClassVar[str]
    """One line for the help text."""
    publisher: ClassVar[str]
    """Where the files are offered."""
    options_file: ClassVar[str | None] = None
    """Help of ``--columns``, a yaml file with all options, for a source that has ``from_yaml``; None: no such file."""

    @abstractmethod
    def read(self, files: RawFiles) -> RawTables:
        """The tables of these files.

        Raises:
            InputError: a file is missing, damaged, or has other columns.
        """

    @classmethod
    def from_yaml(cls, path: Path, **given: Any) -> "Source":
        """The source with its options from a yaml file, but for those that are given; where ``options_file`` is set."""
        raise NotImplementedError


def sources() -> dict[str, type[Source]]:
    """All sources by name: whatever module in this folder declares one."""
    # Nothing is made of the abstract class itself.
    return declared("recbole_llmdistill.dataset_converters", Source)  # type: ignore[type-abstract]
