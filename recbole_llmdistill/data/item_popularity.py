"""How often each item was chosen in the training part."""

import torch
from recbole.data.dataset import Dataset


def item_popularity(training_part: Dataset, n_items: int) -> torch.Tensor:
    """Number of training targets that each item is, ``[n_items]`` float64; 0 for the padding item.

    Args:
        training_part: training part of a built RecBole data set, with a row a training target.
        n_items: items in RecBole's count, the padding item among them.
    """
    targets = torch.as_tensor(training_part.inter_feat[training_part.iid_field])
    return torch.bincount(targets, minlength=n_items).double()
