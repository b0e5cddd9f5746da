"""SASRec with distillation from user profiles."""

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.sasrec import SASRec

from recbole_llmdistill.data.dataset import target_list_field
from recbole_llmdistill.model.distillation import LastPooling
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.packed_encoder import encode
from recbole_llmdistill.model.representation import Representation


class SASRecDistill(DistillationModel, SASRec):
    """RecBole's SASRec; outside training it computes exactly what SASRec computes."""

    states_from = "trm_encoder"
    layers_setting = "n_layers"
    whole_sequences = True

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.TARGET_SEQ = target_list_field(config)

    def whole_sequence_loss(self, interaction: Interaction, heard: Representation) -> torch.Tensor:
        """Mean over the positions that have a training target."""
        target = interaction[self.TARGET_SEQ]
        counted = target != 0
        items = interaction[self.ITEM_SEQ]
        states = encode(self, interaction, items, True, counted, heard)
        if self.distilling and self.settings.distill_pooling == "output":  # which is the newest item's last state
            heard.output = LastPooling()(heard.states(-1), items != 0)
        return self.loss_of_states(states, self.item_embedding.weight, target[counted])
