"""SASRec with distillation from user profiles."""

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.sasrec import SASRec

from recbole_llmdistill.data.dataset import target_list_field
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.packed_encoder import encode
from recbole_llmdistill.model.packing import Packing


class SASRecDistill(DistillationModel, SASRec):
    """RecBole's SASRec; outside training it computes exactly what SASRec computes."""

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.TARGET_SEQ = target_list_field(config)

    def whole_sequence_loss(
        self, interaction: Interaction, packing: Packing
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Mean over the positions that have a training target; states of each layer."""
        target = interaction[self.TARGET_SEQ]
        counted = target != 0
        states, layers = encode(
            self, interaction[self.ITEM_SEQ], packing, True, packing.destination[counted], self.distils_last_layer
        )
        return self.loss_of_states(states, self.item_embedding.weight, target[counted]), layers
