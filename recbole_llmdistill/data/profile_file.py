"""Read profile vectors from disk: ``<dataset>.useremb`` (RecBole's text format) or its binary twin ``.useremb.npz``.

Text: a header ``uid:token<TAB>user_emb:float_seq`` and one line a user; several ``float_seq`` columns are several
profiles a user, an empty cell is a profile that this user lacks. Binary: a NumPy archive with ``user_id`` (strings,
``[users]``), ``user_emb`` (float32, ``[users, D]`` or ``[users, K, D]``) and, where users lack some of their
profiles, ``has_profile`` (bool, ``[users, K]``). Neither is ever unpickled.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError

TEXT_SUFFIX = ".useremb"
BINARY_SUFFIX = ".useremb.npz"


@dataclass(frozen=True)
class ProfileTable:
    """Profile vectors as they stand in a file, before they are aligned with a data set.

    Attributes:
        path: the file.
        user_tokens: ``[users]`` strings, each user once.
        vectors: ``[users, K, D]`` float32, zero where ``present`` is false.
        present: ``[users, K]`` bool.
    """

    path: Path
    user_tokens: np.ndarray
    vectors: np.ndarray
    present: np.ndarray

    def __post_init__(self) -> None:
        if len(self.user_tokens) == 0:
            raise InputError(f"{self.path}: no profiles in this file; make it anew or set distill_alpha=0")
        tokens, count = np.unique(self.user_tokens, return_counts=True)
        if (count > 1).any():
            twice = np.argmax(count > 1)
            rows = np.flatnonzero(self.user_tokens == tokens[twice]) + 1
            raise InputError(
                f"{self.path}: user {tokens[twice]!r} stands in it {count[twice]} times (users number "
                f"{rows[0]} and {rows[1]} of the file); keep one line a user"
            )
        broken = ~np.isfinite(self.vectors).all(axis=(1, 2))
        if broken.any():
            row = int(np.argmax(broken))
            raise InputError(
                f"{self.path}: the vector of user {self.user_tokens[row]!r} (user number {row + 1} of the file) holds "
                "NaN or infinite values; encode that profile again or leave the user out"
            )


def read_profile_file(path: Path) -> ProfileTable:
    """Read a text or binary profile file.

    Raises:
        InputError: the file is missing, empty, ragged, holds NaN or infinite values or a user twice.
    """
    try:
        if path.name.endswith(BINARY_SUFFIX) or path.suffix == ".npz":
            return _read_binary(path)
        return _read_text(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); see profile_path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error


def write_binary(path: Path, user_tokens: np.ndarray, vectors: np.ndarray) -> None:
    """Write the binary twin, atomically: ``vectors`` is float32 ``[users, D]`` or ``[users, K, D]``."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        np.savez_compressed(file, user_id=np.asarray(user_tokens, dtype=str), user_emb=vectors.astype(np.float32))
    temporary.replace(path)


def _read_binary(path: Path) -> ProfileTable:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = {"user_id", "user_emb"} - set(archive.files)
            if missing:
                raise InputError(
                    f"{path}: lacks {', '.join(sorted(missing))} (found: {', '.join(archive.files) or 'nothing'}); "
                    "it needs user_id [users] and user_emb [users, D] or [users, K, D]"
                )
            tokens = archive["user_id"].astype(str)
            vectors = archive["user_emb"].astype(np.float32, copy=False)
            present = archive["has_profile"].astype(bool) if "has_profile" in archive.files else None
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable .npz archive, or a half-written one ({error})") from error
    if vectors.ndim == 2:
        vectors = vectors[:, None, :]
    if vectors.ndim != 3 or len(vectors) != len(tokens) or tokens.ndim != 1:
        raise InputError(
            f"{path}: user_id has shape {tokens.shape} and user_emb {vectors.shape}; expected [users] and "
            "[users, D] or [users, K, D]"
        )
    if present is None:
        present = np.ones(vectors.shape[:2], dtype=bool)
    elif present.shape != vectors.shape[:2]:
        raise InputError(f"{path}: has_profile has shape {present.shape}; expected {vectors.shape[:2]}")
    return ProfileTable(path, tokens, np.where(present[..., None], vectors, np.float32(0)), present)


def _read_text(path: Path) -> ProfileTable:
    with open(path, encoding="utf-8") as file:
        header = file.readline().rstrip("\r\n")
        columns = [field.rpartition(":") for field in header.split("\t")]
        types = [kind for _, _, kind in columns]
        if not header:
            raise InputError(f"{path}: the file is empty; make it anew or set distill_alpha=0")
        if len(types) < 2 or types[0] != "token" or set(types[1:]) != {"float_seq"}:
            raise InputError(
                f"{path}, line 1: the header is {header!r}; expected 'uid:token<TAB>user_emb:float_seq' "
                "(more float_seq columns for several profiles a user)"
            )
        tokens, rows, dimension = [], [], None
        for number, line in enumerate(file, start=2):
            cells = line.rstrip("\r\n").split("\t")
            if len(cells) != len(types):
                raise InputError(f"{path}, line {number}: {len(cells)} columns, the header has {len(types)}")
            try:
                vectors = [np.array(cell.split(), dtype=np.float32) for cell in cells[1:]]
            except ValueError as error:
                raise InputError(f"{path}, line {number}: {error}; user_emb is numbers separated by spaces") from error
            for vector in vectors:
                if len(vector) and dimension is None:
                    dimension, dimension_line = len(vector), number
                if len(vector) not in (0, dimension):
                    raise InputError(
                        f"{path}, line {number}: {len(vector)} values, but line {dimension_line} has {dimension}; "
                        "all profiles need the same number"
                    )
            tokens.append(cells[0])
            rows.append(vectors)
    present = np.array([[len(vector) > 0 for vector in vectors] for vectors in rows], dtype=bool)
    table = np.zeros((len(rows), len(types) - 1, dimension or 0), dtype=np.float32)
    for row, vectors in zip(table, rows, strict=True):
        for slot, vector in zip(row, vectors, strict=True):
            slot[: len(vector)] = vector
    return ProfileTable(path, np.array(tokens, dtype=str), table, present.reshape(len(rows), len(types) - 1))
