"""RecBole's split of the data set that all arms share, and the test cases in it."""

import numpy as np
import pandas as pd
from recbole.config import Config
from recbole.data import create_dataset

from recbole_llmdistill.comparison.held_out import HeldOut
from recbole_llmdistill.data.dataset import DistillationDataset
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.fingerprint import fingerprint_interactions


def read_parts(config: Config) -> list[DistillationDataset]:
    """Training, validation and test part of the reference config, split by RecBole.

    Raises:
        InputError: a part is empty.
    """
    parts = create_dataset(config).build()
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if len(part) == 0:
            raise InputError(f"eval_args: the {name} part of this split is empty, so nothing can be compared")
    return parts


def held_out_cases(training_part: DistillationDataset, test_part: DistillationDataset) -> HeldOut:
    """The test cases of a split."""
    uid, iid = training_part.uid_field, training_part.iid_field
    rows = test_part.inter_feat
    users = training_part.id2token(uid, rows[uid].numpy()).astype(str)
    items = training_part.id2token(iid, rows[iid].numpy()).astype(str)
    training_users, training_items = training_part.training_interactions()
    item_tokens = np.sort(training_part.field2id_token[iid][1:].astype(str))  # but for the padding item
    counts = pd.Series(training_items.astype(str)).value_counts()
    order = np.lexsort((items, users))
    users, items = users[order], items[order]
    return HeldOut(
        users,
        items,
        test_part.history_lengths()[order].astype(np.int64),
        item_tokens,
        counts.reindex(item_tokens, fill_value=0).to_numpy(np.int64),
        fingerprint_interactions(training_users, training_items),
        fingerprint_interactions(users, items),
    )
