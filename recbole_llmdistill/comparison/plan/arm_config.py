"""From an arm to RecBole's settings: the same split, filter, metrics and budget for all, and nothing else touched."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recbole.config import Config

from recbole_llmdistill.comparison.plan.arm import Arm
from recbole_llmdistill.config.identity import identity
from recbole_llmdistill.config.recbole_config import build_config
from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.vector_lookup import find_item_vectors, find_profile_file
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.model.distillation_model import resolve_layer
from recbole_llmdistill.registry import MODELS

# Told apart by other means: profile vectors by their content, runs by their seed.
_NOT_PART_OF_A_RUN = {"seed", "vectors_path", "profile_split_check"}
# Only its data set is built; prefixes go with none of the losses that the arms may have.
_REFERENCE = Arm(
    "split",
    "SASRecDistill",
    "plain",
    {
        **{"distill_alpha": 0.0, "sequence_training": "prefix", "train_neg_sample_args": None, "loss_type": "CE"},
        **{"sequence_loss": "softmax", "sequence_popularity_smoothing": 0.0},
    },
)


@dataclass(frozen=True)
class CommonSettings:
    """What the user gave for all arms.

    Attributes:
        dataset: RecBole's name of the data set.
        config_files: yaml files of all arms.
        settings: ``--key=value``.
        settings_of: model -> a yaml file of its own.
    """

    dataset: str
    config_files: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    settings_of: Mapping[str, str] = field(default_factory=dict)

    def files_of(self, model: str) -> list[str]:
        """Yaml files of an arm, later ones count for more."""
        own = [self.settings_of[model]] if model in self.settings_of else []
        return [str(properties("comparison", "common.yaml")), *self.config_files, *own]


@dataclass(frozen=True)
class ArmConfig:
    """An arm, ready to be run.

    Attributes:
        arm: the arm.
        files: yaml files for RecBole's Config.
        settings: its ``config_dict`` but for the seed.
        final: RecBole's final settings, as far as they are JSON.
        identity: digest of what makes two runs of one seed the same; a run is never repeated.
        profiles: file of the profile vectors; None where nothing is distilled.
    """

    arm: Arm
    files: list[str]
    settings: dict[str, Any]
    final: dict[str, Any]
    identity: str
    profiles: Path | None


def reference_config(common: CommonSettings) -> Config:
    """Config of a sequential model without distillation, whose split and columns all arms take.

    Raises:
        InputError: RecBole refuses a setting, or not all items are ranked.
    """
    config = build_config(
        _REFERENCE.model, common.dataset, common.files_of(""), {**common.settings, **_REFERENCE.settings}
    )
    modes = set(config["eval_args"]["mode"].values())
    if modes != {"full"}:
        raise InputError(
            f"eval_args: mode {' and '.join(sorted(modes))}; a comparison ranks all items, so set mode: full"
        )
    return config


def configure(arm: Arm, common: CommonSettings, reference: Config) -> ArmConfig:
    """Settings of an arm: its model's defaults, with the common ones, its own and the reference's split on top.

    RecBole's defaults of a model stand, but where it could not run with them: general recommenders get the split of the
    sequential ones, a cross-entropy loss no sampled negatives (RecBole refuses them), a model the columns it needs.

    Raises:
        InputError: RecBole or this package refuses a setting, or profiles are missing.
    """
    settings = {**common.settings, **arm.settings, "eval_args": reference["eval_args"]}
    files = common.files_of(arm.model)

    def build() -> Config:
        try:
            return build_config(arm.model, common.dataset, files, settings)
        except InputError as error:
            raise InputError(f"{arm.label}: {error}") from error

    try:
        config = build()
    except InputError as error:
        if "train_neg_sample_args" not in str(error):
            raise
        settings["train_neg_sample_args"] = None
        config = build()
    columns = {**(reference["load_col"] or {}), **(config["load_col"] or {})}
    missing = [name for name in (reference["load_col"] or {}).get("inter", []) if name not in columns.get("inter", [])]
    if reference["load_col"] and missing:
        settings["load_col"] = {**columns, "inter": [*columns.get("inter", []), *missing]}
        config = build()
    try:
        profiles = find_profile_file(config) if distils(config) else None
        if knows_items(config):
            find_item_vectors(config)
    except InputError as error:
        raise InputError(f"{arm.label}: {error}") from error
    final = {key: value for key, value in config.final_config_dict.items() if key != "seed"}
    return ArmConfig(arm, files, settings, _plain(final), _identity(config, profiles), profiles)


def distils(config: Mapping[str, Any]) -> bool:
    """Whether this config trains with profiles."""
    if config["model"] not in MODELS:
        return False
    return DistillationSettings.from_config(config).distillation_epochs(config["epochs"]) > 0


def knows_items(config: Mapping[str, Any]) -> bool:
    """Whether this config trains with vectors of the items."""
    if config["model"] not in MODELS or config["item_control"] == "cooccurrence":
        return False
    return DistillationSettings.from_config(config).learns_item_texts


def _identity(config: Config, profiles: Path | None) -> str:
    settings = identity(config.final_config_dict, but=_NOT_PART_OF_A_RUN)
    if config["model"] in MODELS:
        checked = DistillationSettings.from_config(config)
        ours = checked.model_dump() | checked.loss_options.model_dump()
        settings |= {key: value for key, value in ours.items() if key in settings}  # 0 and 0.0 are one value
        if (layers := MODELS[config["model"]].number_of_layers(config)) is not None:
            settings["distill_layer"] = resolve_layer(settings["distill_layer"], layers)
    if profiles is not None:
        settings["profiles"] = hashlib.sha256(profiles.read_bytes()).hexdigest()
    if knows_items(config):
        settings["item_vectors"] = hashlib.sha256(find_item_vectors(config).read_bytes()).hexdigest()
    text = json.dumps(_plain(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(settings, default=str))
