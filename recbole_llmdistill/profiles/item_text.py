"""What an LLM is shown of an item: one line, made of the fields of the ``.item`` file that the config names."""

from collections.abc import Mapping
from dataclasses import dataclass

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.atomic_files import AtomicFile

CELL = " | "
"""Between the cells of a line."""
MISSING = "-"
"""In the place of an empty cell."""

# Control characters, and the characters that have a meaning in a prompt: the bar between cells, and the angle brackets
# of our own delimiters and of the special tokens of chat templates. Look-alikes keep the text readable, and no title
# can close the block it stands in or start a new turn.
_HARMLESS = dict.fromkeys((*range(32), *range(127, 160)), " ") | {
    ord("<"): "‹",
    ord(">"): "›",
    ord("|"): "¦",
}


def clean(text: str) -> str:
    """Text of a cell: one line, single spaces, no character that has a meaning in a prompt; ``-`` where empty."""
    return " ".join(text.translate(_HARMLESS).split()) or MISSING


@dataclass(frozen=True)
class Catalogue:
    """Text of every item, by RecBole's item id.

    Attributes:
        labels: label of each cell.
        texts: line of each item; row 0 is RecBole's padding item.
        without_text: items of the data set that the ``.item`` file lacks, or of which it says nothing.
    """

    labels: tuple[str, ...]
    texts: list[str]
    without_text: int

    def title(self, item: int) -> str:
        """First cell of an item."""
        return self.texts[item].split(CELL, 1)[0]


def chosen_fields(setting: Mapping[str, str] | list[str] | None, available: list[str]) -> dict[str, str]:
    """Field -> label of ``profile_item_fields`` or ``profile_interaction_fields``; unset means all that there are."""
    if setting is None:
        return {field: field for field in available}
    if isinstance(setting, Mapping):
        return {field: clean(str(label)) for field, label in setting.items()}
    return {field: field for field in setting}


def read_catalogue(file: AtomicFile, id_field: str, setting, token2id: Mapping[str, int]) -> Catalogue:
    """Read the item texts of a data set.

    Args:
        file: the ``.item`` file.
        id_field: RecBole's ``ITEM_ID_FIELD``.
        setting: ``profile_item_fields``.
        token2id: RecBole's item id by item token.

    Raises:
        InputError: no file, no such field, no field that says anything, or no item of the data set in it.
    """
    if not file.path.is_file():
        raise InputError(
            f"{file.path} does not exist: an LLM needs the items' texts; write one line an item, "
            f"header '{id_field}:token<TAB>title:token_seq'"
        )
    header = file.header()
    if id_field not in header:
        raise InputError(f"{file.path}, line 1: no field {id_field!r} (ITEM_ID_FIELD); found: {', '.join(header)}")
    names = list(header)
    readable = [name for name in names if name != id_field and header[name] in ("token", "token_seq", "float")]
    fields = chosen_fields(setting, readable)
    if unknown := [field for field in fields if field not in header]:
        raise InputError(f"profile_item_fields: {file.path} has no field {unknown[0]!r}; it has {', '.join(readable)}")
    if not any(header[field] != "float" for field in fields):
        raise InputError(
            f"{file.path}: no text field to show to an LLM (fields: {', '.join(names)}); add a title or a category, "
            "of type token or token_seq, or name it in profile_item_fields"
        )

    columns = [names.index(field) for field in fields]
    id_column = names.index(id_field)
    empty = CELL.join([MISSING] * len(columns))
    texts = [""] * len(token2id)
    for _, cells in file.rows():
        item = token2id.get(cells[id_column])
        if item and not texts[item]:  # the first line of an item counts, as in RecBole
            texts[item] = CELL.join(clean(cells[column]) for column in columns)
    without_text = 0
    for token, item in token2id.items():
        if item and texts[item] in ("", empty):
            without_text += 1
            texts[item] = CELL.join([clean(f"item {token}"), *[MISSING] * (len(columns) - 1)])
    if without_text == len(token2id) - 1:
        raise InputError(
            f"{file.path}: has no text for any of the {without_text} items of the data set; check that {id_field} is "
            "written there as in the .inter file"
        )
    return Catalogue(tuple(fields.values()), texts, without_text)
