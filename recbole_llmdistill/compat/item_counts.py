"""How often each item was a training target, kept beside the weights: what is left to say to a user without a history.

In a checkpoint (``item_counts``, readable with ``torch.load(weights_only=True)``), four bytes per item::

    {"version": 1, "counts": int32 [N]}

Count n of N is of the item with number n, the padding's, 0, first.
"""

from collections.abc import Mapping
from typing import Any

import torch

from recbole_llmdistill.data.item_popularity import item_popularity
from recbole_llmdistill.errors import InputError

KEY = "item_counts"
VERSION = 1


def count_items(dataset: Any) -> torch.Tensor | None:
    """Counts ``[N]`` int32 of the data set that a model is built on, its training part; None where it has no items."""
    rows = getattr(dataset, "inter_feat", None)
    if rows is None or getattr(dataset, "iid_field", None) not in rows:  # as of a context-aware model
        return None
    return item_popularity(dataset, dataset.item_num).int()


def to_plain(counts: torch.Tensor) -> dict[str, Any]:
    """Form in a checkpoint."""
    return {"version": VERSION, "counts": counts}


def from_checkpoint(state: Mapping[str, Any], n_items: int, file: str) -> torch.Tensor | None:
    """Counts ``[n_items]`` that a checkpoint carries; None where it is RecBole's own or an older one.

    Raises:
        InputError: they are damaged, or of a later version.
    """
    plain = state.get(KEY)
    if plain is None:
        return None
    version = plain.get("version") if isinstance(plain, Mapping) else None
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"{file}: its {KEY} have version {version}, known here is {VERSION}; update recbole-llmdistill"
        )
    counts = plain.get("counts") if version == VERSION else None
    if not isinstance(counts, torch.Tensor) or counts.dtype != torch.int32 or counts.shape != (n_items,):
        raise InputError(f"{file}: its {KEY} are damaged (no whole number for each of its {n_items} items)")
    return counts.cpu()
