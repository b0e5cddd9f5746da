"""Read checkpoints that RecBole itself wrote, without running code that they may carry.

RecBole pickles its whole ``Config`` with protocol 4, which ``torch.load(weights_only=True)`` refuses. This stands in
for the ``pickle`` module in ``torch.load``: tensors, arrays, containers and RecBole's config are rebuilt; every other
class becomes an :class:`Inert` object, which does nothing.
"""

import collections
import pickle

import numpy as np
import torch
from numpy.core import multiarray
from recbole.config import Config
from recbole.utils import enum_type
from scipy import sparse
from torch import _utils as torch_utils

_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): collections.defaultdict,
    ("torch", "device"): torch.device,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor_v2"): torch_utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch_utils._rebuild_parameter,
    ("recbole.config.configurator", "Config"): Config,
    # NumPy arrays and the sparse matrices of RecBole's neighbourhood models
    ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("numpy.core.multiarray", "scalar"): multiarray.scalar,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("scipy.sparse._csr", "csr_matrix"): sparse.csr_matrix,
    ("scipy.sparse._csc", "csc_matrix"): sparse.csc_matrix,
    ("scipy.sparse._coo", "coo_matrix"): sparse.coo_matrix,
    **{
        ("recbole.utils.enum_type", name): getattr(enum_type, name)
        for name in ("ModelType", "InputType", "EvaluatorType", "FeatureType", "FeatureSource", "KGDataLoaderState")
    },
}


class Inert:
    """Takes the place of an object whose class is not allowed."""

    def __init__(self, *args, **kwargs) -> None:
        pass

    def __setstate__(self, state) -> None:
        pass


class Unpickler(pickle.Unpickler):
    """Unpickler that knows the allowed classes only; ``torch.load`` derives its own from it."""

    def find_class(self, module: str, name: str):
        if module == "torch" and name.endswith("Storage") and isinstance(getattr(torch, name, None), type):
            return getattr(torch, name)
        return _ALLOWED.get((module, name), Inert)


def load(file, **options):
    """Counterpart of ``pickle.load``, which ``torch.load`` calls for its oldest file format."""
    return Unpickler(file, **options).load()
