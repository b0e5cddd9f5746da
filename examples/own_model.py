"""Distil into a model of your own: RecBole's interface, and `@distill`. Run it: python examples/own_model.py"""

import torch
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.quick_start import run_recbole
from recbole.utils import InputType

from recbole_llmdistill import distill


@distill
class RecentMean(SequentialRecommender):
    """Scores items by the mean of the embeddings in the sequence, newer ones counting more."""

    input_type = InputType.POINTWISE

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.item_embedding = torch.nn.Embedding(self.n_items, config["embedding_size"], padding_idx=0)

    def forward(self, items, lengths):  # one vector per user: what profiles are distilled into
        places = torch.arange(items.size(1), device=items.device)
        weights = 0.8 ** (lengths.unsqueeze(1) - 1 - places) * (items != 0)
        return (self.item_embedding(items) * (weights / weights.sum(1, keepdim=True)).unsqueeze(2)).sum(1)

    def calculate_loss(self, interaction):
        return torch.nn.functional.cross_entropy(self.full_sort_predict(interaction), interaction[self.POS_ITEM_ID])

    def full_sort_predict(self, interaction):
        return self(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN]) @ self.item_embedding.weight.T

    def predict(self, interaction):
        return self.full_sort_predict(interaction).gather(1, interaction[self.ITEM_ID].unsqueeze(1)).squeeze(1)


if __name__ == "__main__":
    run_recbole(model=RecentMean, dataset="ml-100k", config_dict={"embedding_size": 64, "epochs": 10})
