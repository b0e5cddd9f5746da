"""The users' training histories, as the very config that will train splits them."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from recbole_llmdistill.files.fingerprint import token_codes
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.profiles.history.days import days_of
from recbole_llmdistill.profiles.history.history_lines import DATE_LABEL, REPEATS_LABEL, with_date, write_lines
from recbole_llmdistill.profiles.history.interaction_columns import FieldColumn, choose_interaction_columns
from recbole_llmdistill.profiles.history.item_text import CELL, Catalogue, catalogue_notes, read_catalogue

if TYPE_CHECKING:
    from recbole.config import Config  # imported when histories are loaded, and not to join profiles


@dataclass(frozen=True)
class History:
    """Training interactions of one user, oldest first; or one item, whose fields are the one line.

    Attributes:
        token: name of the user (or item).
        items: RecBole's item ids, ``[length]``.
        lines: what an LLM is shown, one for each different item.
        joined: interactions that each line stands for; empty: one each.
        dates: day of each line, empty where unknown; an empty list where there are no times.
        columns: of each interaction column, the value of every interaction.
        cells: cells of a line, without the marks at its end.
        digest: of the interactions, see :meth:`Histories.digest`; empty of an item.
    """

    token: str
    items: np.ndarray
    lines: list[str]
    joined: list[int] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    columns: list[list[str]] = field(default_factory=list)
    cells: int = 1
    digest: str = ""

    def part(self, lines: Sequence[str], part: slice) -> Sequence[str]:
        """Some of the lines, or of ``lines`` that were made of them; the first of these says its date in any case."""
        chosen = lines[part]
        start = part.indices(len(lines))[0]
        day = self.dates[start] if start and chosen and self.dates else ""
        if day and day == next((date for date in reversed(self.dates[:start]) if date), ""):
            return [with_date(chosen[0], day, self.cells), *chosen[1:]]
        return chosen


@dataclass(frozen=True)
class Histories:
    """All users' histories; the text of one is made when it is asked for, so memory does not grow while they are read.

    Attributes:
        catalogue: the items' texts.
        columns: the interactions' shown fields.
        tokens: name of each user who has training interactions, ``[users]``.
        first, end: the user's training interactions among ``items``, ``[users]``.
        last: one past the user's last interaction of all, held-out ones included, ``[users]``.
        items: item of each interaction, sorted by user and time.
        item_codes: of each item's token, see :func:`~recbole_llmdistill.files.fingerprint.token_codes`.
        without_training: users of the data set without a training interaction.
        training_fingerprint: of the training pairs, see :mod:`recbole_llmdistill.files.fingerprint`.
        days: day of each interaction, see :func:`~recbole_llmdistill.profiles.history.days.days_of`;
            None without real times.
        text_length: most characters of a cell.
        notes_on_columns: what is not shown of interactions; for people.
    """

    of: ClassVar[Entity] = USERS

    catalogue: Catalogue
    columns: tuple[FieldColumn, ...]
    tokens: np.ndarray
    first: np.ndarray
    end: np.ndarray
    last: np.ndarray
    items: np.ndarray
    item_codes: np.ndarray
    without_training: int
    training_fingerprint: str
    days: np.ndarray | None = None
    text_length: int = 0
    notes_on_columns: tuple[str, ...] = ()

    @property
    def header(self) -> str:
        """The line above a history that names its cells."""
        return CELL.join([*self._labels, *([", ".join(self._marks)] if self._marks else [])])

    @property
    def has_values(self) -> bool:
        """Whether interactions have values, such as ratings."""
        return bool(self.columns)

    @property
    def has_dates(self) -> bool:
        """Whether interactions have dates."""
        return self.days is not None

    def described(self) -> dict[str, Any]:
        """For the manifest: whose histories, of which training part, and how interactions become lines."""
        return {
            "users": len(self),
            USERS.fingerprint: self.training_fingerprint,
            "columns": self.header,
            "shown": {"text_length": self.text_length, "repeats": "joined", "dates": self.has_dates},
        }

    @property
    def notes(self) -> list[str]:
        """For people: who has no history, and what is shown otherwise than it is written."""
        told = []
        if self.without_training:
            told.append(f"{self.without_training:,} users have no training interaction and get no profile")
        if self.catalogue.without_text:
            told.append(f"{len(self.catalogue.without_text):,} items have no text and are shown by their id")
        told += catalogue_notes(self.catalogue, self.text_length, "profile_text_length")
        return [*told, *self.notes_on_columns]

    @property
    def _labels(self) -> list[str]:
        return [*self.catalogue.labels, *(column.label for column in self.columns)]

    @functools.cached_property
    def _marks(self) -> list[str]:
        """Labels of what may stand at the end of a line."""
        return [
            *([REPEATS_LABEL] if self._has_repeats() else []),
            *([DATE_LABEL] if self.days is not None else []),
        ]

    def _has_repeats(self) -> bool:
        """Whether any training history has two interactions that show the same."""
        number: dict[str, int] = {}
        text_of = np.array([number.setdefault(text, len(number)) for text in self.catalogue.texts], dtype=np.int64)
        counts = self.end - self.first
        index = np.arange(counts.sum()) + np.repeat(self.first - (np.cumsum(counts) - counts), counts)
        pairs = np.repeat(np.arange(len(counts)), counts) * len(number) + text_of[self.items[index]]
        pairs.sort()
        return bool((pairs[1:] == pairs[:-1]).any())

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> History:
        part = slice(int(self.first[index]), int(self.end[index]))
        items = self.items[part]
        columns = [[column.values[code] for code in column.codes[part].tolist()] for column in self.columns]
        lines = write_lines(
            [self.catalogue.texts[item] for item in items.tolist()],
            columns,
            [column.numeric for column in self.columns],
            None if self.days is None else self.days[part].tolist(),
        )
        return History(
            str(self.tokens[index]),
            items,
            lines.texts,
            lines.interactions,
            lines.dates,
            columns,
            len(self._labels),
            self.digest(index),
        )

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Training interactions of each user, ``[users]``."""
        return self.end - self.first

    def digest(self, index: int, interactions: int | None = None) -> str:
        """Digest of the items, by token and in their order, of a user's first training interactions.

        Args:
            index: of the user.
            interactions: how many of them; None: all.
        """
        first = int(self.first[index])
        end = int(self.end[index]) if interactions is None else first + interactions
        codes = self.item_codes[self.items[first:end]].astype("<u8", copy=False)
        return hashlib.blake2b(codes.tobytes(), digest_size=16).hexdigest()

    def held_out_titles(self, index: int) -> list[str]:
        """Titles of the user's validation and test items, but for items that training shows as well."""
        held_out = set(self.items[self.end[index] : self.last[index]].tolist())
        held_out -= set(self.items[self.first[index] : self.end[index]].tolist())
        return [self.catalogue.title(item) for item in sorted(held_out)]


