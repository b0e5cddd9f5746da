"""From settings to the recommendation loss."""

from collections.abc import Mapping
from typing import Any

import torch
from recbole.data.dataset import Dataset
from torch import nn
from torch.nn import functional as F

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.item_popularity import item_popularity
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.recommendation_loss.gbce import GeneralisedBinaryCrossEntropy
from recbole_llmdistill.model.recommendation_loss.linear_cross_entropy import linear_cross_entropy
from recbole_llmdistill.model.recommendation_loss.negatives import PopularNegatives, UniformNegatives
from recbole_llmdistill.model.recommendation_loss.popularity_smoothing import PopularitySmoothing
from recbole_llmdistill.model.recommendation_loss.sampled_softmax import SampledSoftmax


class Softmax(nn.Module):
    """RecBole's cross-entropy loss: the softmax over all items, the padding item among them, as RecBole has it.

    Args:
        fast: compute it without ever having all logits at once.
    """

    def __init__(self, fast: bool = True) -> None:
        super().__init__()
        self.fast = fast

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        if self.fast:
            return linear_cross_entropy(states, item_embeddings, targets, bias)
        logits = F.linear(states, item_embeddings, bias)
        return F.cross_entropy(logits, targets, reduction="sum") / max(len(targets), 1)


def build_recommendation_loss(settings: DistillationSettings, training_part: Dataset, n_items: int) -> nn.Module:
    """Loss of ``sequence_loss``, with the smoothing of ``sequence_popularity_smoothing``.

    Args:
        settings: the run's settings.
        training_part: training part of a built RecBole data set; counts how popular items are, where that is needed.
        n_items: items in RecBole's count, the padding item among them.
    """
    if settings.sequence_loss == "gbce":
        negatives = UniformNegatives(settings.sequence_negatives, n_items)
        return GeneralisedBinaryCrossEntropy(negatives, settings.sequence_gbce_calibration)
    if settings.sequence_loss == "sampled_softmax":
        loss: nn.Module = SampledSoftmax(
            PopularNegatives(settings.sequence_negatives, item_popularity(training_part, n_items))
        )
    else:
        loss = Softmax(settings.sequence_fast_layers)
    if settings.sequence_popularity_smoothing == 0:
        return loss
    return PopularitySmoothing(loss, settings.sequence_popularity_smoothing, item_popularity(training_part, n_items))


_SMOOTHINGS = ("sequence_popularity_smoothing", "item_target_smoothing")


def check_recommendation_loss(config: Mapping[str, Any]) -> None:
    """Refuse combinations of keys in RecBole's final config that no loss serves.

    Raises:
        InputError: another loss than the softmax, or smoothing, with prefixes; smoothing with gBCE.
    """
    loss = config["sequence_loss"]
    smoothing = next((f"{key}={config[key]}" for key in _SMOOTHINGS if config[key]), "")
    if config["sequence_training"] == "prefix" and (loss != "softmax" or smoothing):
        key = f"sequence_loss={loss}" if loss != "softmax" else smoothing
        raise InputError(
            f"{key} is for whole sequences, and sequence_training=prefix has RecBole's own losses (loss_type); set "
            "sequence_training=whole"
        )
    if loss == "gbce" and smoothing:
        raise InputError(
            f"{smoothing} smooths the targets of a softmax, and sequence_loss=gbce is none; set sequence_loss to "
            "softmax or sampled_softmax"
        )
