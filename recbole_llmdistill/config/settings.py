"""The keys that this package adds to RecBole's configuration: each is declared here, once.

A field says its default, its type with what is allowed, what it affects, and, in the text below it, what it is. From
these come validation, ``properties/model/*.yaml`` and ``docs/settings.md``
(:mod:`recbole_llmdistill.cli.reference`), and which settings tell one run from another
(:mod:`recbole_llmdistill.config.identity`). RecBole merges yaml, dict and command line.
"""

import difflib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from recbole_llmdistill.config.old_names import NEW_NAMES
from recbole_llmdistill.config.options import Options
from recbole_llmdistill.errors import InputError

Order = Literal["exact", "recbole"]
ORDERS: tuple[str, ...] = get_args(Order)
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Affects:
    """What a setting affects; one without this mark affects the result.

    Attributes:
        what: ``rows``: which rows a data set is split into or what it knows of them, and so the result; ``texts``: what
            an LLM is shown, which training does not read; ``nothing``: neither.
    """

    what: Literal["rows", "texts", "nothing"]


def _losses() -> dict[str, Any]:
    from recbole_llmdistill.model.distillation_loss.protocol import LOSSES  # imports PyTorch

    return LOSSES.parts()


def _known_loss(name: str) -> str:
    if name not in (names := list(_losses())):
        expected = f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return name


class DistillationSettings(BaseModel):
    """Everything that this package lets be set. Symbols are those of the paper (ECIR 2026) and of the README."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sequence_training: Annotated[Literal["whole", "prefix"], Affects("rows")] = "whole"
    """Training rows: ``whole`` windows of a history with a loss at every position, or RecBole's ``prefix`` rows."""
    sequence_order: Annotated[Order, BeforeValidator(lambda order: order or "recbole"), Affects("rows")] = "exact"
    """Histories and splits by the time as it was read, or, as in RecBole, by its float32 form, which has ties. It holds
    for the data of every model, RecBole's own among them."""
    sequence_window_overlap: Annotated[float, Field(ge=0, lt=1), Affects("rows")] = 0.5
    """Share of a window that repeats the window before it, as context without a loss."""
    sequence_window_shift: Annotated[bool, Affects("rows")] = True
    """Move the borders between the windows of a long history in every epoch."""
    sequence_loss: Literal["softmax", "sampled_softmax", "gbce"] = "softmax"
    """L_rec of whole sequences: softmax over all items; for big catalogues sampled_softmax, or gSASRec's gbce."""
    sequence_negatives: Annotated[int, Field(ge=1)] = 1024
    """Negatives that the sampled losses draw per 64 positions."""
    sequence_gbce_calibration: Share = 0.75
    """t of gBCE: 0 is plain binary cross-entropy, 1 undoes all of its overconfidence."""
    sequence_popularity_smoothing: Share = 0.0
    """Share of the softmax's target that is item popularity in training instead of the next item."""
    sequence_precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the matrix products in whole-sequence training; auto is bfloat16 where the hardware has it. Everything
    else, and evaluation, is float32."""
    sequence_fast_layers: bool = True
    """Faster forms of RecBole's layers; False takes RecBole's own. Both compute the same up to rounding."""
    sequence_data_cache: Annotated[bool | str, Affects("nothing")] = True
    """Keep a large data set as loaded for the next start: in checkpoint_dir, in the folder named here, or not."""

    distill_alpha: Share = 0.4
    """alpha, weight of the distillation loss in stage one; L_rec has 1 - alpha. 0 trains the plain model."""
    distill_epochs: Annotated[float, Field(ge=0)] = 0.3
    """Length of stage one: a number of epochs, or below 1 a share of ``epochs``, at least one."""
    distill_loss: Annotated[str, AfterValidator(_known_loss)] = "mse"
    """L_distil between user representation and profile vector: mse, rmse, cosine or contrastive (InfoNCE)."""
    distill_dynamic_beta: bool = True
    """beta = L_rec / L_distil, both detached, instead of 1."""
    distill_beta_cap: Annotated[float, Field(gt=0)] = 100.0
    """Upper bound of the dynamic beta."""
    distill_bridge: Literal["up", "down", "none"] = "up"
    """up maps the representation to the vector's size (U), down the vector to its size (T), none needs equal sizes."""
    distill_pooling: Literal["mean", "exponential", "attention", "last", "output"] = "mean"
    """How the states of a sequence become one user representation, over its real positions; output is the model's own
    user vector, by which it scores items."""
    distill_pooling_gamma: float = 0.1
    """gamma of the exponential pooling, per position."""
    distill_layer: int = -1
    """Layer whose states are pooled, from 0; negative numbers count from the last."""
    distill_warm_start: str | None = None
    """Checkpoint whose weights training starts from, ours or RecBole's own of the base model; the catalogue may have
    changed since."""
    distill_resume: Annotated[str | None, Affects("nothing")] = None
    """``.resume`` file of an interrupted run, to be continued exactly."""
    distill_preset: Literal["paper"] | None = None
    """Named set of defaults: paper, the published method's (properties/preset/paper.yaml)."""

    vectors_path: str | None = None
    """File or folder of the user vectors; unset: beside the data set, else those that the package ships."""
    vectors_min_coverage: Share = 0.5
    """Least share of training users that must have a vector."""
    vectors_standardize: bool = True
    """Centre the vectors and scale them to unit root mean square."""
    vectors_aggregation: Literal["mean", "attention"] = "mean"
    """How several vectors per user become one."""
    vectors_control: Literal["none", "shuffled", "random"] = "none"
    """Control of a claim: the vectors shuffled between users, or random ones."""

    item_knowledge: Literal["none", "residual", "init", "frozen"] = "none"
    """What the items' text vectors do: residual adds them, mapped, to the free table of item embeddings; init lets it
    start from them; frozen puts them in its place. The trained model has one plain table in any case."""
    item_target_smoothing: Share = 0.0
    """Share of the softmax's target that goes to the items nearest by text instead of the next item."""
    item_vectors_path: str | None = None
    """File or folder of the item vectors; unset: beside the data set, else those that the package ships."""
    item_map_layers: Literal[1, 2] = 1
    """Layers of the map from an item's vector to its embedding, of residual and frozen."""
    item_whitening: Literal["none", "pca", "zca"] = "none"
    """Give all directions of the item vectors the same variance: pca also turns them to their principal components."""
    item_scale: Annotated[float, Field(gt=0)] = 0.1
    """Root mean square of the embeddings that init starts from; a free table starts from 0.02."""
    item_control: Literal["none", "permuted", "random", "cooccurrence"] = "none"
    """Control of a claim: the vectors permuted among the items, random ones, or ones made of the items' co-occurrence
    in training, without any text."""

    eval_exclude_seen: Annotated[bool, BeforeValidator(lambda value: value or False), Affects("rows")] = False
    """Rank without what a user has seen before the item asked for: all of it, not only what the model reads. It holds
    for every sequential model, RecBole's own among them; RecBole does so for general models in any case."""

    profile_split_check: Literal["error", "warn", "off"] = "error"
    """What to do when the profiles were written from another training split."""
    profile_item_fields: Annotated[dict[str, str] | list[str] | None, Affects("texts")] = None
    """Fields of the .item file that an LLM is shown: {field: label}; unset: all text and numbers."""
    profile_interaction_fields: Annotated[dict[str, str] | list[str] | None, Affects("texts")] = None
    """Fields of the .inter file that an LLM is shown, likewise; unset: all that tell something."""
    profile_text_length: Annotated[int, Field(ge=20), Affects("texts")] = 100
    """Most characters of a field in a prompt, such as a description; a title may have twice as many."""

    _loss_options: Any = PrivateAttr(None)

    @property
    def learns_item_texts(self) -> bool:
        """Whether training takes vectors of the items."""
        return self.item_knowledge != "none" or self.item_target_smoothing > 0

    @property
    def loss_options(self) -> Options:
        """Options of the loss that ``distill_loss`` names, an instance of its ``Options``."""
        return self._loss_options or _losses()[self.distill_loss].Options()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "DistillationSettings":
        """Settings of a RecBole config (or of its ``final_config_dict``).

        Raises:
            InputError: a value is not allowed; the message names key, value and what is allowed.
        """
        try:
            settings = cls(**{key: config[key] for key in cls.model_fields})
            for name, loss in _losses().items():  # a value that is not allowed is refused whatever the loss
                options = loss.Options(**{key: config[key] for key in loss.Options.model_fields})
                if name == settings.distill_loss:
                    settings._loss_options = options
            return settings
        except ValidationError as error:
            raise InputError("; ".join(describe_problem(problem) for problem in error.errors())) from error

    def distillation_epochs(self, epochs: int) -> int:
        """Epochs of stage one in a run of ``epochs``; none where ``distill_alpha`` or ``distill_epochs`` is 0."""
        if self.distill_alpha == 0 or self.distill_epochs == 0:
            return 0
        if self.distill_epochs < 1:  # a share, however small, is no wish to train without profiles
            return max(1, round(self.distill_epochs * epochs))
        return round(self.distill_epochs)


