"""RecBole's steps before training, as its ``run_recbole`` takes them (quick_start.py 60)."""

from collections.abc import Callable
from typing import Any

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


def _built_anew(config: Config) -> tuple[Any, Any, Any]:
    return data_preparation(config, create_dataset(config))


def seeded_loaders(
    config: Config, loaders: Callable[[Config], tuple[Any, Any, Any]] = _built_anew
) -> tuple[Any, Any, Any]:
    """Loaders of the training, validation and test part, made from the config's seed.

    Args:
        config: of the run.
        loaders: makes them; by default from the data set's files.
    """
    init_seed(config["seed"], config["reproducibility"])
    return loaders(config)


def seeded_model(config: Config, train_data: Any) -> torch.nn.Module:
    """The config's model on its device, its weights drawn from the config's seed."""
    init_seed(config["seed"], config["reproducibility"])
    return get_model(config["model"])(config, train_data._dataset).to(config["device"])


def trainer_of(config: Config, model: torch.nn.Module) -> Any:
    """The trainer that RecBole has for such a model."""
    return get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
