"""Shared by all tests: an empty working folder, and a data set small enough to train on in a second."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from tiny_dataset import SMALL, write_tiny_dataset

import recbole_llmdistill  # noqa: F401  (registers the models)

pytest_plugins = ["vector_fixtures", "checkpoint_fixtures"]

# The same examples in every run: a red test then speaks of the change and not of chance.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    """RecBole writes log/ and saved/ into the working folder, and reads the command line of any process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])


@pytest.fixture(autouse=True)
def level_of_logging() -> Iterator[None]:
    """RecBole and our commands set the level of their process, which is that of the tests after them here."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from threads, and one thread gives the same sums everywhere."""
    torch.set_num_threads(1)


@pytest.fixture
def tiny(tmp_path) -> Path:
    """Folder of a data set ``tiny``: histories of 4 to 30 items, and profile vectors for all its users."""
    folder = tmp_path / "dataset" / "tiny"
    folder.mkdir(parents=True)
    write_tiny_dataset(folder)
    return folder


class Prepared(NamedTuple):
    """Everything that RecBole's ``run_recbole`` makes before it trains."""

    config: Config
    model: torch.nn.Module
    trainer: object
    train_data: object
    valid_data: object
    test_data: object


@pytest.fixture
def configure(tiny) -> Callable[..., Config]:
    """Function (model, settings) -> RecBole config for the data set ``tiny``."""

    def make(model: str = "SASRecDistill", **settings) -> Config:
        base = {} if model.endswith("Distill") else {"train_neg_sample_args": None, "loss_type": "CE"}
        return Config(model, "tiny", config_dict={"data_path": str(tiny.parent), **SMALL, **base, **settings})

    return make


@pytest.fixture
def prepare(configure) -> Callable[..., Prepared]:
    """Function (model, settings) -> what RecBole makes before training, by RecBole's own steps."""

    def make(model: str = "SASRecDistill", **settings) -> Prepared:
        config = configure(model, **settings)
        init_seed(config["seed"], config["reproducibility"])
        data = data_preparation(config, create_dataset(config))
        init_seed(config["seed"], config["reproducibility"])
        network = get_model(model)(config, data[0]._dataset).to(config["device"])
        return Prepared(config, network, get_trainer(config["MODEL_TYPE"], model)(config, network), *data)

    return make
