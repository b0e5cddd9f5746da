"""What distillation asks of the training part of any data set."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from recbole_llmdistill.files.fingerprint import fingerprint_codes, token_codes

if TYPE_CHECKING:
    from recbole.data.dataset import Dataset as _Base
else:  # whose methods come from the data set that the mixin stands before
    _Base = object


class TrainingPart(_Base):
    """Mixin for a RecBole data set. Its methods are for the training part that ``build()`` returns."""

    def training_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """RecBole's ids of the user and the item of every interaction that training sees, ``[R]`` each."""
        return self.inter_feat[self.uid_field].numpy(), self.inter_feat[self.iid_field].numpy()

    def cut_windows(self, epoch: int) -> None:
        """Prepare the rows of an epoch; here they are the same in all."""

    def training_interactions(self) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of the user and the item of every interaction that training sees, targets and context alike.

        Profiles may be written from these alone.
        """
        users, items = self.training_ids()
        return self.id2token(self.uid_field, users), self.id2token(self.iid_field, items)

    def training_fingerprint(self) -> str:
        """Fingerprint of :meth:`training_interactions`, for the manifest of profiles."""
        fields = (self.uid_field, self.iid_field)
        codes = [
            token_codes(self.field2id_token[field])[ids] for field, ids in zip(fields, self.training_ids(), strict=True)
        ]
        return fingerprint_codes(*codes)

    def digest(self) -> str:
        """Digest of this part's rows, and of all interactions where it knows them, as numbered and ordered."""
        digest = hashlib.sha256()
        for column in self._digested():
            digest.update(column.contiguous().numpy().data)
        return "sha256:" + digest.hexdigest()

    def _digested(self) -> list[torch.Tensor]:
        return [self.inter_feat[self.uid_field], self.inter_feat[self.iid_field]]
