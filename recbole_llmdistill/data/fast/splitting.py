"""RecBole's splits for millions of rows: the second of the two reasons why a large data set is slow to start.

RecBole collects the rows of each user in Python lists. Here the rows are grouped by one stable sort; groups stand in
the order in which RecBole's dictionary would hold them, by their first row, and so do the rows of every part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from recbole.data.dataset import SequentialDataset


@dataclass(frozen=True)
class Groups:
    """Rows by group.

    Attributes:
        rows: index of every row, group after group, in their order within the group.
        sizes: rows of each group.
    """

    rows: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, keys: torch.Tensor) -> "Groups":
        """Rows with equal keys belong together."""
        by_key = torch.sort(keys, stable=True).indices
        sorted_keys = keys.index_select(0, by_key)
        _, sizes = torch.unique_consecutive(sorted_keys, return_counts=True)
        starts = sizes.cumsum(0) - sizes
        first_rows = by_key.index_select(0, starts)
        order = torch.sort(first_rows).indices
        sizes_in_order = sizes.index_select(0, order)
        shift = starts.index_select(0, order) - (sizes_in_order.cumsum(0) - sizes_in_order)
        position = torch.arange(len(keys)) + torch.repeat_interleave(shift, sizes_in_order)
        return cls(by_key.index_select(0, position).numpy(), sizes_in_order.numpy())

    def cut(self, ends: np.ndarray) -> list[np.ndarray]:
        """Cut every group into parts.

        Args:
            ends: ``[groups, parts - 1]``, where in its group each part but the last ends.

        Returns:
            Rows of each part.
        """
        starts = np.cumsum(self.sizes) - self.sizes
        place = np.arange(len(self.rows)) - np.repeat(starts, self.sizes)
        part = np.zeros(len(self.rows), dtype=np.int8)
        for end in ends.T:
            part += place >= np.repeat(end, self.sizes)
        return [self.rows[part == number] for number in range(ends.shape[1] + 1)]


class RowSplitting(SequentialDataset):
    """Splits the rows of a data set as RecBole does."""

    def leave_one_out(self, group_by: str, leave_one_mode: str) -> list[SequentialDataset]:
        if group_by is None or leave_one_mode not in ("valid_and_test", "valid_only", "test_only"):
            return super().leave_one_out(group_by, leave_one_mode)  # which says what is wrong
        groups = Groups.of(self.inter_feat[group_by])
        if leave_one_mode == "valid_and_test":
            left_out = np.minimum(2, groups.sizes - 1)  # two rows: none for validation; one row: training's
            ends = [groups.sizes - left_out, groups.sizes - np.minimum(1, left_out)]
            return self._parts(groups.cut(np.stack(ends, axis=1)))
        train, left = groups.cut((groups.sizes - np.minimum(1, groups.sizes - 1))[:, None])
        nothing = np.array([], dtype=np.int64)
        return self._parts([train, left, nothing] if leave_one_mode == "valid_only" else [train, nothing, left])

    def split_by_ratio(self, ratios: Sequence[float], group_by: str | None = None) -> list[SequentialDataset]:
        if group_by is None:
            return super().split_by_ratio(ratios)
        shares = [ratio / sum(ratios) for ratio in ratios]
        groups = Groups.of(self.inter_feat[group_by])
        sizes, which = np.unique(groups.sizes, return_inverse=True)
        ends = np.array([self._calcu_split_ids(tot=int(size), ratios=shares) for size in sizes], dtype=np.int64)
        ends = ends.reshape(len(sizes), len(shares) - 1)  # also where there are no rows at all
        return self._parts(groups.cut(ends[which]))

    def time_based_split(self, ratios: Sequence[float], group_by: str | None) -> list[SequentialDataset]:
        if group_by is None or self.time_field not in self.inter_feat:
            return super().time_based_split(ratios, group_by)
        shares = [ratio / sum(ratios) for ratio in ratios]
        times = self.inter_feat[self.time_field].numpy()
        boundary = np.percentile(times, 100 * (1 - shares[-1]))
        groups = Groups.of(self.inter_feat[group_by])
        starts = np.cumsum(groups.sizes) - groups.sizes
        before = np.add.reduceat((times[groups.rows] <= boundary).astype(np.int64), starts)
        train = (before * (shares[0] / (1 - shares[2]))).astype(np.int64)
        return self._parts(groups.cut(np.stack([train, before], axis=1)))

    def _parts(self, rows: list[np.ndarray]) -> list[SequentialDataset]:
        self._drop_unused_col()
        return [self.copy(self.inter_feat[index]) for index in rows]
