"""The data set as loaded, filtered and numbered, in one binary file that the next start reads in its place.

The file is an ``npz`` archive of plain numbers and texts: nothing in it is unpickled, and its checksums are verified.
Its name and its header hold a digest of the atomic files' contents, of the settings that shape the data set, and of
the versions involved; a file with another digest, or one that cannot be read, is left aside.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from logging import getLogger
from pathlib import Path

import numpy as np
import pandas as pd
from recbole import __version__ as recbole_version
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.utils import FeatureSource, FeatureType
from recbole.utils.argument_list import dataset_arguments

from recbole_llmdistill.files.atomic_write import written_atomically

FORMAT = 2
SUFFIX = ".data.npz"
LEAST_BYTES = 16 * 2**20
"""Atomic files that are smaller together are read at once anyway."""
TABLES = ("inter_feat", "user_feat", "item_feat")
PROPERTIES = {"field2type": FeatureType, "field2source": FeatureSource, "field2seqlen": int, "field2bucketnum": int}
# Arguments of RecBole's data sets that matter only after this stage.
LATER = {
    *("sequence_training", "sequence_order", "unused_col", "NEG_PREFIX", "LIST_SUFFIX", "MAX_ITEM_LIST_LENGTH"),
    *("ITEM_LIST_LENGTH_FIELD", "POSITION_FIELD", "eval_exclude_seen"),
}


class DataCache:
    """Where the loaded form of one data set under one set of settings lies.

    Args:
        file: the cache file, which need not exist.
        digest: what it must have been made of.
    """

    def __init__(self, file: Path, digest: str) -> None:
        self.file, self.digest = file, digest

    @classmethod
    def of(cls, dataset: Dataset) -> "DataCache | None":
        """The cache of a data set that is about to be loaded, or None where there is to be none.

        That is: it is switched off, the files are small, or the data set has parts that are not kept (ready-made
        prefixes, additional files, preloaded weights, numerical features).
        """
        config = dataset.config
        chosen = config["sequence_data_cache"]
        unusual = ("benchmark_filename", "additional_feat_suffix", "preload_weight", "numerical_features")
        if not chosen or any(config[key] for key in unusual):
            return None
        files = [Path(dataset.dataset_path, f"{dataset.dataset_name}.{suffix}") for suffix in ("inter", "user", "item")]
        files = [f for f in files if f.is_file() and dataset._get_load_and_unload_col(f.suffix[1:])[0] != set()]
        if sum(file.stat().st_size for file in files) < LEAST_BYTES:
            return None
        digest = _digest(config, files)
        folder = Path(config["checkpoint_dir"] if chosen is True else chosen)
        return cls(folder / f"{dataset.dataset_name}-{digest[:16]}{SUFFIX}", digest)

    def read(self) -> dict | None:
        """Attributes of the loaded data set, or None where the file is missing or unfit, which is logged."""
        if not self.file.is_file():
            return None
        try:
            with np.load(self.file, allow_pickle=False) as archive:
                if any(member.compress_type != zipfile.ZIP_STORED for member in archive.zip.infolist()):
                    raise ValueError("it is compressed, and a small one could unpack to more than the memory")
                state = _unpack(archive, self.digest)
        except Exception as error:  # damaged bytes make zipfile, zlib and NumPy raise nine kinds; none may stop a run
            getLogger().warning(
                f"{self.file} is left aside and made again: it is no data cache of this run ({error!r})"
            )
            return None
        getLogger().info(f"Data set read from {self.file}, made of the same files and settings")
        return state

    def write(self, dataset: Dataset) -> None:
        """Keep the data set as it is now; a folder that cannot be written to is no reason to stop."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with written_atomically(self.file) as temporary:
                np.savez(temporary, **_pack(dataset, self.digest))  # type: ignore[arg-type]  # none is called allow_pickle
        except OSError as error:
            getLogger().warning(f"The data cache {self.file} could not be written ({error.strerror}); going on without")
            return
        getLogger().info(f"Data set kept in {self.file} for the next start (sequence_data_cache=False: never)")


def _digest(config: Config, files: list[Path]) -> str:
    from recbole_llmdistill import __version__

    settings = {key: config[key] for key in [*dataset_arguments, "encoding", "discretization"] if key not in LATER}
    import polars as pl

    versions = [FORMAT, __version__, recbole_version, pd.__version__, pl.__version__]
    digest = hashlib.blake2b(json.dumps([versions, settings], sort_keys=True, default=str).encode(), digest_size=32)
    for path in files:
        with open(path, "rb") as file:
            digest.update(path.suffix.encode() + hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _pack(dataset: Dataset, digest: str) -> dict[str, np.ndarray]:
    """Numbered arrays, and a header that says what each is."""
    arrays: list[np.ndarray] = []

    def keep(array: np.ndarray) -> int:
        arrays.append(array)
        return len(arrays) - 1

    def keep_column(values: np.ndarray) -> dict:
        if values.dtype == object:  # one array a row
            lengths = np.array([len(row) for row in values])
            return {"lengths": keep(lengths), **keep_column(np.concatenate(values))}
        return {"values": keep(_narrow(values)), "dtype": values.dtype.str}

    header = {
        "digest": digest,
        "left_out": dataset.left_out,
        "properties": {
            name: {field: getattr(value, "value", value) for field, value in getattr(dataset, name).items()}
            for name in PROPERTIES
        },
        "tables": {
            name: {field: keep_column(table[field].to_numpy()) for field in table.columns}
            for name in TABLES
            if (table := getattr(dataset, name)) is not None
        },
        "tokens": {field: keep(tokens) for field, tokens in dataset.field2id_token.items()},
    }
    named = {str(number): array for number, array in enumerate(arrays)}
    return {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **named}


def _unpack(archive: Mapping[str, np.ndarray], digest: str) -> dict:
    header = json.loads(archive["header"].tobytes())
    if header["digest"] != digest:
        raise ValueError("it was made of other files or settings")

    def column(field: str, kept: dict) -> np.ndarray | list[np.ndarray]:
        values = archive[str(kept["values"])].astype(np.dtype(kept["dtype"]), copy=False)
        tokens = state["field2id_token"].get(field)
        if tokens is not None and len(values) and not (values.min() >= 0 and values.max() < len(tokens)):
            raise ValueError(f"{field} has ids without a token")
        if "lengths" not in kept:
            return values
        return np.split(values, np.cumsum(archive[str(kept["lengths"])])[:-1])

    state: dict = {"left_out": int(header["left_out"]), **dict.fromkeys(TABLES)}
    for name, kind in PROPERTIES.items():
        state[name] = {field: kind(value) for field, value in header["properties"][name].items()}
    state["field2id_token"] = {field: archive[str(number)] for field, number in header["tokens"].items()}
    state["field2token_id"] = {
        field: {token: number for number, token in enumerate(tokens)}
        for field, tokens in state["field2id_token"].items()
    }
    for name, columns in header["tables"].items():
        state[name] = pd.DataFrame({field: column(field, kept) for field, kept in columns.items()}, copy=False)
    if state["inter_feat"] is None:
        raise ValueError("it holds no interactions")
    return state


def _narrow(values: np.ndarray) -> np.ndarray:
    """The same numbers in half the bytes, where that loses nothing."""
    if values.dtype not in (np.int64, np.float64):
        return values
    with np.errstate(all="ignore"):
        for kind in (np.int32,) if values.dtype == np.int64 else (np.float32, np.int32):
            narrow = values.astype(kind)
            if np.array_equal(narrow.astype(values.dtype).view(np.int64), values.view(np.int64)):
                return narrow
    return values
