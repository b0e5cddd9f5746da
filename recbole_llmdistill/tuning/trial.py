"""One trial: train with the settings that were drawn, and report the validation metric after every evaluation.

Runs in Ray's workers. Test data are never looked at here. What an interrupted search has recorded of the same settings
is reported again from the record, so that scheduler and searcher see what they have seen, and only the rest is trained.
"""

import inspect
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest import mock

import ray
import torch
from pydantic import BaseModel
from ray import tune
from recbole.config import Config
from recbole.trainer import trainer as recbole_trainer

from recbole_llmdistill.files.scratch_folder import scratch_folder
from recbole_llmdistill.training.preparation import seeded_loaders, seeded_model, trainer_of
from recbole_llmdistill.tuning.records import TrialHistory, values_key
from recbole_llmdistill.tuning.settings_yaml import config_of
from recbole_llmdistill.tuning.shared_data import SharedData
from recbole_llmdistill.tuning.space import Space


class TrialFailed(Exception):
    """A trial could not be trained; the message is one line."""


class Evaluation(BaseModel):
    """What a trial reports after an evaluation.

    Attributes:
        epoch: epochs trained.
        score: validation metric after it.
        best_score: of the best epoch so far.
        best_epoch: number of that epoch, from 1.
        metrics: all validation metrics of it.
        seconds: since the training began.
    """

    epoch: int
    score: float
    best_score: float
    best_epoch: int
    metrics: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class TrialSetup:
    """What all trials of a search have in common.

    Attributes:
        settings: what the user set, ``model`` and ``dataset`` among it.
        space: what is searched.
        real: whether values are drawn from real intervals (:meth:`Space.real_domains`).
        threads: of torch.
        folder: working folder of the search, where relative paths begin; on its machine at least.
        histories: what is recorded already, by :func:`~recbole_llmdistill.tuning.records.values_key`.
    """

    settings: dict[str, Any]
    space: Space
    real: bool
    threads: int
    folder: str
    histories: Mapping[str, TrialHistory] = field(default_factory=dict)

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a trial, from what Ray has drawn."""
        return self.space.decode(drawn, self.real)

    def config(self, values: Mapping[str, Any], **more: Any) -> Config:
        """RecBole's config of a trial on the device that Ray has given to this process."""
        if os.path.isdir(self.folder):
            os.chdir(self.folder)
        sys.argv = sys.argv[:1]  # a worker's arguments are Ray's, and RecBole would read them as settings
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # RecBole sets this variable to gpu_id
        return config_of({**self.settings, **values, "gpu_id": gpus, "show_progress": False, **more})


def run_trial(drawn: dict[str, Any], setup: TrialSetup, data: SharedData | ray.ObjectRef) -> None:
    """The function that Ray Tune calls.

    Args:
        drawn: from the space's domains.
        setup: of the search.
        data: of the search, or where it lies in the object store.

    Raises:
        TrialFailed: for whatever reason; caused by the original error.
    """
    values = setup.values(drawn)
    history = setup.histories.get(values_key(values), TrialHistory())
    for evaluation in history.evaluations:
        tune.report(evaluation)
    if history.ended:
        tune.report({**history.evaluations[-1], "ended": True})
        return
    reporter = _Reporter(skip=len(history.evaluations))
    try:
        if isinstance(data, ray.ObjectRef):
            data = cast(SharedData, ray.get(data))
        # RecBole's trainer makes its checkpoint folder in any case.
        with scratch_folder("llmdistill-trial-", Path(tempfile.gettempdir())) as scratch:
            config = setup.config(values, checkpoint_dir=str(scratch))
            trainer, train_data, valid_data, _ = prepare(config, data, setup.threads)
            reporter.fit(trainer, train_data, valid_data)
    except Exception as error:  # of any model of RecBole's zoo
        raise TrialFailed(one_line(error)) from error


def prepare(config: Config, data: SharedData, threads: int) -> tuple[Any, Any, Any, Any]:
    """RecBole's steps before training: its trainer, and the loaders of the training, validation and test part."""
    torch.set_num_threads(threads)
    train_data, valid_data, test_data = seeded_loaders(config, data.loaders)
    model = seeded_model(config, train_data)
    # Every trainer makes a folder for TensorBoard in the working folder (trainer.py 111): hundreds in a search.
    with mock.patch.object(recbole_trainer, "get_tensorboard", return_value=_NoTensorboard()):
        trainer = trainer_of(config, model)
    return trainer, train_data, valid_data, test_data


class _NoTensorboard:
    """Takes events and forgets them."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


class _Reporter:
    """Reports the evaluations of a training run to Ray.

    Args:
        skip: how many were reported from the record already.
    """

    def __init__(self, skip: int) -> None:
        self._skip = skip
        self._seen = 0
        self._best_epoch = 0
        self._start = time.monotonic()
        self._last: Evaluation | None = None

    def fit(self, trainer: Any, train_data: Any, valid_data: Any) -> None:
        """Train to the end, or until Ray ends this thread from within :func:`ray.tune.report`."""

        def after_evaluation(epoch: int, score: float) -> None:
            if trainer.cur_step == 0:  # RecBole's count of evaluations since the best one
                self._best_epoch = epoch + 1
            self._report(epoch + 1, score, trainer.best_valid_score, trainer.best_valid_result)

        options: dict[str, Any] = {"verbose": False, "saved": False}
        if "callback_fn" in inspect.signature(trainer.fit).parameters:
            options["callback_fn"] = after_evaluation
        score, metrics = trainer.fit(train_data, valid_data, **options)
        if self._last is None:  # RecBole's boosted trees train in one go
            self._best_epoch = 1
            self._report(1, score, score, metrics)
        assert self._last is not None  # _report has set it
        tune.report({**self._last.model_dump(), "ended": True})

    def _report(self, epoch: int, score: float, best: float, metrics: Mapping[str, float]) -> None:
        self._last = Evaluation(
            epoch=epoch,
            score=score,
            best_score=best,
            best_epoch=self._best_epoch,
            metrics={name: float(value) for name, value in metrics.items()},
            seconds=round(time.monotonic() - self._start, 3),
        )
        self._seen += 1
        if self._seen > self._skip:
            tune.report(self._last.model_dump())


def one_line(error: Exception) -> str:
    """Type and message of an error."""
    text = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
