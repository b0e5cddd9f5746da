"""Evaluation without the items that a user has seen, for sequential models: ``eval_exclude_seen: True``.

Answered lines: ``FullSortEvalDataLoader.collate_fn`` (general_dataloader.py 257) gives the trainer a history to mask
for every kind of model but the sequential ones, and ``SequentialDataset.data_augmentation`` (sequential_dataset.py 110)
forgets what lies before a row's list of ``MAX_ITEM_LIST_LENGTH`` items. Here the loader gives the whole history before
the target, and RecBole's own data sets remember it where the setting is on; ours always do. The target itself is never
masked, though it may have been seen: a case that cannot be answered would measure nothing.
"""

from collections.abc import Callable
from typing import Any

import torch
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.dataset import SequentialDataset
from recbole.data.dataset.customized_dataset import DIENDataset
from recbole.data.interaction import Interaction

from recbole_llmdistill.compat.extend import extend
from recbole_llmdistill.data.dataset import TARGET_INDEX

KEY = "eval_exclude_seen"


def seen_before(part: Any, index: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What the users of some rows of a sequential data set had seen before each row's target.

    With ``benchmark_filename``, whose files hold ready-made lists, that is the list and no more.

    Args:
        part: built data set, ours or, with ``eval_exclude_seen``, RecBole's.
        index: ``[B]`` rows of it.

    Returns:
        Place in ``index`` and item id of each item seen, ``[S]`` each, int64, by place; repeated items repeatedly.
    """
    index = torch.as_tensor(index)
    if part.benchmark_filename_list is not None:
        lists = part.inter_feat[part.item_id_list_field][index]
        places, columns = lists.nonzero(as_tuple=True)  # 0 is padding
        return places, lists[places, columns]
    target = part.inter_feat[TARGET_INDEX][index]
    start = part.user_starts[torch.searchsorted(part.user_starts, target, right=True) - 1]
    length = target - start
    shift = start - (length.cumsum(0) - length)
    position = torch.arange(int(length.sum())) + torch.repeat_interleave(shift, length)
    places = torch.repeat_interleave(torch.arange(len(length)), length)
    return places, part.sorted_interactions[part.iid_field][position]


def _collate(self: FullSortEvalDataLoader, original: Callable, index: Any) -> tuple:
    batch = original(self, index)
    if not self.is_sequential or not self.config[KEY]:
        return batch
    interaction, _, positive_u, positive_i = batch
    places, items = seen_before(self._dataset, index)
    masked = items != positive_i[places]
    return interaction, (places[masked], items[masked]), positive_u, positive_i


def _augment(self: SequentialDataset, original: Callable) -> None:
    table = self.inter_feat  # which `original` sorts by user and time, and then puts its rows in the place of
    original(self)
    if not self.config[KEY]:
        return
    users = table[self.uid_field]
    is_first = torch.ones(len(users), dtype=torch.bool)
    is_first[1:] = users[1:] != users[:-1]
    self.sorted_interactions, self.user_starts = table, is_first.nonzero().squeeze(1)
    self.inter_feat.update(Interaction({TARGET_INDEX: (~is_first).nonzero().squeeze(1)}))


def install() -> None:
    """Extend RecBole's evaluation loader, and its sequential data sets."""
    extend(FullSortEvalDataLoader, "collate_fn", _collate)
    extend(SequentialDataset, "data_augmentation", _augment)
    extend(DIENDataset, "data_augmentation", _augment)
