"""The users' training histories, as the very config that will train splits them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from recbole.config import Config
from recbole.data import create_dataset

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.atomic_files import AtomicFile
from recbole_llmdistill.profiles.item_text import CELL, MISSING, Catalogue, chosen_fields, clean, read_catalogue


@dataclass(frozen=True)
class History:
    """Training interactions of one user, oldest first.

    Attributes:
        user_id: the user's token.
        items: RecBole's item ids, ``[length]``.
        lines: what an LLM is shown of each.
    """

    user_id: str
    items: np.ndarray
    lines: list[str]


@dataclass(frozen=True)
class Column:
    """An interaction field: ``values[codes[i]]`` belongs to interaction ``i``."""

    label: str
    codes: np.ndarray
    values: list[str]


@dataclass(frozen=True)
class Histories:
    """All users' histories; the text of one is made when it is asked for, so memory does not grow while they are read.

    Attributes:
        catalogue: the items' texts.
        columns: the interactions' shown fields.
        users: token of each user who has training interactions, ``[users]``.
        first, end: the user's training interactions among ``items``, ``[users]``.
        last: one past the user's last interaction of all, held-out ones included, ``[users]``.
        items: item of each interaction, sorted by user and time.
        without_training: users of the data set without a training interaction.
        training_fingerprint: of the training pairs, see :mod:`recbole_llmdistill.fingerprint`.
    """

    catalogue: Catalogue
    columns: tuple[Column, ...]
    users: np.ndarray
    first: np.ndarray
    end: np.ndarray
    last: np.ndarray
    items: np.ndarray
    without_training: int
    training_fingerprint: str

    @property
    def header(self) -> str:
        """The line above a history that names its cells."""
        return CELL.join([*self.catalogue.labels, *(column.label for column in self.columns)])

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, index: int) -> History:
        part = slice(int(self.first[index]), int(self.end[index]))
        items = self.items[part]
        lines = [self.catalogue.texts[item] for item in items.tolist()]
        for column in self.columns:
            cells = column.codes[part].tolist()
            lines = [line + CELL + column.values[cell] for line, cell in zip(lines, cells, strict=True)]
        return History(str(self.users[index]), items, lines)

    def held_out_titles(self, index: int) -> list[str]:
        """Titles of the user's validation and test items, but for items that training shows as well."""
        held_out = set(self.items[self.end[index] : self.last[index]].tolist())
        held_out -= set(self.items[self.first[index] : self.end[index]].tolist())
        return [self.catalogue.title(item) for item in sorted(held_out)]


def load_histories(config: Config) -> Histories:
    """Histories of a RecBole config, whose loading is extended by the shown interaction fields.

    Raises:
        InputError: RecBole cannot read or split the data, or a shown field does not exist.
    """
    if not list(Path(config["data_path"]).glob(f"{config['dataset']}*.inter")):
        raise InputError(f"dataset {config['dataset']!r}: no {config['dataset']}.inter in {config['data_path']}")
    shown = load_raw_interaction_fields(config)
    try:
        training_part, *_ = create_dataset(config).build()
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(
            f"{config['data_path']}: a file is not {config['encoding'] or 'utf-8'} text ({error.reason}); convert it, "
            "or set encoding (e.g. --encoding=latin-1)"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError, OSError, NotImplementedError) as error:
        raise InputError(f"RecBole cannot load dataset {config['dataset']!r}: {error!r}") from error

    interactions = training_part.sorted_interactions
    user_of = interactions[training_part.uid_field].numpy()
    first, end = training_part.training_ranges()
    return Histories(
        catalogue=read_catalogue(
            AtomicFile.of(config, "item"),
            training_part.iid_field,
            config["profile_item_fields"],
            training_part.field2token_id[training_part.iid_field],
        ),
        columns=tuple(_column(training_part, field, label) for field, label in shown.items()),
        users=training_part.id2token(training_part.uid_field, user_of[first]),
        first=first,
        end=end,
        last=np.searchsorted(user_of, user_of[first], side="right"),
        items=interactions[training_part.iid_field].numpy().astype(np.int32),
        without_training=training_part.user_num - 1 - len(first),
        training_fingerprint=training_part.training_fingerprint(),
    )


def load_raw_interaction_fields(config: Config) -> dict[str, str]:
    """Make RecBole load the shown fields of ``.inter``, and not scale them to [0, 1]; the split stays what it is.

    The time must stay scaled where the config says so: as float32, seconds since 1970 have ties that scaled ones have
    not, and the order of a user's interactions would be another one.

    Returns:
        Field -> label.
    """
    header = AtomicFile.of(config, "inter").header()
    loaded = (config["load_col"] or {}).get("inter", [])
    if config["load_col"] is None or loaded == "*":
        loaded = list(header)
    known = (config["USER_ID_FIELD"], config["ITEM_ID_FIELD"], config["TIME_FIELD"])
    showable = [field for field in loaded if field not in known and header.get(field) in ("token", "float")]
    shown = chosen_fields(config["profile_interaction_fields"], showable)
    for field in shown:
        if header.get(field) not in ("token", "float") or field in known:
            possible = [name for name, kind in header.items() if name not in known and kind in ("token", "float")]
            raise InputError(
                f"profile_interaction_fields: {field!r} cannot be shown; possible in {config['dataset']}.inter: "
                f"{', '.join(possible) or 'none'}"
            )
    loaded = [*loaded, *(field for field in shown if field not in loaded)]
    if config["load_col"] is not None:
        config["load_col"] = {**config["load_col"], "inter": loaded}
    floats = [field for field in loaded if header.get(field) in ("float", "float_seq")]
    scaled = floats if config["normalize_all"] else config["normalize_field"] or []
    config["normalize_all"] = False
    config["normalize_field"] = [field for field in scaled if field not in shown]
    return shown


def _column(training_part, field: str, label: str) -> Column:
    values = training_part.sorted_interactions[field].numpy()
    if field in training_part.field2token_id:
        return Column(
            label,
            values.astype(np.int32),
            [clean(token) if code else MISSING for code, token in enumerate(training_part.field2id_token[field])],
        )
    distinct, codes = np.unique(values, return_inverse=True)
    names = [MISSING if np.isnan(value) else f"{value:.6g}" for value in distinct]
    return Column(label, codes.astype(np.int32), names)
