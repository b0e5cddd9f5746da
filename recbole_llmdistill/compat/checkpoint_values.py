"""The values of a checkpoint file, ours or RecBole's own, made of what its pickle says and its tensors' bytes.

A checkpoint is what ``torch.save`` writes: a zip archive, uncompressed, of one pickle and the bytes of each tensor.
The pickle is read as a description (:mod:`recbole_llmdistill.compat.restricted_pickle`); this module knows what may
stand in it and makes that, and nothing besides: tensors, arrays, sparse matrices, containers, and RecBole's config in
the plain form of :mod:`recbole_llmdistill.compat.plain_values`. Every size is checked against the bytes that are there,
and zip's checksums are verified, which ``torch.load`` does not.
"""

import math
import os
import pickle
import re
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse

from recbole_llmdistill.compat import restricted_pickle
from recbole_llmdistill.compat.plain_values import CONFIG, ENUM, ENUMS, to_plain
from recbole_llmdistill.compat.restricted_pickle import Recorded, is_recorded_class

MOST_VALUES = 2_000_000
"""Values of a checkpoint, counted as often as they are referred to; a text counts once per 64 characters."""
DEEPEST = 100
"""Containers in each other."""

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
_UNKNOWN = object()  # an object that is left out


class _Storage(NamedTuple):
    """What the pickle says of a tensor's bytes."""

    kind: Any
    key: str
    location: str
    length: int


