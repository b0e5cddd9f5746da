"""BERT4Rec with distillation from user profiles."""

from typing import Any

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.bert4rec import BERT4Rec
from torch.nn import functional as F

from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.packed_encoder import encode
from recbole_llmdistill.model.representation import Representation


class BERT4RecDistill(DistillationModel, BERT4Rec):
    """RecBole's BERT4Rec; outside training it computes exactly what BERT4Rec computes."""

    states_from = "trm_encoder"
    layers_setting = "n_layers"
    whole_sequences = True
    user_vector = None  # what it scores items by is a mask's state
    item_biases = ("output_bias",)

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.last_item_ratio: float = config["ft_ratio"]

    @classmethod
    def adapt_config(cls, config: dict[str, Any]) -> None:
        """As :meth:`DistillationModel.adapt_config`; prefixes are masked by RecBole's own transform."""
        super().adapt_config(config)
        config["transform"] = "mask_itemseq" if config["sequence_training"] == "prefix" else None

    def whole_sequence_loss(self, interaction: Interaction, heard: Representation) -> torch.Tensor:
        """Mean over the masked positions."""
        sequences = interaction[self.ITEM_SEQ]
        masked = self.draw_mask(sequences, interaction[self.ITEM_SEQ_LEN])
        inputs = sequences.masked_fill(masked, self.mask_token)
        states = encode(self, interaction, inputs, False, masked, heard)
        output = self.output_ln(self.output_gelu(self.output_ffn(states)))
        items = self.item_embedding.weight[: self.n_items]  # without the mask token
        return self.loss_of_states(output, items, sequences[masked], self.output_bias)

    def draw_mask(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Positions to mask, ``[B, L]`` bool: each real one with probability ``mask_ratio``, or the last alone.

        The latter, with probability ``ft_ratio`` a row, is what the model meets in evaluation. (RecBole's
        ``MaskItemSequence`` draws it once per batch.)
        """
        positions = torch.arange(sequences.size(1), device=sequences.device)
        last = positions == (lengths - 1).unsqueeze(1)
        anywhere = (torch.rand(sequences.shape, device=sequences.device) < self.mask_ratio) & (sequences != 0)
        last_alone = torch.rand(len(sequences), 1, device=sequences.device) < self.last_item_ratio
        return torch.where(last_alone, last, anywhere)

    def reconstruct_test_data(self, item_seq: torch.Tensor, item_seq_len: torch.Tensor) -> torch.Tensor:
        """As RecBole's, which loops over the batch: append the mask token to each sequence, drop its first item."""
        extended = F.pad(item_seq, (0, 1))
        extended[torch.arange(len(item_seq), device=item_seq.device), item_seq_len] = self.mask_token
        return extended[:, 1:]
