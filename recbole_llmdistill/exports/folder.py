"""The folder of an exported model, and the check that all of it is there.

================ =====================================================================================================
settings.json    what it is: see :class:`ExportSettings`; holds size and SHA-256 of all files but the model card
items.json       ``{"tokens": ["[PAD]", ...], "counts": [0, ...]}``: the token of each item number, and how often the
                 item was a training target (``null`` where the checkpoint did not say)
model.onnx       the graph, for ``format`` onnx; above 1.5 GiB its weights lie beside it, in model.onnx.data
model.pt2        the program, for ``format`` torch
README.md        model card
item_vectors.npz with ``--parts``: ``vectors [N, D]``, whose row is the item's number
user_state.onnx  with ``--parts``: graph of items and lengths to the state ``[B, D]``; scores are its products with the
                 item vectors
items.faiss      with ``--index hnsw``: an HNSW graph of the item vectors, by faiss
================ =====================================================================================================

Nothing in it is a pickle, and reading it imports neither PyTorch nor RecBole.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.files.scratch_folder import put_in_place, scratch_folder

SCHEMA = 1
SETTINGS = "settings.json"
ITEMS = "items.json"
CARD = "README.md"
VECTORS = "item_vectors.npz"
USER_STATE = "user_state.onnx"
INDEX = "items.faiss"


class ExportedFile(BaseModel):
    """A file's size and digest."""

    model_config = ConfigDict(extra="forbid")

    bytes: int
    sha256: str


class ExportSettings(BaseModel):
    """``settings.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = Field(SCHEMA, alias="schema")
    written_by: str
    model: str = Field(description="class of the model")
    format: Literal["onnx", "torch"]
    precision: Literal["fp32", "int8"]
    graph: str = Field(description="file name of the graph")
    n_items: int = Field(ge=2, description="items of the graph, the padding, number 0, among them")
    longest: int = Field(ge=1, description="items of a sequence that the graph reads at most")
    dataset: str
    data_fingerprint: str = Field(description="digest of the item tokens and their training counts")
    validation: dict[str, Any] = Field(description="metric, value and epoch by which training chose these weights")
    files: dict[str, ExportedFile]


@dataclass(frozen=True)
class ExportFolder:
    """A folder whose files are all as they were written.

    Attributes:
        path: of the folder.
        settings: what it holds.
        item_tokens: ``[N]`` token of each item's number, the padding's first.
        item_counts: ``[N]`` int64, training targets that each item was; None where the checkpoint did not say.
    """

    path: Path
    settings: ExportSettings
    item_tokens: list[str]
    item_counts: np.ndarray | None

    @classmethod
    def read(cls, path: str | Path) -> "ExportFolder":
        """Read a folder and verify its checksums.

        Raises:
            InputError: it is none of ours, of another schema, or not as it was written.
        """
        path = Path(path)
        settings = _read_settings(path)
        for name, written in settings.files.items():
            _check_file(path / name, written)
        try:
            items = parse_json((path / ITEMS).read_bytes())
            tokens, counts = items["tokens"], items["counts"]
            if len(tokens) != settings.n_items or not all(isinstance(token, str) for token in tokens):
                raise ValueError(f"no token for each of the {settings.n_items} items")
            array = None if counts is None else np.array(counts, dtype=np.int64)
            if array is not None and array.shape != (len(tokens),):
                raise ValueError("no count for each token")
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise InputError(f"{path / ITEMS}: damaged ({error})") from error
        return cls(path, settings, tokens, array)

    @property
    def graph(self) -> Path:
        """The graph's file."""
        return self.path / self.settings.graph


def is_export(path: str | Path) -> bool:
    """Whether a path is a folder, and so an export rather than a checkpoint."""
    return Path(path).is_dir()


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse, before any work, a folder that cannot be written.

    Raises:
        InputError: it is a file, lies in no folder, or holds something that is not to be overwritten.
    """
    if not path.parent.is_dir():
        raise InputError(f"--out={path}: the folder {path.parent} does not exist")
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"--out={path} is a file; name a folder")
    if any(path.iterdir()):
        if not overwrite:
            raise InputError(f"--out={path} is not empty; give another folder, or --overwrite")
        if not (path / SETTINGS).is_file():
            raise InputError(f"--out={path} holds no export, so nothing in it is overwritten; give another folder")


@contextmanager
def written_folder(path: Path) -> Iterator[Path]:
    """Gives an empty folder that takes the place of ``path`` when the block ends; if it fails, nothing has changed.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with scratch_folder(f".{path.name}.tmp-", path.parent) as scratch:
            yield scratch
            for file in scratch.iterdir():
                with open(file, "rb") as written:
                    os.fsync(written.fileno())
            before = None
            if path.exists() and any(path.iterdir()):
                before = path.with_name(f"{scratch.name}.before")
                path.rename(before)
            try:
                put_in_place(scratch, path)
            except OSError:
                if before is not None:
                    before.rename(path)
                raise
            if before is not None:
                shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise InputError(f"--out={path}: cannot be written ({error.strerror or error})") from error


def write_items(folder: Path, tokens: list[str], counts: np.ndarray | None) -> None:
    """Write ``items.json``."""
    items = {"tokens": tokens, "counts": None if counts is None else counts.tolist()}
    (folder / ITEMS).write_text(json.dumps(items), encoding="ascii")


def write_settings(folder: Path, settings: dict[str, Any]) -> ExportSettings:
    """Write ``settings.json`` with the sizes and digests of the files that are there; the model card comes later."""
    files = {file.name: _digest(file) for file in sorted(folder.iterdir()) if not file.name.startswith(".")}
    made = ExportSettings(**settings, files=files)
    text = json.dumps(made.model_dump(by_alias=True), indent=2)
    (folder / SETTINGS).write_text(text + "\n", encoding="utf-8")
    return made


def data_fingerprint(tokens: list[str], counts: np.ndarray | None) -> str:
    """Digest of what a checkpoint says of its data: item tokens in their order, and training counts."""
    digest = hashlib.sha256()
    for token in tokens:
        digest.update(token.encode("utf-8", "surrogatepass") + b"\0")
    if counts is not None:
        digest.update(counts.astype("<i8").tobytes())
    return f"sha256:{digest.hexdigest()}"


def _digest(file: Path) -> ExportedFile:
    with open(file, "rb") as content:
        return ExportedFile(bytes=file.stat().st_size, sha256=hashlib.file_digest(content, "sha256").hexdigest())


def _read_settings(path: Path) -> ExportSettings:
    file = path / SETTINGS
    if not path.is_dir():
        raise InputError(f"{path} is no folder; name one that llmdistill export wrote")
    if not file.is_file():
        raise InputError(f"{path} has no {SETTINGS}, so llmdistill export did not write it")
    try:
        said = parse_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from error
    schema = said.get("schema") if isinstance(said, dict) else None
    if schema != SCHEMA:
        raise InputError(f"{file}: its schema is {schema!r}, known here is {SCHEMA}; use the recbole-llmdistill of it")
    try:
        settings = ExportSettings(**said)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"{file}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
    for name in {settings.graph, ITEMS, *settings.files}:
        if name not in settings.files or name != os.path.basename(name):
            raise InputError(f"{file}: {name!r} is none of its files")
    return settings


def _check_file(file: Path, written: ExportedFile) -> None:
    try:
        if file.stat().st_size != written.bytes:
            raise InputError(
                f"{file}: {file.stat().st_size:,} bytes, where {written.bytes:,} were written; copy or export it again"
            )
        if _digest(file) != written:
            raise InputError(f"{file}: its checksum is not the one that was written; copy or export it again")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); copy or export it again") from error
