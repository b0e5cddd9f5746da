"""SASRec with distillation from user profiles."""

import torch
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.sasrec import SASRec

from recbole_llmdistill.data.dataset import target_list_field
from recbole_llmdistill.model.distillation_model import DistillationModel


class SASRecDistill(DistillationModel, SASRec):
    """RecBole's SASRec; outside training it computes exactly what SASRec computes."""

    def __init__(self, config, dataset) -> None:
        super().__init__(config, dataset)
        self.TARGET_SEQ = target_list_field(config)

    def whole_sequence_loss(self, interaction: Interaction, states: list[torch.Tensor]) -> torch.Tensor:
        """Mean over the positions that have a training target."""
        self.forward(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        target = interaction[self.TARGET_SEQ]
        counted = target != 0
        return self.loss_of_states(states[-1][counted], self.item_embedding.weight, target[counted])
