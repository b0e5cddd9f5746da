"""RecBole's sequential data set with rows cut on demand, and its training part as whole sequences.

RecBole (``SequentialDataset.data_augmentation``) writes out one padded prefix per interaction. Here a row is a pair
of indices into the interactions sorted by user and time; the padded lists are gathered when a batch asks for them.
Filters, order and split of these rows are RecBole's for every ``eval_args``.
"""

from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data.interaction import Interaction

from recbole_llmdistill.data.fast.loading import FileLoading
from recbole_llmdistill.data.fast.row_table import RowTable
from recbole_llmdistill.data.fast.splitting import RowSplitting
from recbole_llmdistill.data.training_part import TrainingPart
from recbole_llmdistill.data.windows import Windows, cut_windows
from recbole_llmdistill.errors import InputError

# Column of the rows: index of the row's target among the sorted interactions. It never reaches a batch.
TARGET_INDEX = "distillation_target_index"


class DistillationDataset(TrainingPart, FileLoading, RowSplitting):
    """Data set of the distilled models; ``config["sequence_training"]`` chooses how the training part is read.

    ``prefix``: one row a training target, field by field what RecBole's :class:`SequentialDataset` gives.
    ``whole``: one row a window of a user's training history (:func:`~recbole_llmdistill.data.windows.cut_windows`).
    Validation and test parts always have RecBole's rows.
    """

    windows: Windows | None = None
    inter_feat: RowTable

    def data_augmentation(self) -> None:
        """Make RecBole's rows, as indices; the counterpart of RecBole's method of this name, without its lists."""
        self._aug_presets()
        self._check_field("uid_field", "time_field")
        self.sort(by=[self.uid_field, self.time_field], ascending=True)
        self.sorted_interactions: Interaction = self.inter_feat
        users = self.inter_feat[self.uid_field]
        is_first = torch.ones(len(users), dtype=torch.bool)
        is_first[1:] = users[1:] != users[:-1]
        self.user_starts = is_first.nonzero().squeeze(1)
        target = (~is_first).nonzero().squeeze(1)
        targets_of_user = torch.diff(self.user_starts, append=torch.tensor([len(users)])) - 1
        length = target - torch.repeat_interleave(self.user_starts, targets_of_user)
        rows = self.inter_feat[target]
        rows[self.item_list_length_field] = length.clamp_(max=self.max_item_list_len)
        rows[TARGET_INDEX] = target
        self.inter_feat = rows

    def build(self) -> list["DistillationDataset"]:
        """Training, validation and test part, split by RecBole."""
        whole = self.config["sequence_training"] == "whole"
        if whole and self.benchmark_filename_list is not None:
            raise InputError(
                "sequence_training: 'whole' cannot be used with benchmark_filename, whose files hold ready-made "
                "prefixes; set sequence_training=prefix"
            )
        train, valid, test = super().build()
        if whole:
            train._prepare_windows()
            train.cut_windows(epoch=0)
        return [train, valid, test]

    def cut_windows(self, epoch: int) -> None:
        """Cut the training histories into the windows of an epoch; their number is the same in all epochs.

        To be called on the training part that :meth:`build` returns. Does nothing with ``sequence_training: prefix``.
        """
        if self.config["sequence_training"] == "whole":
            first, end = self.window_ranges
            length = self.max_item_list_len
            stride = max(1, round(length * (1 - self.config["sequence_window_overlap"])))
            shift = None
            if self.config["sequence_window_shift"]:
                shift = np.random.default_rng([self.config["seed"], epoch]).random(len(first))
            self.windows = cut_windows(first, end, length, stride, shift)

    def _prepare_windows(self) -> None:
        """Set ``window_ranges``: of each user, what windows are cut from, as :meth:`training_ranges`."""
        raise NotImplementedError

    def _training_range_of_users(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each user with a training target: index of the first interaction, and of the last training target."""
        target = np.full(len(self.sorted_interactions), -1)
        target[self.inter_feat[TARGET_INDEX]] = self.inter_feat[TARGET_INDEX]
        last_target = np.maximum.reduceat(target, self.user_starts.numpy())
        trained = last_target >= 0
        return self.user_starts.numpy()[trained], last_target[trained]

    def training_ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """Half-open ranges ``[first, end)`` of what training sees, into ``sorted_interactions`` (user, then time).

        To be called on the training part that :meth:`build` returns. One range a user that has a training target.

        Raises:
            InputError: the data set is given as ready-made prefixes (``benchmark_filename``), which have no ranges.
        """
        if self.benchmark_filename_list is not None:
            raise InputError(
                "benchmark_filename: its files hold ready-made prefixes and no histories; give the plain .inter file"
            )
        first, last_target = self._training_range_of_users()
        return first, last_target + 1

    def __len__(self) -> int:
        return len(self.inter_feat) if self.windows is None else len(self.windows)

    def __getitem__(self, index: Any, join: bool = True) -> Interaction:
        if self.windows is not None:
            batch = self._window_batch(index)
        elif self.benchmark_filename_list is not None:
            batch = self.inter_feat[index]
        else:
            batch = self._prefix_batch(index)
        return self.join(batch) if join else batch

    def _prefix_batch(self, index: Any) -> Interaction:
        """RecBole's rows: each target with the padded lists of the interactions before it."""
        rows = self.inter_feat[index]
        target = torch.as_tensor(rows[TARGET_INDEX])
        length = torch.as_tensor(rows[self.item_list_length_field])
        columns = {name: rows[name] for name in rows.columns if name != TARGET_INDEX}
        position, real = self._positions(target - length, length)
        for field in self.sorted_interactions.columns:
            if field != self.uid_field and field in columns:
                columns[getattr(self, f"{field}_list_field")] = self._gather(field, position, real)
        return Interaction(columns)

    def _window_batch(self, index: Any) -> Interaction:
        raise NotImplementedError

    def _positions(self, start: torch.Tensor, length: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices ``[batch, max_item_list_len]`` of consecutive interactions, and which of them are real."""
        offset = torch.arange(self.max_item_list_len)
        real = offset < length.unsqueeze(-1)
        return torch.where(real, start.unsqueeze(-1) + offset, 0), real

    def _gather(self, field: str, position: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        values = self.sorted_interactions[field][position]
        real = real.view(real.shape + (1,) * (values.dim() - real.dim()))
        return torch.where(real, values, torch.zeros((), dtype=values.dtype))  # a product with 0 would keep NaN and inf

    def inter_matrix(self, form: str = "coo", value_field: str | None = None) -> Any:
        """Sparse user-item matrix of this part; RecBole's method finds each user's first item in the prefix lists."""
        target = self.inter_feat[TARGET_INDEX]
        index = torch.cat([target, target[self.inter_feat[self.item_list_length_field] == 1] - 1])
        return self._create_sparse_matrix(
            self.sorted_interactions[index], self.uid_field, self.iid_field, form, value_field
        )

    def history_lengths(self) -> np.ndarray:
        """Of each row of RecBole's, the user's interactions before its target, of which the list holds the newest."""
        if self.benchmark_filename_list is not None:
            return self.inter_feat[self.item_list_length_field].numpy()
        target, starts = self.inter_feat[TARGET_INDEX].numpy(), self.user_starts.numpy()
        return target - starts[np.searchsorted(starts, target, side="right") - 1]

    def _digested(self) -> list[torch.Tensor]:
        """This part's rows and all interactions; with ``benchmark_filename``, this part's rows alone."""
        columns = [self.inter_feat[self.uid_field], self.inter_feat[self.iid_field]]
        if self.benchmark_filename_list is not None:
            return [*columns, self.inter_feat[self.item_id_list_field]]
        return [*columns, self.sorted_interactions[self.uid_field], self.sorted_interactions[self.iid_field]]

    def training_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """RecBole's ids of what :meth:`training_interactions` gives, ``[R]`` each."""
        if self.benchmark_filename_list is not None:
            rows = self.inter_feat[self.inter_feat[self.item_list_length_field] == 1]
            users = torch.cat([self.inter_feat[self.uid_field], rows[self.uid_field]])
            items = torch.cat([self.inter_feat[self.iid_field], rows[self.item_id_list_field][:, 0]])
        else:
            first, end = self.training_ranges()
            counts = end - first
            index = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
            users = self.sorted_interactions[self.uid_field][index]
            items = self.sorted_interactions[self.iid_field][index]
        return users.numpy(), items.numpy()


class CausalSequenceDataset(DistillationDataset):
    """Windows for next-item models: the loss is taken at every position that has a training target after it."""

    @property
    def target_list_field(self) -> str:
        """Column ``[batch, max_item_list_len]``: the item that follows each position, 0 where no loss is taken."""
        return target_list_field(self.config)

    def _prepare_windows(self) -> None:
        # A window's inputs end one before its last target.
        self.window_ranges = self._training_range_of_users()
        self.is_target = torch.zeros(len(self.sorted_interactions), dtype=torch.bool)
        self.is_target[self.inter_feat[TARGET_INDEX]] = True

    def _window_batch(self, index: Any) -> Interaction:
        assert self.windows is not None
        start, end = torch.from_numpy(self.windows.start[index]), torch.from_numpy(self.windows.end[index])
        counts_from = torch.from_numpy(self.windows.counts_from[index])
        position, real = self._positions(start, end - start)
        counted = real & (position >= counts_from.unsqueeze(-1)) & self.is_target[position + 1]
        return Interaction(
            {
                self.uid_field: self.sorted_interactions[self.uid_field][start],
                self.item_id_list_field: self._gather(self.iid_field, position, real),
                self.item_list_length_field: end - start,
                self.target_list_field: self._gather(self.iid_field, position + 1, counted),
            }
        )


class MaskedSequenceDataset(DistillationDataset):
    """Windows for masked-item models: every training item of a user, to be masked by the model."""

    def _prepare_windows(self) -> None:
        self.window_ranges = self.training_ranges()

    def _window_batch(self, index: Any) -> Interaction:
        assert self.windows is not None
        start, end = torch.from_numpy(self.windows.start[index]), torch.from_numpy(self.windows.end[index])
        position, real = self._positions(start, end - start)
        return Interaction(
            {
                self.uid_field: self.sorted_interactions[self.uid_field][start],
                self.item_id_list_field: self._gather(self.iid_field, position, real),
                self.item_list_length_field: end - start,
            }
        )


def target_list_field(config: Config) -> str:
    """Name of the column of targets in a batch of causal windows."""
    return config["ITEM_ID_FIELD"] + "_target" + config["LIST_SUFFIX"]
