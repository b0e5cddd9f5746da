"""RecBole's own saved data sets and loaders: pickles, which run what they name, so read only where that is asked for.

Answered lines: ``create_dataset`` (data/utils.py 59-61) and ``load_split_dataloaders`` (117-122) unpickle any file of
the expected name in ``checkpoint_dir``, or the one that a setting names; here only with ``unpickle_saved_data: True``.
``save_split_dataloaders`` (94-96) takes away the generators of loaders that training and resuming go on to use.
"""

import os
import types
from collections.abc import Callable
from logging import getLogger
from typing import Any

from recbole.config import Config
from recbole.data import utils

from recbole_llmdistill.compat.extend import exchange_code, extend
from recbole_llmdistill.config.identity import UNPICKLE
from recbole_llmdistill.errors import InputError

"""Setting: read what RecBole's ``save_dataset`` and ``save_dataloaders`` wrote, though that runs code from the file."""


class _Files:
    """``os`` as one function of RecBole's sees it: a saved file is there only if it may be unpickled."""

    def __init__(self, config: Config, setting: str) -> None:
        self.config, self.setting = config, setting
        self.path = types.SimpleNamespace(join=os.path.join, exists=self._may_be_read)

    def _may_be_read(self, file: str) -> bool:
        if not os.path.exists(file) or self.config[UNPICKLE] is True:
            return os.path.exists(file)
        if self.config[self.setting]:
            raise InputError(
                f"{self.setting}={file}: reading it runs whatever code it names (a pickle); set {UNPICKLE}=True if you "
                f"trust the file, or leave {self.setting} out"
            )
        getLogger().warning(
            f"{file} is not read: it is a pickle, and reading it runs whatever code it names. Set {UNPICKLE}=True if "
            "you trust the file; sequence_data_cache keeps large data sets without one"
        )
        return False


def _read_if_asked(original: types.FunctionType, setting: str, config: Config, *args: Any) -> Any:
    names = {**vars(utils), "os": _Files(config, setting)}
    return types.FunctionType(original.__code__, names)(config, *args)


def create_dataset(config: Config) -> Any:
    """RecBole's function of this name, which unpickles only where that is asked for."""
    return _read_if_asked(_originals["create_dataset"], "dataset_save_path", config)


def load_split_dataloaders(config: Config) -> Any:
    """Likewise."""
    return _read_if_asked(_originals["load_split_dataloaders"], "dataloaders_save_path", config)


def _create_dataset(config: Config) -> Any:
    """Runs in the place of RecBole's function, so its names are looked up in RecBole's module."""
    from recbole_llmdistill.compat import saved_data

    return saved_data.create_dataset(config)


def _load_split_dataloaders(config: Config) -> Any:
    """Likewise."""
    from recbole_llmdistill.compat import saved_data

    return saved_data.load_split_dataloaders(config)


def _save_split_dataloaders(config: Config, original: Callable, dataloaders: Any) -> None:
    generators = [(loader, loader.generator, getattr(loader.sampler, "generator", None)) for loader in dataloaders]
    try:
        original(config, dataloaders=dataloaders)
    finally:
        for loader, own, sampler in generators:
            loader.generator, loader.sampler.generator = own, sampler


_originals: dict[str, types.FunctionType] = {}


def install() -> None:
    """Exchange RecBole's functions, which users and RecBole's other modules have imported by name."""
    for name, replacement in {
        "create_dataset": _create_dataset,
        "load_split_dataloaders": _load_split_dataloaders,
    }.items():
        _originals[name] = exchange_code(getattr(utils, name), replacement)
    extend(utils, "save_split_dataloaders", _save_split_dataloaders)
