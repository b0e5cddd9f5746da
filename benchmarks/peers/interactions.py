"""The interactions that every library trains on, in one file: RecBole's ids, RecBole's order, leave-one-out.

The file is written by an environment with RecBole and read by any with NumPy, so that all see the same rows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

HELD_OUT = {"valid": 2, "test": 1}
"""Place of the held-out item, counted from the end of a user's interactions."""


@dataclass(frozen=True)
class Interactions:
    """Interactions sorted by user and time.

    Attributes:
        users: ``[n]``, from 1, each user's rows in a block.
        items: ``[n]``, from 1; 0 is padding.
        n_items: number of item ids, the padding item included.
    """

    users: np.ndarray
    items: np.ndarray
    n_items: int

    @classmethod
    def read(cls, file: str | Path) -> "Interactions":
        """As :meth:`write` wrote them."""
        with np.load(file) as arrays:
            return cls(arrays["users"], arrays["items"], int(arrays["n_items"]))

    def write(self, file: str | Path) -> None:
        """One uncompressed npz file."""
        np.savez(file, users=self.users, items=self.items, n_items=self.n_items)

    def sequences(self) -> list[np.ndarray]:
        """Each user's items, oldest first."""
        return np.split(self.items, np.flatnonzero(np.diff(self.users)) + 1)

    def training_sequences(self) -> list[np.ndarray]:
        """What training may see: all but the last two interactions of each user."""
        return [items[: -HELD_OUT["valid"]] for items in self.sequences()]

    def histories(self, part: str) -> list[np.ndarray]:
        """What comes before each user's held-out item of ``valid`` or ``test``."""
        return [items[: -HELD_OUT[part]] for items in self.sequences()]

    def held_out(self, part: str) -> np.ndarray:
        """The held-out item of each user, ``[users]``."""
        return np.array([items[-HELD_OUT[part]] for items in self.sequences()])


def from_recbole(dataset: str, settings: dict) -> Interactions:
    """Of a data set that RecBole finds, under the given RecBole settings.

    Raises:
        ValueError: RecBole's split is not leave-one-out for every user.
    """
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    import recbole_llmdistill  # noqa: F401  (registers the models)

    config = Config("SASRecDistill", dataset, config_dict={"state": "ERROR", **settings})
    train_data, _, test_data = data_preparation(config, create_dataset(config))
    train = train_data._dataset
    rows = train.sorted_interactions
    interactions = Interactions(rows[train.uid_field].numpy(), rows[train.iid_field].numpy(), train.item_num)
    test_items = test_data._dataset.inter_feat
    order = np.argsort(test_items[train.uid_field].numpy())
    if not np.array_equal(test_items[train.iid_field].numpy()[order], interactions.held_out("test")):
        raise ValueError("RecBole's test part is not each user's last item: eval_args must ask for leave-one-out")
    return interactions
