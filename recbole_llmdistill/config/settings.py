"""The keys that this package adds to RecBole's configuration, validated once.

Their defaults stand, with comments, in ``properties/model/*.yaml``; RecBole merges yaml, dict and command line.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from recbole_llmdistill.errors import InputError

Order = Literal["exact", "recbole"]
ORDERS: tuple[str, ...] = get_args(Order)
Share = Annotated[float, Field(ge=0, le=1)]


class DistillationSettings(BaseModel):
    """Everything that can be set about distillation. Symbols are those of the paper (ECIR 2026) and of the README."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    distill_alpha: Share
    """alpha, weight of the distillation loss in stage one; the recommendation loss has 1 - alpha. 0: plain model."""
    distill_epochs: Annotated[float, Field(ge=0)]
    """Length of stage one: a number of epochs, or below 1 a share of ``epochs``, at least one."""
    distill_loss: Literal["mse", "rmse", "cosine", "contrastive"]
    """L_distil between user representation and profile."""
    distill_temperature: Annotated[float, Field(gt=0)]
    """Temperature of the contrastive loss (InfoNCE)."""
    distill_dynamic_beta: bool
    """beta = L_rec / L_distil, both detached, instead of 1."""
    distill_beta_cap: Annotated[float, Field(gt=0)]
    """Upper bound of the dynamic beta."""
    distill_bridge: Literal["up", "down", "none"]
    """Which side is mapped to the other's size: up = U on the representation, down = T on the profile."""
    distill_pooling: Literal["mean", "exponential", "attention", "last"]
    """How the states of a sequence become one user representation."""
    distill_pooling_gamma: float
    """gamma of the exponential pooling, per position."""
    distill_layer: int
    """Layer k whose states are pooled, from 0; negative counts from the last."""
    distill_rec_loss: Literal["softmax", "sampled_softmax", "gbce"]
    """L_rec of whole sequences: cross-entropy over all items, over sampled ones, or gSASRec's gBCE."""
    distill_negatives: Annotated[int, Field(ge=1)]
    """Negatives that the sampled losses draw a batch, for all its positions."""
    distill_gbce_calibration: Share
    """t of gBCE: 0 is plain binary cross-entropy, 1 undoes its overconfidence wholly."""
    distill_popularity_smoothing: Share
    """s: targets are (1 - s) one-hot + s times the items' popularity in training."""
    distill_warm_start: str | None
    """Checkpoint whose weights training starts from (this package's or RecBole's own, of the base model)."""
    distill_resume: str | None
    """``.resume`` file of an interrupted run, to be continued exactly."""
    distill_preset: Literal["paper"] | None
    """Named set of defaults in ``properties/preset/``."""
    profile_path: str | None
    """File or folder of the profile vectors; unset: beside the data set, else those that the package ships."""
    profile_min_coverage: Share
    """Least share of training users that must have a profile."""
    profile_split_check: Literal["error", "warn", "off"]
    """What to do when profiles were written from another training split."""
    profile_standardize: bool
    """Centre the profile vectors and scale them to unit root mean square."""
    profile_aggregation: Literal["mean", "attention"]
    """How several profiles a user become one."""
    profile_control: Literal["none", "shuffled", "random"]
    """Controls of every claim: ``shuffled`` deals the profiles out anew among users, ``random`` draws others."""
    profile_item_fields: dict[str, str] | list[str] | None
    """Fields of the ``.item`` file that an LLM is shown, in order, with their labels; unset: all text and numbers."""
    profile_interaction_fields: dict[str, str] | list[str] | None
    """Fields of the ``.inter`` file that an LLM is shown, likewise; unset: all that tell something."""
    profile_text_length: Annotated[int, Field(ge=20)]
    """Most characters of a cell in a prompt, such as a description; a title may have twice as many."""
    train_sequences: Literal["whole", "prefix"]
    """Training rows: whole windows of a history with a loss at every position, or RecBole's prefixes."""
    sequence_order: Annotated[Order, BeforeValidator(lambda order: order or "recbole")]
    """Histories and splits by the time as it was read, or by its float32 form as in RecBole (also: unset)."""
    distill_window_overlap: Annotated[float, Field(ge=0, lt=1)]
    """Share of a window that repeats the window before it, as context without a loss."""
    distill_precision: Literal["auto", "float32", "bfloat16"]
    """Type of the matrix products in whole-sequence training; all else, and evaluation, is float32. ``auto``: bfloat16
    where the hardware has it."""
    distill_window_shift: bool
    """Move the borders between a history's windows in every epoch."""
    distill_data_cache: bool | str
    """Keep a large data set as loaded for the next start: in ``checkpoint_dir``, in the folder named here, or not."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "DistillationSettings":
        """Settings of a RecBole config (or of its ``final_config_dict``).

        Raises:
            InputError: a value is not allowed; the message names key, value and what is allowed.
        """
        try:
            return cls(**{key: config[key] for key in cls.model_fields})
        except ValidationError as error:
            raise InputError("; ".join(describe_problem(problem) for problem in error.errors())) from error

    def distillation_epochs(self, epochs: int) -> int:
        """Epochs of stage one in a run of ``epochs``; none where ``distill_alpha`` or ``distill_epochs`` is 0."""
        if self.distill_alpha == 0 or self.distill_epochs == 0:
            return 0
        if self.distill_epochs < 1:  # a share, however small, is no wish to train without profiles
            return max(1, round(self.distill_epochs * epochs))
        return round(self.distill_epochs)


KEYS = tuple(DistillationSettings.model_fields)


def check_keys(keys: Iterable[str]) -> None:
    """Refuse a key that looks like one of ours and is none.

    Raises:
        InputError: with the nearest key.
    """
    for key in keys:
        if key in KEYS:
            continue
        nearest = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.85)
        if nearest or key.startswith(("distill_", "profile_")):
            nearest = nearest or difflib.get_close_matches(key, KEYS, n=1, cutoff=0)
            raise InputError(f"unknown key {key!r}: did you mean {nearest[0]!r}? Known keys: {', '.join(KEYS)}")


def describe_problem(problem: Mapping[str, Any]) -> str:
    """One of pydantic's errors in one line: the key, its value, what is allowed, and the nearest of allowed words."""
    key, value = problem["loc"][0], problem["input"]
    message = problem["msg"].removeprefix("Value error, ")
    text = f"{key}={value!r}: {message[0].lower()}{message[1:]}"
    if problem["type"] == "literal_error":
        allowed = [word.strip("'") for word in problem["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        nearest = difflib.get_close_matches(str(value), allowed, n=1)
        text += f"; did you mean {nearest[0]!r}?" if nearest else ""
    return text
