"""The items of a catalogue, each by its fields: what an LLM describes, and what is encoded where nobody has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.fingerprint import fingerprint_interactions
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.formats.entity import ITEMS, Entity
from recbole_llmdistill.formats.profile_texts import ProfileTexts
from recbole_llmdistill.profiles.history.histories import History
from recbole_llmdistill.profiles.history.item_text import CELL, MISSING, Catalogue, catalogue_notes, read_catalogue

if TYPE_CHECKING:
    from recbole.config import Config  # imported when fields are loaded

FIELD_LENGTH = 1000
"""Characters of a field that an LLM is shown; a title may have twice as many."""
_UNLIMITED = 10**9
FIELDS = "fields"
"""View of texts that are the fields as they are."""


@dataclass(frozen=True)
class ItemFields:
    """Items with a text in the ``.item`` file, whether they have interactions or not: RecBole ranks them all.

    Attributes:
        path: the ``.item`` file.
        catalogue: the items' cells, by their place in the file from 1.
        tokens: the items with a text, in the order of the file, ``[items]``.
        rows: place of each in the catalogue, ``[items]``.
        field_length: most characters of a field; None: all.
    """

    of: ClassVar[Entity] = ITEMS
    header: ClassVar[str] = ""
    has_values: ClassVar[bool] = False
    has_dates: ClassVar[bool] = False

    path: Path
    catalogue: Catalogue
    tokens: np.ndarray
    rows: np.ndarray
    field_length: int | None

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> History:
        return History(str(self.tokens[index]), self.rows[index : index + 1], [self.text(index)])

    def text(self, index: int) -> str:
        """Fields of an item, one per line; behind their label where the catalogue has several."""
        labels, cells = self.catalogue.labels, self.catalogue.texts[self.rows[index]].split(CELL)
        named = [(label, cell) for label, cell in zip(labels, cells, strict=True) if cell != MISSING]
        return "\n".join(f"{label}: {cell}" if len(labels) > 1 else cell for label, cell in named)

    def described(self) -> dict[str, Any]:
        """For the manifest, with a digest of the items and of what is shown of them."""
        texts = [self.text(index) for index in range(len(self))]
        return {
            "items": len(self),
            ITEMS.fingerprint: fingerprint_interactions(self.tokens.tolist(), texts),
            "columns": CELL.join(self.catalogue.labels),
            "shown": {"field_length": self.field_length},
        }

    @property
    def notes(self) -> list[str]:
        """For people."""
        skipped = len(self.catalogue.without_text)
        told = [f"{self.path}: {skipped:,} items have no field that says anything and are left out"] if skipped else []
        return told + catalogue_notes(self.catalogue, self.field_length or _UNLIMITED, "--field-length")

    def held_out_titles(self, index: int) -> list[str]:
        """None: no interaction is shown."""
        return []

    def as_texts(self) -> ProfileTexts:
        """The fields as they are, in the place of texts that somebody wrote."""
        number: dict[str, int] = {}
        text_of = np.array([[number.setdefault(self.text(index), len(number))] for index in range(len(self))])
        return ProfileTexts(self.path, self.tokens.tolist(), (FIELDS,), list(number), text_of, (), of=ITEMS)


def load_item_fields(config: "Config", field_length: int | None = FIELD_LENGTH) -> ItemFields:
    """Fields of the items of a RecBole config's data set: those of ``profile_item_fields``, else all.

    Args:
        config: RecBole's.
        field_length: most characters of a field; None: all.

    Raises:
        InputError: no ``.item`` file, no such field, or no item with a text.
    """
    from recbole_llmdistill.data.dataset_check import pass_over_marks

    pass_over_marks(config)
    file, id_field = AtomicFile.of(config, "item"), config["ITEM_ID_FIELD"]
    number = _numbers(file, id_field)
    catalogue = read_catalogue(file, id_field, config["profile_item_fields"], number, field_length or _UNLIMITED)
    shown = {token: row for token, row in number.items() if row and row not in catalogue.without_text}
    return ItemFields(
        file.path, catalogue, np.array(list(shown), dtype=str), np.array(list(shown.values())), field_length
    )


def _numbers(file: AtomicFile, id_field: str) -> Mapping[str, int]:
    """Place of each item in the file from 1, for ``read_catalogue``; 0 is nobody."""
    number = {"": 0}
    if file.path.is_file():
        column = list(file.header()).index(id_field) if id_field in file.header() else 0
        for _, row in file.rows():
            number.setdefault(row[column], len(number))
    if len(number) == 1 and file.path.is_file():
        raise InputError(f"{file.path}: no items in this file")
    return number