def read_values(file: str | os.PathLike, map_location: str | torch.device | None = None) -> Any:
    """What ``torch.save`` wrote to ``file``; objects of unknown classes are left out.

    Args:
        file: path of the checkpoint.
        map_location: device of all tensors; None: where each was, if that is here, else the CPU.

    Raises:
        Exception: of any kind, where the file is no checkpoint.
    """
    with zipfile.ZipFile(file) as archive:
        return _Reader(archive, Path(file).stat().st_size, map_location).read()


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, size: int, map_location: str | torch.device | None) -> None:
        self.archive, self.map_location = archive, map_location
        records = archive.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ValueError("its records are compressed")
        if sum(record.file_size for record in records) > size:
            raise ValueError("its records are larger than the file")
        pickles = [record.filename for record in records if re.fullmatch(r"[^/]+/data\.pkl", record.filename)]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl")
        self.folder = pickles[0].partition("/")[0]
        self.storages: dict[str, torch.Tensor] = {}
        self.tensors: dict[int, torch.Tensor] = {}
        self.left = MOST_VALUES

    def read(self) -> Any:
        if f"{self.folder}/byteorder" in self.archive.namelist():
            order = self.archive.read(f"{self.folder}/byteorder").decode()
            if order != sys.byteorder:
                raise ValueError(f"its numbers are in {order}-endian order")
        described = restricted_pickle.load(BytesIO(self.archive.read(f"{self.folder}/data.pkl")), _storage)
        value = self.value(described, 0)
        return None if value is _UNKNOWN else value

    def value(self, described: Any, depth: int) -> Any:
        """The value of one part of the description."""
        self._count(1)
        if depth > DEEPEST:
            raise ValueError(f"it has more than {DEEPEST} containers in each other")
        if described is None or isinstance(described, (bool, float)):
            return described
        if isinstance(described, int):
            if described.bit_length() > 64:
                raise ValueError("it has an integer of more than 64 bits")
            return described
        if isinstance(described, (str, bytes)):
            self._count(len(described) // 64)
            return described
        if isinstance(described, dict):
            return dict(self._entries(described.items(), depth))
        if isinstance(described, (list, tuple, set, frozenset)) and not isinstance(described, _Storage):
            parts = [self.value(part, depth + 1) for part in described]
            return type(described)(None if part is _UNKNOWN else part for part in parts)
        if isinstance(described, Recorded):
            make = _MAKERS.get((described.module, described.name))
            return make(self, described, depth) if make else _UNKNOWN
        return _UNKNOWN

    def _count(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            raise ValueError(f"it has more than {MOST_VALUES} values")

    def _entries(self, entries: Iterable[tuple[Any, Any]], depth: int) -> Iterator[tuple[Any, Any]]:
        for key, described in entries:
            if not isinstance(key, (str, int, float, tuple, type(None))):
                raise ValueError("it has a key that is neither text nor number")
            name, value = self.value(key, depth + 1), self.value(described, depth + 1)
            if value is not _UNKNOWN:
                yield name, value

    def _storage_tensor(self, storage: _Storage, dtype: torch.dtype) -> torch.Tensor:
        """All elements of a tensor's bytes, read once."""
        if storage.key not in self.storages:
            content = bytearray(self.archive.read(f"{self.folder}/data/{storage.key}"))
            self.storages[storage.key] = torch.frombuffer(content, dtype=torch.uint8) if content else torch.empty(0)
        elements = self.storages[storage.key]
        if not len(elements):
            return torch.empty(0, dtype=dtype)
        if dtype == torch.bool:
            return elements != 0
        return elements.view(dtype)

    def tensor(self, recorded: Recorded, _depth: int) -> torch.Tensor:
        if id(recorded) in self.tensors:  # one that is referred to twice stays one
            return self.tensors[id(recorded)]
        storage, offset, shape, stride = recorded.arguments[:4]
        if not (isinstance(storage, _Storage) and is_recorded_class(storage.kind)):
            raise ValueError("it has a tensor without numbers")
        shape, stride = (
            numbers.arguments[0] if isinstance(numbers, Recorded) else numbers for numbers in (shape, stride)
        )
        elements = self._storage_tensor(storage, _STORAGES[storage.kind.name])
        numbers = [offset, *shape, *stride]
        if len(shape) != len(stride) or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise ValueError("it has a tensor of an impossible shape")
        last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
        if math.prod(shape) > len(elements) or (math.prod(shape) and last >= len(elements)):
            raise ValueError("it has a tensor that is larger than its numbers")
        if not math.prod(shape):
            elements, offset = elements[:0], 0
        made = torch.as_strided(elements, shape, stride, offset).to(self._device(storage.location))
        self.tensors[id(recorded)] = made
        return made

    def _device(self, location: str) -> str | torch.device:
        if self.map_location is not None:
            return self.map_location
        if location.startswith("cuda") and torch.cuda.is_available():
            device = torch.device(location)
            return device if (device.index or 0) < torch.cuda.device_count() else "cuda"
        return "cpu"

    def parameter(self, recorded: Recorded, depth: int) -> torch.nn.Parameter:
        data, requires_grad = recorded.arguments[:2]
        return torch.nn.Parameter(self.value(data, depth + 1), requires_grad=requires_grad is True)

    def mapping(self, recorded: Recorded, depth: int) -> OrderedDict:
        made = OrderedDict(self._entries(recorded.entries, depth))
        if isinstance(recorded.state, dict) and "_metadata" in recorded.state:  # versions of a state dict's modules
            metadata = self.value(recorded.state["_metadata"], depth + 1)
            if isinstance(metadata, dict):
                made._metadata = metadata  # type: ignore[attr-defined]  # where PyTorch has it
        return made

    def defaulting(self, recorded: Recorded, depth: int) -> dict:
        return dict(self._entries(recorded.entries, depth))

    def collection(self, recorded: Recorded, depth: int) -> Any:
        kind = {"set": set, "frozenset": frozenset, "Size": tuple}[recorded.name]
        return kind(self.value(recorded.arguments[0] if recorded.arguments else (), depth + 1))

    def encoded(self, recorded: Recorded, _depth: int) -> bytes:
        """How the older protocols write bytes."""
        text, encoding = recorded.arguments
        if encoding != "latin1":
            raise ValueError("it has bytes of an unknown form")
        self._count(len(text) // 64)
        return text.encode("latin1")

    def device(self, recorded: Recorded, _depth: int) -> dict:
        kind, *index = recorded.arguments
        return to_plain(torch.device(":".join(map(str, [kind, *index]))))

    def number(self, recorded: Recorded, depth: int) -> Any:
        dtype, content = recorded.arguments
        return np.frombuffer(self.value(content, depth + 1), _dtype(dtype)).reshape(()).item()

    def array(self, recorded: Recorded, depth: int) -> Any:
        _, shape, dtype, fortran, content = recorded.state
        if isinstance(content, list):  # of objects
            return _UNKNOWN
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("it has an array of an impossible shape")
        values = np.frombuffer(self.value(content, depth + 1), _dtype(dtype))
        return values.reshape(shape, order="F" if fortran is True else "C").copy()

    def matrix(self, recorded: Recorded, depth: int) -> Any:
        parts = {key: self.value(part, depth + 1) for key, part in recorded.state.items()}
        shape, kind = parts["_shape"], getattr(sparse, recorded.name)
        if recorded.name == "coo_matrix":
            coordinates = parts["coords"] if "coords" in parts else (parts["row"], parts["col"])
            return kind((parts["data"], tuple(coordinates)), shape=shape)
        made = kind((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
        made.check_format(full_check=True)  # its products read where these numbers point
        return made

    def enum(self, recorded: Recorded, _depth: int) -> dict:
        (value,) = recorded.arguments
        return {ENUM: [recorded.name, ENUMS[recorded.name](value).name]}

    def config(self, recorded: Recorded, depth: int) -> Any:
        if not isinstance(recorded.state, dict):  # only what RecBole's trainer pickles: attributes, no arguments
            return _UNKNOWN
        names = ("model", "dataset", "parameters", "final_config_dict")
        return {CONFIG: {name: self.value(recorded.state[name], depth + 1) for name in names}}


def _storage(reference: Any) -> _Storage:
    kind, *rest = reference
    if kind != "storage":
        raise pickle.UnpicklingError("it refers to something else than a tensor's numbers")
    storage = _Storage(*rest)
    if not (isinstance(storage.key, str) and isinstance(storage.location, str)):
        raise pickle.UnpicklingError("it refers to a tensor's numbers by something else than a name")
    return storage


def _dtype(recorded: Any) -> np.dtype:
    """A type of numbers or texts; none of objects."""
    (code, *_), (_, order, *_) = recorded.arguments, recorded.state
    if (recorded.module, recorded.name) != ("numpy", "dtype") or not re.fullmatch(r"[biufcUS]\d{1,6}", code):
        raise ValueError("it has an array of an unknown type")
    return np.dtype({"<": "<", ">": ">"}.get(order, "=") + code)


_MAKERS: dict[tuple[str, str], Callable[[_Reader, Recorded, int], Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _Reader.tensor,
    ("torch._utils", "_rebuild_parameter"): _Reader.parameter,
    ("torch", "Size"): _Reader.collection,
    ("torch", "device"): _Reader.device,
    ("collections", "OrderedDict"): _Reader.mapping,
    ("collections", "defaultdict"): _Reader.defaulting,
    ("builtins", "set"): _Reader.collection,
    ("__builtin__", "set"): _Reader.collection,
    ("_codecs", "encode"): _Reader.encoded,
    ("recbole.config.configurator", "Config"): _Reader.config,
    **{("recbole.utils.enum_type", name): _Reader.enum for name in ENUMS},
    # NumPy's arrays, before and since NumPy 2, and the sparse matrices of RecBole's neighbourhood models
    **{
        (f"numpy.{core}.multiarray", name): maker
        for core in ("core", "_core")
        for name, maker in {"scalar": _Reader.number, "_reconstruct": _Reader.array}.items()
    },
    **{(f"scipy.sparse.{private}{kind}", f"{kind}_matrix"): _Reader.matrix
       for kind in ("csr", "csc", "coo") for private in ("", "_")},
}  # fmt: skip
