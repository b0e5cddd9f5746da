"""What an LLM is shown of an item: one line, made of the fields of the ``.item`` file that the config names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.profiles.history.harmless_text import one_line
from recbole_llmdistill.profiles.history.language_variants import language_variants

CELL = " | "
"""Between the cells of a line."""
MISSING = "-"
"""In the place of an empty cell."""
SHORTENED = "…"
"""Ends a cell that was longer than may be shown."""
TITLE_LENGTHS = 2
"""A title may be so many times as long as another cell."""


def clean(text: str) -> str:
    """Text of a cell: one line, single spaces, nothing that has a meaning in a prompt; ``-`` where empty."""
    return one_line(text) or MISSING


def shorten(cell: str, length: int) -> str:
    """A cell of at most ``length`` characters; a longer one ends after a whole word, if its last half has one."""
    if len(cell) <= length:
        return cell
    kept = cell[: length - len(SHORTENED)]
    space = kept.rfind(" ")
    return (kept[:space] if space > length // 2 else kept).rstrip(" ,;:-›") + SHORTENED


def format_number(value: float) -> str:
    """A number without exponent and with as many digits as float32 has, e.g. ``19.99`` or ``15990000``."""
    return np.format_float_positional(np.float32(value), unique=True, trim="-") if np.isfinite(value) else MISSING


@dataclass(frozen=True)
class Catalogue:
    """Text of every item, by RecBole's item id.

    Attributes:
        labels: label of each cell.
        texts: line of each item; row 0 is RecBole's padding item.
        without_text: items of the data set that the ``.item`` file lacks, or of which it says nothing; they are shown
            by their name.
        kinds: type of each cell's field, e.g. ``token_seq``.
        shortened: items whose cell was too long, by its label.
        left_out: shown field -> fields that say the same in another language, shown where it is empty.
    """

    labels: tuple[str, ...]
    texts: list[str]
    without_text: frozenset[int]
    kinds: tuple[str, ...] = ()
    shortened: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def title(self, item: int) -> str:
        """First cell of an item."""
        return self.texts[item].split(CELL, 1)[0]


def chosen_fields(setting: Mapping[str, str] | list[str] | None, available: list[str]) -> dict[str, str]:
    """Field -> label of ``profile_item_fields`` or ``profile_interaction_fields``; unset means all that there are."""
    if isinstance(setting, Mapping):
        return {field: clean(str(label)) for field, label in setting.items()}
    return {field: clean(field) for field in (available if setting is None else setting)}


def catalogue_notes(catalogue: Catalogue, length: int, setting: str) -> list[str]:
    """What is left out or cut, for people.

    Args:
        catalogue: that was read.
        length: most characters of a cell.
        setting: that says so.
    """
    notes = [
        f"{', '.join(others)}: left out, shown only where {field} is empty, which says the same in another language"
        for field, others in catalogue.left_out.items()
    ]
    if catalogue.shortened:
        cut = ", ".join(f"{label} of {count:,} items" for label, count in catalogue.shortened.items())
        notes.append(f"cut to {length} characters (a title to {TITLE_LENGTHS * length}; {setting}): {cut}")
    return notes


def read_catalogue(
    file: AtomicFile,
    id_field: str,
    setting: Mapping[str, str] | list[str] | None,
    token2id: Mapping[str, int],
    length: int,
    of_interactions: Collection[str] = (),
) -> Catalogue:
    """Read the item texts of a data set.

    Args:
        file: the ``.item`` file.
        id_field: RecBole's ``ITEM_ID_FIELD``.
        setting: ``profile_item_fields``.
        token2id: RecBole's item id by item token.
        length: most characters of a cell; a title, the first cell, may have twice as many.
        of_interactions: fields that are shown of each interaction, as a price; not shown of the item unless named.

    Raises:
        InputError: no file, no such field, no field that says anything, or no item of the data set in it.
    """
    if not file.path.is_file():
        raise InputError(
            f"{file.path} does not exist: an LLM needs the items' texts; write one line per item, "
            f"header '{id_field}:token<TAB>title:token_seq'"
        )
    header = file.header()
    if id_field not in header:
        raise InputError(f"{file.path}, line 1: no field {id_field!r} (ITEM_ID_FIELD); found: {', '.join(header)}")
    names = list(header)
    readable = [name for name in names if name != id_field and header[name] in ("token", "token_seq", "float")]
    fields = chosen_fields(setting, [name for name in readable if name not in of_interactions])
    if unknown := [field for field in fields if field not in header]:
        raise InputError(f"profile_item_fields: {file.path} has no field {unknown[0]!r}; it has {', '.join(readable)}")
    if not any(header[field] != "float" for field in fields):
        raise InputError(
            f"{file.path}: no text field to show to an LLM (fields: {', '.join(names)}); add a title or a category, "
            "of type token or token_seq, or name it in profile_item_fields"
        )
    variants = language_variants([field for field in fields if header[field] != "float"])
    columns = _columns(fields, variants)
    positions = [[names.index(field), *map(names.index, variants.get(field, ()))] for field in columns]
    texts, shortened = _read_texts(file, names.index(id_field), positions, token2id, length)
    labels = tuple(fields[field] for field in columns)
    return Catalogue(
        labels,
        texts,
        _name_by_id(texts, token2id, len(columns), file, id_field),
        tuple(header[field] for field in columns),
        {label: count for label, count in zip(labels, shortened, strict=True) if count},
        {field: others for field, others in variants.items() if others},
    )


def _columns(fields: Mapping[str, str], variants: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The shown fields in their order; a field in another language stands where the first of its kind stood."""
    stands_for = {other: field for field, others in variants.items() for other in others}
    return list(dict.fromkeys(stands_for.get(field, field) for field in fields))


def _read_texts(
    file: AtomicFile, id_column: int, positions: list[list[int]], token2id: Mapping[str, int], length: int
) -> tuple[list[str], list[int]]:
    """Line of each item, empty where the file lacks it, and how many items had a cell cut, of each cell.

    Args:
        file: the ``.item`` file.
        id_column: where the item stands.
        positions: of each cell, the columns of which the first that says something is shown.
        token2id: RecBole's item id by item token.
        length: see :func:`read_catalogue`.
    """
    texts = [""] * len(token2id)
    shortened = [0] * len(positions)
    lengths = [length * TITLE_LENGTHS, *[length] * (len(positions) - 1)]
    for _, row in file.rows():
        item = token2id.get(row[id_column])
        if not item or texts[item]:  # the first line of an item counts, as in RecBole
            continue
        cells = []
        for number, (columns, longest) in enumerate(zip(positions, lengths, strict=True)):
            cell = next((text for column in columns if (text := one_line(row[column]))), MISSING)
            if len(cell) > longest:
                shortened[number] += 1
                cell = shorten(cell, longest)
            cells.append(cell)
        texts[item] = CELL.join(cells)
    return texts, shortened


def _name_by_id(
    texts: list[str], token2id: Mapping[str, int], columns: int, file: AtomicFile, id_field: str
) -> frozenset[int]:
    """Give items without a text their id in its place; which these are.

    Raises:
        InputError: all of them.
    """
    empty = CELL.join([MISSING] * columns)
    without_text = set()
    for token, item in token2id.items():
        if item and texts[item] in ("", empty):
            without_text.add(item)
            texts[item] = CELL.join([clean(f"item {token}"), *[MISSING] * (columns - 1)])
    if len(without_text) == len(token2id) - 1:
        raise InputError(
            f"{file.path}: has no text for any of the {len(without_text)} items of the data set; check that "
            f"{id_field} is written there as in the .inter file"
        )
    return frozenset(without_text)
