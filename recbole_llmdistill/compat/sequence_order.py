"""The order of interactions: by the time as it was read, not by what float32 leaves of it.

Answered lines: ``_dataframe_to_interaction`` (``data/dataset/dataset.py`` 2123) makes times float32 before anything is
sorted or split by them. Seconds since 1970 are 128 apart there and milliseconds 131,072, so what lies between becomes
equal, and histories get the order of the file. With ``sequence_order: exact`` times stay float64 until
``Dataset.build`` has sorted and split, and float32 is what models see, as ever. That holds for every data set of
RecBole with ``order: TO``, so that all models of a comparison are asked for the same items. ``recbole`` leaves
RecBole's order; so does a config without the setting, such as that of a checkpoint from before there was one.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from recbole.data.dataset import Dataset
from recbole.utils import FeatureType

from recbole_llmdistill.compat.extend import extend
from recbole_llmdistill.errors import InputError


class Moved(NamedTuple):
    """Places of histories at which float32 puts another item.

    Attributes:
        users: the user of each.
        age: interactions of that user which are newer.
        n_users: users of the data set, moved or not.
    """

    users: np.ndarray
    age: np.ndarray
    n_users: int


def is_exact(dataset: Dataset) -> bool:
    """Whether the data set is sorted and split by times as they were read."""
    return _is_by_time(dataset) and dataset.config["sequence_order"] == "exact"


def _is_by_time(dataset: Dataset) -> bool:
    by_time = dataset.benchmark_filename_list is None and dataset.config["eval_args"]["order"] == "TO"
    return by_time and dataset.time_field in dataset.inter_feat


def _build(self: Dataset, original: Callable) -> list[Dataset]:
    """The parts, in the order that the config wants; with RecBole's, the log says what it changes."""
    if not _is_by_time(self):
        return original(self)
    if (kind := self.field2type[self.time_field]) != FeatureType.FLOAT:
        raise InputError(
            f"{self.dataset_name}.inter: {self.time_field} (TIME_FIELD) is a {kind.value} column, which has no order; "
            f"write it as {self.time_field}:float, in seconds, milliseconds or any other number that grows with time"
        )
    exact = is_exact(self)
    moved = None if exact else _moved_by_float32(self)
    parts = original(self)
    if moved:
        _tell(self, moved, parts)
    for part in [self, *parts] if exact else ():
        _narrow_times(part)
    return parts


def _moved_by_float32(dataset: Dataset) -> Moved | None:
    """What float32 does to the order of the histories, or None where it does nothing."""
    table = dataset.inter_feat
    if not isinstance(table, pd.DataFrame) or dataset.uid_field is None or dataset.iid_field is None:
        return None
    times = table[dataset.time_field].to_numpy()
    if times.dtype == object:  # a numerical feature: pairs, the first number of which RecBole sorts by
        times = np.array([pair[0] for pair in times])
    narrow = times.astype(np.float32)
    if np.array_equal(narrow, times):
        return None
    users, items = table[dataset.uid_field].to_numpy(), table[dataset.iid_field].to_numpy()
    exact, narrowed = (np.lexsort((keys, users)) for keys in (times, narrow))
    other = items[exact] != items[narrowed]
    users = users[exact]
    age = np.searchsorted(users, users, side="right") - 1 - np.arange(len(users))
    return Moved(users[other], age[other], len(np.unique(users))) if other.any() else None


def _tell(dataset: Dataset, moved: Moved, parts: list[Dataset]) -> None:
    validation, test = (
        np.bincount(part.inter_feat[dataset.uid_field].numpy(), minlength=dataset.user_num) for part in parts[1:]
    )
    in_test = moved.age < test[moved.users]
    in_validation = ~in_test & (moved.age < (test + validation)[moved.users])
    dataset.logger.warning(
        f"sequence_order=recbole: RecBole narrows times to float32, which puts the histories of "
        f"{len(np.unique(moved.users))} of {moved.n_users} users in another order than their times have, with another "
        f"item in {in_validation.sum()} places of the validation part and {in_test.sum()} of the test part "
        "(sequence_order=exact keeps the order)"
    )


def _narrow_times(part: Dataset) -> None:
    """Make the times float32, as models expect them; no order depends on them any more."""
    fields = (part.time_field, getattr(part, f"{part.time_field}_list_field", None))
    for table in (part.inter_feat, getattr(part, "sorted_interactions", None)):
        for field in fields:
            if table is not None and field in table:
                table.interaction[field] = table.interaction[field].to(torch.float32)


def install() -> None:
    """Extend what makes the parts of RecBole's data sets."""
    extend(Dataset, "build", _build)
