"""What RecBole keeps in a checkpoint, as values that ``torch.load(weights_only=True)`` admits, and back.

Tensors, numbers, strings and containers stay what they are. RecBole's config, enums, devices, NumPy arrays and the
sparse matrices of its neighbourhood models become dictionaries marked by their one key. Modules in ``other_parameter``
(DIN, DIEN, SASRecF ...: ``feature_embed_layer``) are left out, because the ``state_dict`` beside them holds their
weights.
"""

import enum
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.utils import enum_type, get_model
from scipy import sparse

from recbole_llmdistill.compat.restricted_pickle import Inert

_CONFIG = "recbole_config"
_ENUM = "recbole_enum"
_DEVICE = "torch_device"
_ARRAY = "numpy_array"
_SPARSE = "scipy_sparse"


def to_plain(value: Any) -> Any:
    """Plain form of ``value``, all the way down."""
    if isinstance(value, Config):
        return {
            _CONFIG: {
                "model": value.model,
                "dataset": value.dataset,
                "parameters": to_plain(value.parameters),
                "final_config_dict": to_plain(value.final_config_dict),
            }
        }
    if isinstance(value, enum.Enum):
        return {_ENUM: [type(value).__name__, value.name]}
    if isinstance(value, torch.device):
        return {_DEVICE: str(value)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {_ARRAY: torch.from_numpy(np.ascontiguousarray(value))}
    if sparse.issparse(value):
        entries = value.tocoo()
        return {_SPARSE: [type(value).__name__, list(value.shape), *map(to_plain, (entries.data, *entries.coords))]}
    if isinstance(value, OrderedDict):  # a state dict keeps its type
        return OrderedDict((key, to_plain(item)) for key, item in value.items())
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items() if not isinstance(item, torch.nn.Module)}
    if isinstance(value, (list, tuple)):
        return type(value)(to_plain(item) for item in value)
    if isinstance(value, type):  # RecBole accepts a model class in the place of its name
        return value.__name__
    return value


def from_plain(value: Any) -> Any:
    """What :func:`to_plain` was given; of a checkpoint that RecBole wrote, everything that could be read safely."""
    if isinstance(value, OrderedDict):
        return value
    if isinstance(value, dict):
        if len(value) == 1 and (restore := _RESTORE.get(next(iter(value)))):
            return restore(next(iter(value.values())))
        return {key: from_plain(item) for key, item in value.items() if not isinstance(item, Inert)}
    if isinstance(value, (list, tuple)):
        return type(value)(from_plain(item) for item in value)
    return value


def _restore_config(plain: dict[str, Any]) -> Config:
    """A Config with the stored values; its constructor would mix in this process's command line."""
    config = Config.__new__(Config)
    config.compatibility_settings()
    config.yaml_loader = config._build_yaml_loader()
    for name, value in plain.items():
        setattr(config, name, from_plain(value))
    if not torch.distributed.is_initialized():  # a run of several processes, read by one alone
        config.final_config_dict.update(single_spec=True, local_rank=0)
    config.model_class = get_model(config.model)
    return config


def _restore_device(name: str) -> torch.device:
    device = torch.device(name)
    return device if device.type != "cuda" or torch.cuda.is_available() else torch.device("cpu")


def _restore_sparse(plain: list) -> Any:
    kind, shape, data, *coordinates = map(from_plain, plain)
    matrix = sparse.coo_matrix if kind.endswith("_matrix") else sparse.coo_array
    return matrix((data, tuple(coordinates)), shape=shape).asformat(kind.partition("_")[0])


_RESTORE = {
    _CONFIG: _restore_config,
    _ENUM: lambda names: getattr(enum_type, names[0])[names[1]],
    _DEVICE: _restore_device,
    _ARRAY: lambda tensor: tensor.cpu().numpy(),
    _SPARSE: _restore_sparse,
}
