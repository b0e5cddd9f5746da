"""What RecBole keeps in a checkpoint, as values that ``torch.load(weights_only=True)`` admits, and back.

Tensors, numbers, strings and containers stay what they are. RecBole's config, enums, devices, NumPy arrays and the
sparse matrices of its neighbourhood models become dictionaries marked by their one key. Modules in ``other_parameter``
(DIN, DIEN, SASRecF ...: ``feature_embed_layer``) are left out, because the ``state_dict`` beside them holds their
weights.
"""

import enum
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.utils import enum_type, get_model
from scipy import sparse

CONFIG = "recbole_config"
ENUM = "recbole_enum"
_DEVICE = "torch_device"
_ARRAY = "numpy_array"
_SPARSE = "scipy_sparse"

ENUMS: dict[str, type[enum.Enum]] = {
    name: getattr(enum_type, name)
    for name in ("ModelType", "InputType", "EvaluatorType", "FeatureType", "FeatureSource", "KGDataLoaderState")
}
"""RecBole's enums by name: what a checkpoint may name."""
MOST_ROWS = 2**27
"""Rows and columns of a sparse matrix, whose memory grows with them however few entries it has."""


def to_plain(value: Any) -> Any:
    """Plain form of ``value``, all the way down."""
    if isinstance(value, Config):
        return {
            CONFIG: {
                "model": value.model,
                "dataset": value.dataset,
                "parameters": to_plain(value.parameters),
                "final_config_dict": to_plain(value.final_config_dict),
            }
        }
    if isinstance(value, enum.Enum):
        return {ENUM: [type(value).__name__, value.name]}
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
        return {to_plain(key): to_plain(item) for key, item in value.items() if not isinstance(item, torch.nn.Module)}
    if isinstance(value, (list, tuple)):
        return type(value)(to_plain(item) for item in value)
    if isinstance(value, type):  # RecBole accepts a model class in the place of its name
        return value.__name__
    return value


def from_plain(value: Any) -> Any:
    """What :func:`to_plain` was given, but for configs, which stay plain (:func:`restore_config`)."""
    if isinstance(value, OrderedDict):
        return value
    if isinstance(value, dict):
        if len(value) == 1 and (restore := _RESTORE.get(next(iter(value)))):
            return restore(next(iter(value.values())))
        return {key: from_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(from_plain(item) for item in value)
    return value


def restore_config(plain: Any) -> Config:
    """A Config with the stored values; its constructor would mix in this process's command line, and ``eval`` texts.

    Raises:
        KeyError: ``plain`` is no plain config.
        TypeError: likewise.
        ValueError: likewise.
    """
    stored = plain[CONFIG]
    config = Config.__new__(Config)
    config.compatibility_settings()
    config.yaml_loader = config._build_yaml_loader()
    for name, kind in {"model": str, "dataset": str, "parameters": dict, "final_config_dict": dict}.items():
        value = from_plain(stored[name])
        if not isinstance(value, kind):
            raise TypeError(f"{name} of its config is no {kind.__name__}")
        setattr(config, name, value)
    settings = config.final_config_dict
    if (settings.get("model"), settings.get("dataset")) != (config.model, config.dataset):
        raise ValueError("its config names two models or data sets")
    if not torch.distributed.is_initialized():  # a run of several processes, read by one alone
        settings.update(single_spec=True, local_rank=0)
    try:
        config.model_class = get_model(config.model)
    except (ValueError, ImportError, AttributeError):  # a class of the user's own, which RecBole does not find by name
        config.model_class = None
    return config


def _restore_enum(names: list) -> enum.Enum:
    kind, name = names
    return ENUMS[kind][name]


def _restore_device(name: str) -> torch.device:
    device = torch.device(name)
    return device if device.type != "cuda" or torch.cuda.is_available() else torch.device("cpu")


def _restore_array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()


def _restore_sparse(plain: list) -> Any:
    kind, shape, data, *coordinates = map(from_plain, plain)
    form, _, container = kind.partition("_")
    if form not in ("csr", "csc", "coo", "lil", "dok") or max(shape, default=0) > MOST_ROWS:
        raise ValueError(f"it has a sparse {kind} of {' x '.join(map(str, shape))}")
    matrix = sparse.coo_matrix if container == "matrix" else sparse.coo_array
    return matrix((data, tuple(coordinates)), shape=shape).asformat(form)


_RESTORE: dict[str, Callable[[Any], Any]] = {
    ENUM: _restore_enum,
    _DEVICE: _restore_device,
    _ARRAY: _restore_array,
    _SPARSE: _restore_sparse,
}
