"""Defaults of the distilled models: what they train with beyond the settings of ours, and in what they differ.

A model's own settings (``n_layers``, ``hidden_size``, ...) keep the defaults that RecBole gives them.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Default:
    """Another default for one of RecBole's settings.

    Attributes:
        key: of the setting.
        value: the default.
        kind: its type, for people.
        text: what it is.
    """

    key: str
    value: Any
    kind: str
    text: str


TRAINING = (
    Default("train_batch_size", 128, "int", "Rows per batch. With 'prefix' a row has one target: think of 2048."),
    Default("train_neg_sample_args", None, "dict", "None, as cross-entropy over all items needs no sampled negatives."),
    Default("epochs", 50, "int", "The number of training epochs."),
    Default("learner", "adam", "str", "The optimizer."),
    Default("learning_rate", 0.001, "float", "Its learning rate."),
    Default("clip_grad_norm", {"max_norm": 0.5}, "dict", "Gradients are clipped to this norm, as in the paper."),
    Default("valid_metric", "NDCG@10", "str", "The metric of validation that ends training early."),
)
"""Defaults of all distilled models for settings of RecBole's."""

OF_MODELS: dict[str, dict[str, Any]] = {
    "SASRecDistill": {},
    "BERT4RecDistill": {
        "epochs": 160,
        "sequence_window_overlap": 0.0,  # a masked item sees both sides anyway
        "distill_layer": 0,  # the last one makes a step a quarter longer
    },
}
"""Model -> in what its defaults differ."""
