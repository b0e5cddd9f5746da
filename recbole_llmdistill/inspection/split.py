"""Training and validation interactions as matrices, from RecBole's own split."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from recbole_llmdistill.data.user_item_matrix import user_item_matrix
from recbole_llmdistill.errors import InputError


@dataclass(frozen=True)
class Split:
    """Interactions of a data set, seen from its users; or from its items, see :meth:`of_items`.

    Attributes:
        tokens: ``[U]`` users with training interactions.
        others: ``[I]`` items.
        training: ``[U, I]`` sparse, 1 where a user has interacted in training.
        validation: ``[U, I]`` sparse, 1 where a user is asked for that item in validation.
        fingerprint: of the training interactions.
    """

    tokens: np.ndarray
    others: np.ndarray
    training: sp.csr_matrix
    validation: sp.csr_matrix
    fingerprint: str

    def of_items(self) -> "Split":
        """The same seen from the items that have training interactions: whose audience is which users."""
        known = np.flatnonzero(np.asarray(self.training.sum(axis=0)).ravel())
        return replace(
            self,
            tokens=self.others[known],
            others=self.tokens,
            training=self.training.T.tocsr()[known],
            validation=self.validation.T.tocsr()[known],
        )


def read_split(training_part: Any, validation_part: Any) -> Split:
    """The split of a data set that RecBole built for one of our models.

    Args:
        training_part: first part that ``create_dataset(config).build()`` gives.
        validation_part: the second.

    Raises:
        InputError: the split has no validation part.
    """
    if validation_part is None or len(validation_part) == 0:
        raise InputError("eval_args: this split has no validation part, on which vectors are judged; give it one")
    users, items = training_part.training_interactions()
    user_tokens, user = np.unique(users.astype(str), return_inverse=True)
    item_tokens = training_part.field2id_token[training_part.iid_field].astype(str)
    item_of = training_part.field2token_id[training_part.iid_field]
    item = np.array([item_of[token] for token in items])
    shape = (len(user_tokens), len(item_tokens))

    rows = validation_part.inter_feat
    asked = training_part.id2token(training_part.uid_field, rows[training_part.uid_field].numpy()).astype(str)
    position = np.searchsorted(user_tokens, asked).clip(max=len(user_tokens) - 1)
    known = user_tokens[position] == asked
    held = rows[training_part.iid_field].numpy()[known]
    return Split(
        user_tokens,
        item_tokens,
        user_item_matrix(user, item, shape),
        user_item_matrix(position[known], held, shape),
        training_part.training_fingerprint(),
    )
