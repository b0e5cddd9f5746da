"""What a user can be coloured by: the fields of the ``.user`` file, the favourite genre; and an item: its own."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.profiles.history.item_values import split_values, top_level

if TYPE_CHECKING:
    from recbole.config import Config

_MOST_VALUES = 10  # and "other", which is what a legend can tell apart
_OTHER, _UNKNOWN = "other", "unknown"
_GENRE = re.compile("genre|categor|class|type|kind|department|group", re.IGNORECASE)
_MOST_GENRES = 100
_GENRES_PER_ITEM = 0.2
_VALUES_IN_A_CELL = 5
"""On average; a text has more words."""


@dataclass(frozen=True)
class Field:
    """A value per user (or item).

    Attributes:
        name: what it is.
        numeric: numbers on a scale rather than names.
        values: ``[users]`` numbers (NaN: unknown) or strings.
    """

    name: str
    numeric: bool
    values: np.ndarray


def read_fields(config: "Config", tokens: np.ndarray, of: Entity = USERS) -> list[Field]:
    """Fields of the ``.user`` (or ``.item``) file that can colour a map of these; none where there is no file."""
    columns = _read_atomic(config, of.noun, config[of.id_setting], tokens)
    fields = []
    for name, (kind, values) in columns.items():
        if kind in ("token_seq", "float_seq"):
            continue
        numbers = _as_numbers(values)
        known = values[values != ""]
        distinct = len(np.unique(known))
        if distinct < 2:
            continue
        if numbers is not None and (kind == "float" or distinct > _MOST_VALUES):
            if kind == "float" or distinct <= 0.5 * len(known):
                fields.append(Field(name, True, numbers))
        elif distinct <= 0.3 * len(known) or distinct <= _MOST_VALUES:  # else a name of its own for each, as a zip code
            fields.append(Field(name, False, _most_frequent(values)))
    return fields


def favourite_genre(
    config: "Config", training: sp.csr_matrix, item_tokens: np.ndarray, field: str | None = None
) -> Field | None:
    """Each user's favourite genre: the one most above what its share among all training interactions lets expect.

    With ``o`` interactions of a genre where ``e`` are expected, the one of the largest ``(o - e) / sqrt(e + 1)``: a
    residual in units of chance, so that neither the commonest nor a rare genre wins by itself.

    Args:
        config: RecBole's config.
        training: ``[users, items]`` of ones.
        item_tokens: ``[items]``.
        field: field of the ``.item`` file; None: one with few values that many items share, first one that is called
            genre, category or the like, else the ``token_seq`` field with the fewest values, else such a ``token``.

    Raises:
        InputError: there is no such field.
    """
    found = _genres(config, item_tokens, field)
    if found is None:
        return None
    name, cells = found
    genres = np.unique([genre for cell in cells for genre in cell])
    number = {genre: column for column, genre in enumerate(genres)}
    item, genre = np.array([(row, number[name]) for row, cell in enumerate(cells) for name in cell]).T
    of_item = sp.csr_matrix((np.ones(len(item)), (item, genre)), shape=(len(cells), len(genres)))
    counts = (training @ of_item).toarray()
    share = counts.sum(axis=0) / max(counts.sum(), 1)
    expected = counts.sum(axis=1, keepdims=True) * share
    residual = (counts - expected) / np.sqrt(expected + 1)
    favourite = np.where(counts.any(axis=1), genres[residual.argmax(axis=1)], "")
    return Field(f"favourite {name}", False, _most_frequent(favourite))


def genre(config: "Config", tokens: np.ndarray, field: str | None = None) -> Field | None:
    """Each item's genre; of several the first in the file, which is the widest of a path.

    Args:
        config: RecBole's config.
        tokens: ``[items]``.
        field: as :func:`favourite_genre`.

    Raises:
        InputError: there is no such field.
    """
    found = _genres(config, tokens, field)
    if found is None:
        return None
    name, cells = found
    first = np.array([cell[0] if cell else "" for cell in cells], dtype=str)
    return Field(f"first {name}", False, _most_frequent(first))


def _genres(config: "Config", tokens: np.ndarray, field: str | None) -> tuple[str, list[list[str]]] | None:
    """The field of the genres, and those of each item; None where there is none."""
    columns = _read_atomic(config, "item", config["ITEM_ID_FIELD"], tokens)
    name = field or _genre_field(columns, config["seq_separator"])
    if name is None:
        return None
    if name not in columns:
        raise InputError(
            f"--genre-field={name}: the .item file has no such field; it has {', '.join(columns) or 'none'}"
        )
    cells = _values(*columns[name], config["seq_separator"])
    return (name, cells) if any(cells) else None


def _genre_field(columns: dict[str, tuple[str, np.ndarray]], separator: str) -> str | None:
    """The field whose values tell kinds of item apart; a description or a title has too many, or too many a cell."""
    found = []
    for place, (name, (kind, cells)) in enumerate(columns.items()):
        if kind not in ("token", "token_seq"):
            continue
        values = [cell for cell in _values(kind, cells, separator) if cell]
        distinct = len({value for cell in values for value in cell})
        if not 2 <= distinct <= min(_MOST_GENRES, max(2, _GENRES_PER_ITEM * len(values))):
            continue
        if sum(map(len, values)) <= _VALUES_IN_A_CELL * len(values):
            found.append((_GENRE.search(name) is None, kind == "token", distinct, place, name))
    return min(found)[-1] if found else None


def _values(kind: str, cells: np.ndarray, separator: str) -> list[list[str]]:
    """Values of each cell; of paths with very many values the first level."""
    values, whole = split_values(cells.tolist(), kind, re.compile(f"(?:(?!{re.escape(separator)}).)+", re.DOTALL))
    if whole and len({value for cell in values for value in cell}) > _MOST_GENRES:
        values = [[top_level(value) for value in cell] for cell in values]
    return values


def _read_atomic(config: "Config", suffix: str, key: str, tokens: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """Field -> (type, cells of these tokens); read here, since RecBole would filter interactions by these files."""
    file = AtomicFile.of(config, suffix)
    path = file.path
    if not path.is_file():
        return {}
    try:
        table = file.table()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    kinds = dict(column.split(":", 1) for column in table.columns if ":" in column)
    table.columns = [column.split(":", 1)[0] for column in table.columns]
    if key not in kinds:
        raise InputError(f"{path}: no column {key}; it has {', '.join(table.columns)}")
    table = table.drop_duplicates(key).set_index(key).reindex(tokens).fillna("")
    return {name: (kinds.get(name, "token"), table[name].to_numpy(dtype=str)) for name in table.columns}


def _as_numbers(values: np.ndarray) -> np.ndarray | None:
    try:
        return np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return None


def _most_frequent(values: np.ndarray) -> np.ndarray:
    """Rare values become "other", so that a legend can be read."""
    values = np.where(values == "", _UNKNOWN, values).astype(object)
    names, count = np.unique(values.astype(str), return_counts=True)
    kept = set(names[np.argsort(-count, kind="stable")][:_MOST_VALUES])
    return np.array([value if value in kept else _OTHER for value in values], dtype=str)
