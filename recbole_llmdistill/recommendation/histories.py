"""Sequences of a data set's users: all their interactions, held-out ones among them, the newest last."""

from dataclasses import dataclass

import numpy as np
from recbole.data.dataset import Dataset

from recbole_llmdistill.recommendation.sequences import UserSequence


@dataclass(frozen=True)
class Histories:
    """What each user of a data set did.

    Attributes:
        user_numbers: number of each user token.
        item_tokens: ``[N]`` token of each item number of the data set.
        starts: ``[U + 1]`` where each user's items begin.
        items: item numbers of all users, one user after the other.
    """

    user_numbers: dict[str, int]
    item_tokens: np.ndarray
    starts: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset) -> "Histories":
        """Those of a data set that was loaded and not built yet, in the order that training gives them."""
        rows = dataset.inter_feat
        users, items = rows[dataset.uid_field].to_numpy(), rows[dataset.iid_field].to_numpy()
        times: np.ndarray = rows[dataset.time_field].to_numpy() if dataset.time_field in rows else np.zeros(len(rows))
        if times.dtype == object:  # of a numerical feature: pairs, the first number of which RecBole sorts by
            times = np.array([pair[0] for pair in times])
        if dataset.config["sequence_order"] != "exact":
            times = times.astype(np.float32)
        order = np.lexsort((times, users))
        starts = np.searchsorted(users[order], np.arange(dataset.user_num + 1))
        tokens = dataset.field2id_token[dataset.uid_field]
        numbers = {str(token): number for number, token in enumerate(tokens) if number}
        return cls(numbers, dataset.field2id_token[dataset.iid_field], starts, items[order])

    def of_user(self, user: str) -> UserSequence:
        """A user with the sequence, which is empty where the data set does not know the user."""
        number = self.user_numbers.get(user)
        if number is None:
            return UserSequence(user, [])
        items = self.items[self.starts[number] : self.starts[number + 1]]
        return UserSequence(user, self.item_tokens[items].tolist())
