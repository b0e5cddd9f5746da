"""The data set of a search: parsed, filtered and split once, and lent to every trial whose settings it fits.

RecBole makes it in two steps, ``create_dataset`` and, inside ``data_preparation``, its ``build``. What comes out
depends on those settings alone that they look up; these are noted here, so that a trial with another value of any of
them makes its own data set, whatever model and data set class it is.
"""

import copy
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import init_seed

from recbole_llmdistill.config.identity import identity
from recbole_llmdistill.data.dataset_check import check_catalogue
from recbole_llmdistill.errors import InputError


class _NotedSettings(dict):
    """A config's settings, which remembers what was looked up.

    Args:
        settings: of the config.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.noted: dict[str, Any] = {}

    def _note(self, key: str) -> None:
        self.noted.setdefault(key, copy.deepcopy(super().get(key)))

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._note(str(key))
        return super().__contains__(key)


@dataclass(frozen=True)
class SharedData:
    """A built data set.

    Attributes:
        dataset: RecBole's, after ``build``.
        parts: its training, validation and test part.
        settings: what building it depended on.
        random_states: of Python, NumPy and torch after it, from which a trial goes on as if it had built it itself.
    """

    dataset: Any
    parts: list[Any]
    settings: dict[str, Any]
    random_states: tuple[Any, Any, Any]

    @classmethod
    def build(cls, config: Config) -> "SharedData":
        """Parse, filter and split by RecBole's own steps.

        Raises:
            InputError: there is no validation part, without which nothing can be selected.
        """
        plain = config.final_config_dict
        config.final_config_dict = noted = _NotedSettings(plain)
        try:
            init_seed(config["seed"], config["reproducibility"])
            dataset = create_dataset(config)
            parts = dataset.build()
            check_catalogue(config, dataset.item_num - 1)
        finally:
            config.final_config_dict = plain
        if len(parts) < 2 or not len(parts[1]):
            raise InputError(
                f"eval_args={config['eval_args']}: this split of {config['dataset']} has no validation part, and a "
                "search selects by validation alone"
            )
        settings = identity(noted.noted)
        states = (random.getstate(), np.random.get_state(), torch.get_rng_state())
        return cls(dataset, list(parts), settings, states)

    def fits(self, config: Config) -> bool:
        """Whether ``config`` would build the same data set."""
        return all(config[key] == value for key, value in self.settings.items())

    def loaders(self, config: Config) -> tuple[Any, Any, Any]:
        """RecBole's loaders of the three parts under ``config``, by ``data_preparation``; data that does not fit is
        built again."""
        if not self.fits(config):
            return SharedData.build(config).loaders(config)
        dataset = copy.copy(self.dataset)
        parts = [copy.copy(part) for part in self.parts]
        for data in (dataset, *parts):
            data.config = config
        dataset.build = lambda: parts
        python_state, numpy_state, torch_state = self.random_states
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
        return data_preparation(config, dataset)

    def sizes(self) -> dict[str, int]:
        """Users, items and interactions, by which another data set of the same name is distinguished."""
        return {
            "users": int(self.dataset.user_num) - 1,  # without RecBole's padding
            "items": int(self.dataset.item_num) - 1,
            "interactions": int(self.dataset.inter_num),
        }
