"""Makes the distilled models known to RecBole: the one place that touches its look-ups.

RecBole finds a model, its data set and its trainer by name: ``get_model`` imports
``recbole.model.<kind>.<name in lower case>`` (utils.py 52), ``create_dataset`` asks ``recbole.data.dataset`` for
``<name>Dataset`` (data/utils.py 38), ``get_trainer`` asks ``recbole.trainer`` for ``<name>Trainer`` (utils.py 96).
Entries under these names are all it takes. Defaults have no such seam: ``Config`` reads yaml files below RecBole's own
folder only (configurator.py 235), so two of its methods are extended; being methods of a class, the extension does not
depend on who imported what first.
"""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import recbole
import recbole.data.dataset
import recbole.model.general_recommender
import recbole.model.sequential_recommender
import recbole.trainer
import yaml
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.model.sequential_recommender import BERT4Rec
from recbole.utils import ModelType
from recbole.utils.argument_list import dataset_arguments

from recbole_llmdistill import quick_start
from recbole_llmdistill.compat.extend import extend
from recbole_llmdistill.config.defaults import defaults_of
from recbole_llmdistill.config.evaluation_settings import check_exclude_seen
from recbole_llmdistill.config.known_settings import check_known, refuse_misspelt
from recbole_llmdistill.config.model_names import base_model
from recbole_llmdistill.config.old_names import renamed
from recbole_llmdistill.config.recbole_settings import check_settings
from recbole_llmdistill.config.settings import ORDERS, DistillationSettings, check_keys, fields, keys_affecting
from recbole_llmdistill.config.settings_file import check_settings_file
from recbole_llmdistill.data.dataset import CausalSequenceDataset, MaskedSequenceDataset
from recbole_llmdistill.data.general_dataset import GeneralDistillationDataset
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.esasrec import ESASRec
from recbole_llmdistill.model.zoo import STUDENTS
from recbole_llmdistill.training.trainer import DistillationTrainer

MODELS: dict[str, type[DistillationModel]] = {}
"""Registered models by name."""

loading: str | None = None
"""The user's model whose module is being imported at this moment."""

_PACKAGES = {
    ModelType.SEQUENTIAL: recbole.model.sequential_recommender,
    ModelType.GENERAL: recbole.model.general_recommender,
}


def register() -> None:
    """Register this package's models and defaults with RecBole; a second call changes nothing."""
    _let_find(ESASRec)
    for model in STUDENTS.values():
        register_model(model)
    for name in quick_start.__all__:  # see quick_start's docstring
        getattr(quick_start, name).__module__ = quick_start.__name__
    # RecBole's cache of data sets compares these keys (data/utils.py 70).
    dataset_arguments.extend(sorted(keys_affecting("rows").difference(dataset_arguments)))
    extend(Config, "_merge_external_config_dict", _merge_external_config_dict)
    extend(Config, "_load_internal_config_dict", _load_internal_config_dict)
    extend(Config, "_get_final_config_dict", _get_final_config_dict)


def register_model(model: type[DistillationModel]) -> None:
    """Let RecBole find a distilled model by its class name, with its data set and trainer."""
    _let_find(model)
    name = model.__name__
    setattr(recbole.data.dataset, f"{name}Dataset", _dataset_of(model))
    setattr(recbole.trainer, f"{name}Trainer", DistillationTrainer)
    MODELS[name] = model


def _let_find(model: type[AbstractRecommender]) -> None:
    """Let RecBole find a class by its name.

    RecBole's module of that name is an empty one with the class in it: the class's own may be a script.
    """
    name, package = model.__name__, _PACKAGES[model.type]
    module = ModuleType(f"{package.__name__}.{name.lower()}")
    module.__spec__ = ModuleSpec(module.__name__, None)
    setattr(module, name, model)
    sys.modules[module.__name__] = module
    setattr(package, name, model)


