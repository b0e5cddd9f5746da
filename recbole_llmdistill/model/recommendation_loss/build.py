"""From settings to the recommendation loss."""

from collections.abc import Mapping
from typing import Any

import torch
from recbole.data.dataset import Dataset
from torch import nn

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.item_popularity import item_popularity
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.recommendation_loss.gbce import GeneralisedBinaryCrossEntropy
from recbole_llmdistill.model.recommendation_loss.linear_cross_entropy import linear_cross_entropy
from recbole_llmdistill.model.recommendation_loss.negatives import PopularNegatives, UniformNegatives
from recbole_llmdistill.model.recommendation_loss.popularity_smoothing import PopularitySmoothing
from recbole_llmdistill.model.recommendation_loss.sampled_softmax import SampledSoftmax


class Softmax(nn.Module):
    """RecBole's cross-entropy loss: the softmax over all items, the padding item among them, as RecBole has it."""

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        return linear_cross_entropy(states, item_embeddings, targets, bias)


def build_recommendation_loss(settings: DistillationSettings, training_part: Dataset, n_items: int) -> nn.Module:
    """Loss of ``distill_rec_loss``, with the smoothing of ``distill_popularity_smoothing``.

    Args:
        settings: the run's settings.
        training_part: training part of a built RecBole data set; counts how popular items are, where that is needed.
        n_items: items in RecBole's count, the padding item among them.
    """
    if settings.distill_rec_loss == "gbce":
        negatives = UniformNegatives(settings.distill_negatives, n_items)
        return GeneralisedBinaryCrossEntropy(negatives, settings.distill_gbce_calibration)
    if settings.distill_rec_loss == "sampled_softmax":
        loss = SampledSoftmax(PopularNegatives(settings.distill_negatives, item_popularity(training_part, n_items)))
    else:
        loss = Softmax()
    if settings.distill_popularity_smoothing == 0:
        return loss
    return PopularitySmoothing(loss, settings.distill_popularity_smoothing, item_popularity(training_part, n_items))


def check_recommendation_loss(config: Mapping[str, Any]) -> None:
    """Refuse combinations of keys in RecBole's final config that no loss serves.

    Raises:
        InputError: another loss than the softmax, or smoothing, with prefixes; smoothing with gBCE.
    """
    loss, smoothing = config["distill_rec_loss"], config["distill_popularity_smoothing"]
    if config["train_sequences"] == "prefix" and (loss != "softmax" or smoothing):
        key = f"distill_rec_loss={loss}" if loss != "softmax" else f"distill_popularity_smoothing={smoothing}"
        raise InputError(
            f"{key} is for whole sequences, and train_sequences=prefix has RecBole's own losses (loss_type); set "
            "train_sequences=whole"
        )
    if loss == "gbce" and smoothing:
        raise InputError(
            f"distill_popularity_smoothing={smoothing} smooths the targets of a softmax, and distill_rec_loss=gbce "
            "is none; set distill_rec_loss to softmax or sampled_softmax"
        )
