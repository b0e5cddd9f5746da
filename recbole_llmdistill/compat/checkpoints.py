"""Checkpoints that ``torch.load(weights_only=True)`` reads, for every RecBole trainer.

Answered lines: ``Trainer._save_checkpoint`` pickles ``Config`` objects with protocol 4 (trainer.py 295-308);
``Trainer.evaluate`` and ``resume_checkpoint`` (583, 323) and ``load_data_and_model`` (quick_start.py 250) read them
with ``torch.load``, which since torch 2.6 refuses such files. Here the config is stored as plain values and turned
into a ``Config`` again on reading. Only the name ``torch`` inside RecBole's trainer module is exchanged, so
``torch.load`` and ``torch.save`` stay what they are for everybody else.
"""

import os
import pickle
import sys
import types
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from recbole.model.sequential_recommender import s3rec
from recbole.quick_start import quick_start
from recbole.trainer import trainer

from recbole_llmdistill.atomic_write import written_atomically
from recbole_llmdistill.compat import restricted_pickle
from recbole_llmdistill.compat.plain_values import from_plain, to_plain
from recbole_llmdistill.errors import InputError

_original_torch_load = torch.load


def write_checkpoint(state: Any, file: str | os.PathLike, **_options) -> None:
    """Write ``state`` atomically, with plain values in the place of configs, enums and NumPy objects.

    Stands in for ``torch.save`` in RecBole's trainers, whose ``pickle_protocol`` it ignores.
    """
    with written_atomically(Path(file)) as temporary:
        torch.save(to_plain(state), temporary)


def read_checkpoint(file: str | os.PathLike, map_location=None, **_options) -> Any:
    """Read a checkpoint of this package, or one that RecBole wrote, without unpickling foreign objects.

    Raises:
        InputError: the file is missing or no checkpoint.
    """
    if not Path(file).is_file():
        raise InputError(f"checkpoint {os.fspath(file)} does not exist")
    if map_location is None and not torch.cuda.is_available():
        map_location = "cpu"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # RecBole's 4 is expected here
            try:
                state = _original_torch_load(file, map_location=map_location, weights_only=True)
            except pickle.UnpicklingError:
                state = _original_torch_load(
                    file, map_location=map_location, weights_only=False, pickle_module=restricted_pickle
                )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{os.fspath(file)} is not a readable checkpoint ({reason})") from error
    return from_plain(state)


class _TorchWithPlainCheckpoints(types.ModuleType):
    """``torch`` as RecBole's modules see it: everything is torch's, but for checkpoints."""

    load = staticmethod(read_checkpoint)
    save = staticmethod(write_checkpoint)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _load_data_and_model(model_file):
    """Runs in the place of RecBole's function, so its names are looked up in RecBole's module."""
    from recbole_llmdistill.compat.checkpoints import load_with_plain_checkpoint

    return load_with_plain_checkpoint(model_file)


def load_with_plain_checkpoint(model_file: str | os.PathLike):
    """RecBole's ``load_data_and_model`` itself, reading by :func:`read_checkpoint` while it runs."""
    with mock.patch.object(torch, "load", read_checkpoint):
        return _original_load_data_and_model(model_file)


_original_load_data_and_model = types.FunctionType(
    quick_start.load_data_and_model.__code__, vars(quick_start), "load_data_and_model"
)


def install() -> None:
    """Make RecBole's trainers and ``load_data_and_model`` write and read plain checkpoints.

    The function's code is exchanged rather than its name in the module, because users import it by name, and often
    before this package.
    """
    plain_torch = _TorchWithPlainCheckpoints("torch")
    trainer.torch = plain_torch
    s3rec.torch = plain_torch
    quick_start.load_data_and_model.__code__ = _load_data_and_model.__code__
    assert sys.modules["torch"] is torch
