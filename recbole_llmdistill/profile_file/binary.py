"""The binary twin ``<dataset>.useremb.npz``: a NumPy archive that ``np.load`` opens.

Members: ``user_id`` (strings, ``[users]``), ``user_emb`` (float32, ``[users, D]`` or ``[users, K, D]``) and, where
users lack some of their profiles, ``has_profile`` (bool, ``[users, K]``). We write them uncompressed, with the vectors
on a 64-byte border of the file, and map them from there: reading copies nothing, and processes share the pages.
Archives of ``np.savez`` and ``np.savez_compressed`` are read into memory. Nothing is ever unpickled.
"""

import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recbole_llmdistill.atomic_write import written_atomically
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profile_file.table import ProfileTable, row_chunks

BINARY_SUFFIX = ".useremb.npz"

_ALIGNMENT = 64
_LOCAL_HEADER = 30  # bytes of a member's local header before its name and extra field
_ZIP64_EXTRA = 20  # bytes that zipfile adds to the extra field where a member may exceed 4 GiB
_PADDING_ID = b"\x35\xd9"  # the extra field that Android's zipalign pads with


def write_binary(
    path: Path, user_tokens: Sequence[str], vectors: np.ndarray, has_profile: np.ndarray | None = None
) -> None:
    """Write the binary twin, atomically.

    Args:
        path: where to.
        user_tokens: ``[users]`` strings.
        vectors: ``[users, D]`` or ``[users, K, D]``, written as float32.
        has_profile: ``[users, K]`` bool, unless every user has every profile.
    """
    pieces = (vectors[rows] for rows in row_chunks(vectors))
    write_binary_in_chunks(path, user_tokens, vectors.shape, pieces, has_profile)


def write_binary_in_chunks(
    path: Path,
    user_tokens: Sequence[str],
    shape: tuple[int, ...],
    chunks: Iterable[np.ndarray],
    has_profile: np.ndarray | None = None,
) -> None:
    """As :func:`write_binary`, from consecutive chunks of rows that together have ``shape``; holds one at a time."""
    with (
        written_atomically(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        _write_member(archive, "user_emb", shape, np.dtype("<f4"), chunks)
        tokens = np.asarray(user_tokens, dtype=str)
        _write_member(archive, "user_id", tokens.shape, tokens.dtype, [tokens])
        if has_profile is not None and not has_profile.all():
            _write_member(archive, "has_profile", has_profile.shape, np.dtype(bool), [has_profile])


def _write_member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype, chunks: Iterable[np.ndarray]
) -> None:
    member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))  # the same bytes on every day
    # NumPy pads its own header to 64 bytes, so the values are aligned if the member is.
    unpadded = archive.fp.tell() + _LOCAL_HEADER + len(member.filename) + _ZIP64_EXTRA + 4
    padding = -unpadded % _ALIGNMENT
    member.extra = _PADDING_ID + padding.to_bytes(2, "little") + bytes(padding)
    rows = 0
    with archive.open(member, "w", force_zip64=True) as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks:
            if chunk.shape[1:] != tuple(shape[1:]):
                raise ValueError(f"a chunk of {name} has shape {chunk.shape}, the whole {shape}")
            file.write(np.ascontiguousarray(chunk, dtype=dtype).data.cast("B") if chunk.size else b"")
            rows += len(chunk)
    if rows != shape[0]:
        raise ValueError(f"{rows} rows of {name} were given, not {shape[0]}")


def read_binary(path: Path) -> ProfileTable:
    """Read the binary twin.

    Raises:
        InputError: no archive, a half-written one, or members of the wrong names or shapes.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile(_what_it_is(path))
        with np.load(path, allow_pickle=False) as archive:
            missing = {"user_id", "user_emb"} - set(archive.files)
            if missing:
                raise InputError(
                    f"{path}: lacks {', '.join(sorted(missing))} (found: {', '.join(archive.files) or 'nothing'}); "
                    "it needs user_id [users] and user_emb [users, D] or [users, K, D]"
                )
            tokens = archive["user_id"].astype(str)
            vectors = _map_member(path, archive.zip, "user_emb.npy")
            if vectors is None:
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
    elif vectors[~present].any():  # another writer's; ours leaves zeros there
        vectors = np.where(present[..., None], vectors, np.float32(0))
    return ProfileTable(path, tokens, vectors, present)


def _what_it_is(path: Path) -> str:
    """Name the file by its first bytes; an archive's directory is at its end, so a cut one has the right beginning."""
    with open(path, "rb") as file:
        start = file.read(6)
    if start.startswith(b"PK\x03\x04"):
        return "it ends too early"
    if start == b"\x93NUMPY":
        return "it is a single .npy array"
    return f"it begins with {start!r}" if start else "it is empty"


def _map_member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray | None:
    """The array of a stored float32 member, mapped from the file; None where it cannot be."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
        name_and_extra = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        file.seek(name_and_extra, os.SEEK_CUR)
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
        length = int(np.prod(shape)) * dtype.itemsize
        end = member.header_offset + _LOCAL_HEADER + name_and_extra + member.file_size
        if fortran_order or dtype != np.dtype("<f4") or offset % dtype.itemsize or length == 0:
            return None
        if offset + length != end or end > os.fstat(file.fileno()).st_size:
            raise zipfile.BadZipFile(f"{name} ends too early")
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape).view(np.ndarray)