def _dataset_of(model: type[DistillationModel]) -> type[Dataset]:
    if model.type == ModelType.GENERAL:
        return GeneralDistillationDataset
    return MaskedSequenceDataset if issubclass(model, BERT4Rec) else CausalSequenceDataset


def _merge_external_config_dict(self: Config, original: Callable) -> None:
    """What the user gave, under today's names."""
    for name in ("file_config_dict", "variable_config_dict", "cmd_config_dict"):
        setattr(self, name, renamed(getattr(self, name)))
    original(self)


def _load_internal_config_dict(self: Config, original: Callable, model: str, model_class: type, dataset: str) -> None:
    """After RecBole's own defaults, ours: of the model, the data set, a preset; all below any user's setting."""
    original(self, model, model_class, dataset)
    file = f"{base_model(model)}.yaml"
    of_recbole = Path(recbole.__file__).parent / "properties" / "model" / file
    if model in MODELS and of_recbole.is_file():
        _add_defaults(self, of_recbole)
    if (own := properties("model", file)).is_file():
        _add_defaults(self, own)
    if model in MODELS:
        self.internal_config_dict.update({key: field.default for key, field in fields().items()})
        self.internal_config_dict.update(defaults_of(MODELS[model]))
        self.parameters["Distillation"] = list(fields())
    for defaults in (properties("dataset", f"{dataset}.yaml"), _settings_beside_data(self, dataset)):
        if defaults.is_file():
            known = list(self.internal_config_dict)
            check_settings_file(defaults)
            keys = _add_defaults(self, defaults)
            for key in keys:
                if key not in known and key not in fields():
                    refuse_misspelt(key, known, f"{defaults}: ")
            self.parameters["Dataset"] += [key for key in keys if key not in self.parameters["Dataset"]]
    preset = self.external_config_dict.get("distill_preset")
    if model in MODELS and preset and (defaults := properties("preset", f"{preset}.yaml")).is_file():
        _add_defaults(self, defaults)
        if MODELS[model].poolings() == ["output"]:  # a preset's pooling is of states, which the model does not have
            self.internal_config_dict["distill_pooling"] = "output"


def _add_defaults(config: Config, file: Path) -> list[str]:
    """Let the settings in a yaml file count for more than the defaults so far; their names."""
    settings = yaml.load(file.read_text(encoding="utf-8"), Loader=config.yaml_loader) or {}
    settings = renamed(settings, f"{file}: ")
    config.internal_config_dict.update(settings)
    return list(settings)


def _settings_beside_data(config: Config, dataset: str) -> Path:
    """``<data_path>/<name>/<name>.yaml``, where `llmdistill convert` writes what fits the files."""
    data_path = config.external_config_dict.get("data_path") or config.internal_config_dict["data_path"]
    return Path(str(data_path), dataset, f"{dataset}.yaml")


def _get_final_config_dict(self: Config, original: Callable) -> dict[str, Any]:
    """RecBole's merged values, checked where they are ours; some of ours count for every model."""
    if loading is not None:
        raise InputError(
            f"{loading}: its file trains as soon as it is imported, which other processes do to find the model; put "
            'what it does, but for its classes, under `if __name__ == "__main__":`'
        )
    final = original(self)
    if final.get("sequence_order") is None:
        final["sequence_order"] = "exact"
    if self.model in MODELS:
        check_keys(final)
        # Not the command line, which may be that of a program with options of its own.
        check_known(self, [*self.file_config_dict, *self.variable_config_dict])
        check_settings(final, self.external_config_dict, self.internal_config_dict, self.model_class)
        DistillationSettings.from_config(final)
        MODELS[self.model].adapt_config(final)
    elif final["sequence_order"] not in ORDERS:
        raise InputError(f"sequence_order={final['sequence_order']!r}: must be {' or '.join(ORDERS)}")
    final["eval_exclude_seen"] = check_exclude_seen(final)
    return final
