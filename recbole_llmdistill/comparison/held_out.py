"""The test cases that all arms are asked: who, which item, and what is known of them from the training part."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically

HELD_OUT = "held_out.npz"


@dataclass(frozen=True)
class HeldOut:
    """One row a test case, sorted by user and item, whatever the order in which a model is asked.

    Attributes:
        users: ``[R]`` user tokens.
        items: ``[R]`` tokens of the held-out item.
        history_lengths: ``[R]`` interactions of the user before it.
        item_tokens: ``[N]`` all items of the data set, sorted.
        item_counts: ``[N]`` interactions with each in the training part.
        training_fingerprint: of the training interactions.
        test_fingerprint: of the test cases.
    """

    users: np.ndarray
    items: np.ndarray
    history_lengths: np.ndarray
    item_tokens: np.ndarray
    item_counts: np.ndarray
    training_fingerprint: str
    test_fingerprint: str

    @property
    def fingerprints(self) -> dict[str, str]:
        """What tells data set, filter and split from others."""
        return {"training": self.training_fingerprint, "test": self.test_fingerprint}

    @property
    def popularities(self) -> np.ndarray:
        """``[R]`` interactions with the held-out item in the training part."""
        return self.item_counts[np.searchsorted(self.item_tokens, self.items)]

    def write(self, path: Path) -> None:
        """Write it where the processes of the runs find it."""
        with written_atomically(path) as temporary:
            np.savez_compressed(temporary, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> "HeldOut":
        """What :meth:`write` wrote."""
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] if file[name].ndim else file[name].item() for name in file.files}
        return cls(**values)

    def order_of(self, users: np.ndarray, items: np.ndarray, lists: int) -> np.ndarray:
        """Order in which rows of a model's test part are these test cases.

        Args:
            users: ``[R]`` user token of each item that is held out.
            items: ``[R]`` its token.
            lists: number of rankings; RecBole's general recommenders rank once per user, whatever is held out.

        Raises:
            InputError: they are not the same test cases.
        """
        order = np.lexsort((items, users))
        same = np.array_equal(users[order], self.users) and np.array_equal(items[order], self.items)
        if not same or lists != len(users):
            raise InputError(
                f"this model is asked for {len(users):,} items in {lists:,} rankings, the others for "
                f"{len(self.users):,} items in as many, or for other ones, so their figures cannot stand in one table; "
                "a split with one test item a user, such as leave-one-out, suits all models"
            )
        return order
