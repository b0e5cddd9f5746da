"""Whole-sequence training of any model whose states at a position have seen the items up to it, and no others."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction

from recbole_llmdistill.data.dataset import target_list_field
from recbole_llmdistill.model.distillation import LastPooling
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.representation import Representation


class CausalModel(DistillationModel):
    """Mixin for a model whose ``forward(item_seq, item_seq_len)`` takes the user vector out of states at every position
    by RecBole's ``gather_indexes`` (abstract_recommender.py), scores items by their embeddings' product with it, and
    has no other loss than that of the scores.

    All positions of a sequence are then one pass: instead of one state, ``gather_indexes`` gives all of them. The loss
    is that of RecBole's prefixes, up to what dropout draws.
    """

    whole_sequences = True

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.TARGET_SEQ = target_list_field(config)
        self._gathers_all = False

    def gather_indexes(self, output: torch.Tensor, gather_index: torch.Tensor) -> torch.Tensor:
        """RecBole's, or all positions."""
        return output if self._gathers_all else super().gather_indexes(output, gather_index)

    @contextmanager
    def _every_position(self) -> Iterator[None]:
        self._gathers_all = True
        try:
            yield
        finally:
            self._gathers_all = False

    def whole_sequence_loss(self, interaction: Interaction, heard: Representation) -> torch.Tensor:
        """Mean over the positions that have a training target."""
        lengths = interaction[self.ITEM_SEQ_LEN]
        longest = int(lengths.max())
        items, target = interaction[self.ITEM_SEQ][:, :longest], interaction[self.TARGET_SEQ][:, :longest]
        counted = target != 0
        with self._every_position():
            states = self(items, lengths)
        heard.output = LastPooling()(states, items != 0)
        return self.loss_of_states(states[counted], self.item_embedding.weight, target[counted])
