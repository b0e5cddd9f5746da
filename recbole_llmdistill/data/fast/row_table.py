"""RecBole's table of rows, with quick sorting and indexing of millions of them."""

from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction


class RowTable(Interaction):
    """An :class:`Interaction` that sorts and picks rows without Python lists; the results are RecBole's.

    RecBole turns every index into a list of Python numbers and re-orders all columns once a sort key.
    """

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            return self.interaction[index]
        if isinstance(index, range) and index.step == 1:
            index = slice(index.start, index.stop)
        elif isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype == np.int64:
            index = torch.from_numpy(index)
        if _is_positions(index):
            return RowTable({name: column.index_select(0, index) for name, column in self.interaction.items()})
        if isinstance(index, slice):
            return RowTable({name: column[index] for name, column in self.interaction.items()})
        return RowTable(super().__getitem__(index).interaction)

    def sort(self, by: str | list[str], ascending: bool | list[bool] = True) -> None:
        """Stable sort in place, by one field or by several, the first of which counts most."""
        fields = [by] if isinstance(by, str) else by
        found = [_sort_key(self.interaction.get(field)) for field in fields]
        keys = [key for key in found if key is not None]
        if ascending is not True or len(keys) < len(fields):
            super().sort(by, ascending)
            return
        order: torch.Tensor | None = None
        for key in reversed(keys):
            if order is not None:
                key = key.index_select(0, order)
            if bool((key[1:] >= key[:-1]).all()):
                continue
            ranks = torch.sort(key, stable=True).indices
            order = ranks if order is None else order.index_select(0, ranks)
        if order is not None:
            for name, column in self.interaction.items():
                self.interaction[name] = column.index_select(0, order)


def _is_positions(index: Any) -> bool:
    """Whether these are row numbers counted from the first row alone, which is what ``index_select`` takes."""
    if not isinstance(index, torch.Tensor) or index.ndim != 1 or index.dtype != torch.int64:
        return False
    return not bool((index < 0).any())


def _sort_key(column: torch.Tensor | None) -> torch.Tensor | None:
    """Whole numbers in the order of ``column``: torch sorts those by radix, six times faster than floats."""
    if column is None or column.ndim != 1:
        return None
    if column.dtype == torch.int64:
        return column
    whole = {torch.float32: torch.int32, torch.float64: torch.int64}.get(column.dtype)
    if whole is None or bool(column.isnan().any()):
        return None
    bits = (column + 0.0).view(whole)  # + 0.0 turns -0.0 into 0.0
    return torch.where(bits < 0, bits ^ torch.iinfo(whole).max, bits)
