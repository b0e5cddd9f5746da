"""Defaults of the distilled models: what they train with beyond the settings of ours, and in what they differ.

A model's own settings (``n_layers``, ``hidden_size``, ...) keep the defaults that RecBole gives them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recbole.utils import InputType, ModelType

if TYPE_CHECKING:
    from recbole_llmdistill.model.distillation_model import DistillationModel


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

EVALUATION = {
    "split": {"LS": "valid_and_test"},
    "order": "TO",
    "group_by": "user",
    "mode": {"valid": "full", "test": "full"},
}
"""``eval_args`` of RecBole's sequential models, which general ones get as well: that profiles may be written from one
split, and that models can be compared."""

OF_MODELS: dict[str, dict[str, Any]] = {
    "SASRecDistill": {},
    "BERT4RecDistill": {
        "epochs": 160,
        "sequence_window_overlap": 0.0,  # a masked item sees both sides anyway
        "distill_layer": 0,  # the last one makes a step a quarter longer
    },
}
"""Model -> in what its defaults differ."""


def defaults_of(model: type["DistillationModel"]) -> dict[str, Any]:
    """Defaults of a distilled model beside those of its base model and those of our keys.

    Args:
        model: its class; a model without whole sequences trains on RecBole's prefixes, in batches of RecBole's size.
    """
    values = {one.key: one.value for one in TRAINING}
    if not model.whole_sequences:
        values |= {"sequence_training": "prefix", "train_batch_size": 2048}
    general = model.type == ModelType.GENERAL
    if general or getattr(model, "input_type", None) == InputType.PAIRWISE:  # it samples, whatever loss_type says
        del values["train_neg_sample_args"]
    if general:
        values["eval_args"] = EVALUATION
    poolings = model.poolings()
    if poolings[0] == "output":
        values["distill_pooling"] = "output"
    return values | OF_MODELS.get(model.__name__, {})
