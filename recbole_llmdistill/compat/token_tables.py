"""Which item, user or other token each number of a data set stands for, kept beside the weights that it numbers.

RecBole's checkpoints hold rows by number alone, and a number is whatever place a token had in the files on that day. So
every model of RecBole that is built while this package is imported remembers its data set's tokens, its checkpoint
carries those of the fields that it has weights for, and whoever reads one compares.

In a checkpoint (``token_tables``, readable with ``torch.load(weights_only=True)``)::

    {"version": 1, "item_field": "item_id", "user_field": "user_id",
     "tables": {"item_id": {"utf8": uint8 [B], "offsets": int64 [N + 1]}}}

Token n of N, the padding's first, is ``utf8[offsets[n]:offsets[n + 1]]``.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from logging import getLogger
from typing import Any

import numpy as np
import torch
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.model.layers import FMEmbedding

from recbole_llmdistill.errors import InputError

KEY = "token_tables"
VERSION = 1


class TokenTables:
    """Tokens of numbered fields, by number.

    Args:
        tables: tokens of each field, the padding's first.
        item_field: name of the item field.
        user_field: name of the user field.
    """

    def __init__(self, tables: Mapping[str, Sequence[str]], item_field: str, user_field: str | None) -> None:
        self.tables, self.item_field, self.user_field = tables, item_field, user_field
        self._encoded: dict[str, dict[str, torch.Tensor]] = {}

    def __deepcopy__(self, _memo: dict) -> "TokenTables":
        return self  # RecBole copies a whole model to count its operations

    @classmethod
    def of(cls, dataset: Any) -> "TokenTables | None":
        """Those of a loaded RecBole data set; None where it numbers nothing."""
        if not getattr(dataset, "field2id_token", None) or not getattr(dataset, "iid_field", None):
            return None
        return cls(dataset.field2id_token, dataset.iid_field, dataset.uid_field)

    @classmethod
    def from_checkpoint(cls, state: Mapping[str, Any], file: str) -> "TokenTables | None":
        """Those that a checkpoint carries; None where it is RecBole's own or an older one.

        Raises:
            InputError: they are damaged, or of a later version.
        """
        plain = state.get(KEY)
        if plain is None:
            return None
        try:
            if plain["version"] != VERSION:
                raise InputError(
                    f"{file}: its {KEY} have version {plain['version']}, known here is {VERSION}; "
                    "update recbole-llmdistill"
                )
            tables = {field: _decode(table["utf8"], table["offsets"]) for field, table in plain["tables"].items()}
            return cls(tables, str(plain["item_field"]), plain["user_field"])
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: its {KEY} are damaged ({error})") from error

    def to_plain(self, fields: Iterable[str]) -> dict[str, Any]:
        """Form in a checkpoint, with these fields alone."""
        return {
            "version": VERSION,
            "item_field": self.item_field,
            "user_field": self.user_field,
            "tables": {str(field): self._encode(field) for field in fields},
        }

    def tokens(self, field: str) -> list[str]:
        """Tokens of a field by number."""
        return list(map(str, self.tables[field]))

    def _encode(self, field: str) -> dict[str, torch.Tensor]:
        if field not in self._encoded:
            pieces = [token.encode("utf-8", "surrogatepass") for token in self.tokens(field)]
            offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
            utf8 = np.frombuffer(b"".join(pieces), dtype=np.uint8).copy()
            self._encoded[field] = {"utf8": torch.from_numpy(utf8), "offsets": torch.from_numpy(offsets)}
        return self._encoded[field]


def _decode(utf8: torch.Tensor, offsets: torch.Tensor) -> list[str]:
    if utf8.dtype != torch.uint8 or offsets.dtype != torch.int64 or utf8.dim() != 1 or offsets.dim() != 1:
        raise TypeError("a table is no bytes and offsets")
    content, ends = utf8.cpu().numpy().tobytes(), offsets.tolist()
    if not ends or ends[0] != 0 or ends[-1] != len(content) or ends != sorted(ends):
        raise IndexError("offsets do not divide the bytes")
    return [content[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise(ends)]


def fields_with_weights(model: torch.nn.Module) -> list[str]:
    """Fields of a model's data set whose numbers its weights depend on.

    Items always; users unless the model is a sequential one; else a field that a weight is as long as, or all where
    RecBole's common table of several fields is used. A length that fits by chance makes one field too many.
    """
    own: TokenTables = model.token_tables  # type: ignore[assignment]  # as _remember_tokens has set it
    if any(isinstance(module, FMEmbedding) for module in model.modules()):
        return list(own.tables)
    lengths = {length for weight in model.state_dict().values() for length in weight.shape}
    wanted: set[str | None] = {own.item_field}
    if not isinstance(model, SequentialRecommender):
        wanted.add(own.user_field)
    # A mask token adds a row; no row for the padding leaves one out (S3Rec's attributes).
    wanted |= {field for field, tokens in own.tables.items() if lengths & {len(tokens) + more for more in (-1, 0, 1)}}
    return [field for field in own.tables if field in wanted]


def check_numbering(state: Mapping[str, Any], own: TokenTables, file: str) -> None:
    """Refuse a checkpoint whose fields are numbered otherwise than those of the data set at hand.

    One without tokens (RecBole's own, or an older one) gives a warning, since its order cannot be checked.

    Raises:
        InputError: the checkpoint's tokens are others, or in another order; says which.
    """
    then = TokenTables.from_checkpoint(state, file)
    if then is None:
        warn_of_unknown_order(file)
        return
    for field in then.tables:
        name = {then.item_field: own.item_field, then.user_field: own.user_field}.get(field, field)
        if name is None or name not in own.tables:
            raise InputError(f"{file} was trained with a field {field}, which the data set at hand does not have")
        if found := difference(then.tokens(field), own.tokens(name), name):
            raise InputError(
                f"{file} does not belong to this data set: {found}. The data set or its settings have changed "
                "since; restore them, or train again"
            )


def warn_of_unknown_order(file: str) -> None:
    """Say that a checkpoint without tokens is taken by position."""
    getLogger().warning(
        f"{file} does not say which item each of its rows is of, as RecBole's own checkpoints do not: they are taken "
        "in the order of this data set, which is right only if files and settings are those it was trained with"
    )


def difference(then: list[str], now: list[str], field: str) -> str | None:
    """What distinguishes a checkpoint's tokens of a field from the data set's, for people; None if nothing does."""
    if then == now:
        return None
    lost, new = len(set(then) - set(now)), len(set(now) - set(then))
    if lost or new or len(then) != len(now):
        return f"of its {len(then) - 1} values of {field} {lost} are not in the data set, which has {new} others"
    number = next(number for number, pair in enumerate(zip(then, now, strict=True)) if pair[0] != pair[1])
    return f"its values of {field} are in another order (number {number} is {then[number]} there, {now[number]} here)"