def load_histories(config: "Config") -> Histories:
    """Histories of a RecBole config, whose loading is extended by the shown interaction fields.

    Raises:
        InputError: RecBole cannot read or split the data, or a shown field does not exist.
    """
    from recbole_llmdistill.data.dataset_check import check_dataset

    check_dataset(config)
    wanted = choose_interaction_columns(config)
    training_part, *_ = wanted.dataset(config).build()

    interactions = training_part.sorted_interactions
    user_of = interactions[training_part.uid_field].numpy()
    first, end = training_part.training_ranges()
    columns, notes = wanted.columns(training_part)
    catalogue = read_catalogue(
        AtomicFile.of(config, "item"),
        training_part.iid_field,
        config["profile_item_fields"],
        training_part.field2token_id[training_part.iid_field],
        config["profile_text_length"],
        {column.field for column in columns},
    )
    days = next((days for times in wanted.times(training_part) if (days := days_of(times)) is not None), None)
    return Histories(
        catalogue=catalogue,
        columns=tuple(columns),
        tokens=training_part.id2token(training_part.uid_field, user_of[first]),
        first=first,
        end=end,
        last=np.searchsorted(user_of, user_of[first], side="right"),
        items=interactions[training_part.iid_field].numpy().astype(np.int32),
        item_codes=token_codes(training_part.field2id_token[training_part.iid_field]),
        without_training=training_part.user_num - 1 - len(first),
        training_fingerprint=training_part.training_fingerprint(),
        days=days,
        text_length=config["profile_text_length"],
        notes_on_columns=tuple(notes),
    )