@functools.cache
def fields() -> dict[str, FieldInfo]:
    """All our keys with what is declared of them, those of the distillation losses behind ``distill_loss``."""
    found: dict[str, FieldInfo] = {}
    for key, field in DistillationSettings.model_fields.items():
        found[key] = field
        if key == "distill_loss":
            for loss in _losses().values():
                found |= loss.Options.model_fields
    return found


def keys_affecting(what: Literal["rows", "texts", "nothing"]) -> frozenset[str]:
    """Our keys that are marked so."""
    return frozenset(key for key, field in DistillationSettings.model_fields.items() if Affects(what) in field.metadata)


def check_keys(keys: Iterable[str]) -> None:
    """Refuse a key that looks like one of ours and is none.

    Raises:
        InputError: with the nearest key.
    """
    ours = fields()
    prefixes = {f"{key.partition('_')[0]}_" for key in ours} - {"item_", "eval_"}  # which some of RecBole's have, too
    known = [*ours, *NEW_NAMES]
    for key in keys:
        if key in ours:
            continue
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.85)
        if nearest or key.startswith(tuple(prefixes)):
            (name,) = nearest or difflib.get_close_matches(key, known, n=1, cutoff=0)
            name = NEW_NAMES.get(name, name)
            raise InputError(f"unknown key {key!r}: did you mean {name!r}? Known keys: {', '.join(ours)}")


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
