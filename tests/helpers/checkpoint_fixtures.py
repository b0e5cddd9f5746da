"""Checkpoints of small models."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Trained(NamedTuple):
    """A checkpoint, and what RecBole made it of."""

    file: Path
    prepared: Any


@pytest.fixture
def train(prepare, tmp_path) -> Callable[..., Trained]:
    """Function (model, settings) -> a model after two epochs, with its checkpoint."""

    def make(model: str = "SASRecDistill", **settings) -> Trained:
        prepared = prepare(model, **{"epochs": 2, "distill_epochs": 1, **settings})
        prepared.trainer.fit(prepared.train_data, prepared.valid_data)
        file = tmp_path / f"{model}.pth"
        shutil.move(prepared.trainer.saved_model_file, file)
        return Trained(file, prepared)

    return make


@pytest.fixture
def checkpoint(train, tiny) -> Callable[..., Path]:
    """Function (model, settings) -> checkpoint, whose data set is gone."""

    def make(model: str = "SASRecDistill", **settings) -> Path:
        file = train(model, **settings).file
        shutil.rmtree(tiny)
        return file

    return make
