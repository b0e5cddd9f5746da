"""The binary twin ``<dataset>.useremb.npz`` or ``<dataset>.itememb.npz``: a NumPy archive that ``np.load`` opens.

Members: ``user_id`` (strings, ``[users]``), ``user_emb`` (float32, ``[users, D]`` or ``[users, K, D]``) and, where
users lack some of their profiles, ``has_profile`` (bool, ``[users, K]``); of items ``item_id`` and ``item_emb``. We
write them uncompressed, with the vectors on a 64-byte border of the file, and map them from there: reading copies
nothing, and processes share the pages. The archive's own checksum (CRC-32) of the mapped bytes is compared at every
start, which takes about half a second for 1,000,000 users of 128 dimensions. Archives of ``np.savez`` and
``np.savez_compressed`` are read as well. Nothing is ever unpickled.
"""

import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors.numbers import describe_type, to_float32
from recbole_llmdistill.formats.vectors.table import ProfileTable, row_chunks

_ALIGNMENT = 64
_LOCAL_HEADER = 30  # bytes of a member's local header before its name and extra field
_END_OF_DIRECTORY = 22  # bytes of the record that ends an archive, before its comment
_ZIP64_EXTRA = 20  # bytes that zipfile adds to the extra field where a member may exceed 4 GiB
_MOST_UNPACKED, _MOST_RATIO = 2**30, 200  # bytes; beyond both, a compressed array is a trap and not vectors
_PADDING_ID = b"\x35\xd9"  # the extra field that Android's zipalign pads with


def write_binary(
    path: Path,
    tokens: Sequence[str],
    vectors: np.ndarray,
    has_profile: np.ndarray | None = None,
    of: Entity = USERS,
) -> None:
    """Write the binary twin, atomically.

    Args:
        path: where to.
        tokens: ``[users]`` strings.
        vectors: ``[users, D]`` or ``[users, K, D]``, written as float32.
        has_profile: ``[users, K]`` bool, unless every user has every profile.
        of: users or items.
    """
    pieces = (vectors[rows] for rows in row_chunks(vectors))
    write_binary_in_chunks(path, tokens, vectors.shape, pieces, has_profile, of)


def write_binary_in_chunks(
    path: Path,
    tokens: Sequence[str],
    shape: tuple[int, ...],
    chunks: Iterable[np.ndarray],
    has_profile: np.ndarray | None = None,
    of: Entity = USERS,
) -> None:
    """As :func:`write_binary`, from consecutive chunks of rows that together have ``shape``; holds one at a time."""
    with (
        written_atomically(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        _write_member(archive, of.vector, shape, np.dtype("<f4"), chunks)
        names = np.asarray(tokens, dtype=str)
        _write_member(archive, of.id, names.shape, names.dtype, [names])
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


def read_binary(path: Path, of: Entity = USERS) -> ProfileTable:
    """Read the binary twin. Every byte that is used is compared with the archive's checksums.

    Raises:
        InputError: no archive, a half-written or damaged one, or members of the wrong names, types or shapes.
    """
    arrays = read_arrays(path, {of.id: "iuUS", of.vector: "fiu"}, {"has_profile": "biu"}, of)
    return table_of_arrays(path, arrays[of.id], arrays[of.vector], arrays.get("has_profile"), of)


def table_of_arrays(
    path: Path, tokens: np.ndarray, vectors: np.ndarray, present: np.ndarray | None = None, of: Entity = USERS
) -> ProfileTable:
    """The table of ``tokens [users]``, ``vectors [users, D]`` or ``[users, K, D]`` and ``present [users, K]``.

    Raises:
        InputError: other shapes, numbers that float32 does not hold, or names that are no text in UTF-8.
    """
    if vectors.ndim == 2:
        vectors = vectors[:, None, :]
    if vectors.ndim != 3 or tokens.shape != vectors.shape[:1]:
        raise InputError(
            f"{path}: the {of.name} have shape {tokens.shape} and the vectors {vectors.shape}; expected [{of.name}] "
            f"and [{of.name}, D] or [{of.name}, K, D]"
        )
    if present is not None and present.shape != vectors.shape[:2]:
        raise InputError(f"{path}: has_profile has shape {present.shape}; expected {vectors.shape[:2]}")
    vectors = to_float32(vectors, lambda row: f"{path}, {of.noun} number {row + 1}")
    if present is None:
        present = np.ones(vectors.shape[:2], dtype=bool)
    elif vectors[~(present := present.astype(bool))].any():  # another writer's; ours leaves zeros there
        vectors = np.where(present[..., None], vectors, np.float32(0))
    return ProfileTable(path, _as_texts(path, tokens, of), vectors, present, of)


def _as_texts(path: Path, tokens: np.ndarray, of: Entity) -> np.ndarray:
    try:
        texts = np.char.decode(tokens, "utf-8") if tokens.dtype.kind == "S" else tokens.astype(str)
        texts.tolist()  # fails for numbers that are no characters
    except ValueError as error:
        raise InputError(f"{path}: its {of.name} are no text in UTF-8 ({error})") from error
    return texts


def read_arrays(
    path: Path, needed: dict[str, str], further: dict[str, str], of: Entity = USERS
) -> dict[str, np.ndarray]:
    """Arrays of an ``npz`` archive: float32 ones that lie uncompressed in it are mapped, others are read.

    Args:
        path: the archive.
        needed: name -> kinds of NumPy types that are allowed (``iuUS``, for instance).
        further: the same of arrays that may be missing, and then are not in the result.
        of: users or items, for messages.

    Raises:
        InputError: an array is missing or of another type, or the archive is damaged.
    """
    allowed = needed | further
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile(_what_it_is(path))
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if missing := [name for name in needed if name not in names]:
                raise InputError(
                    f"{path}: lacks {', '.join(sorted(missing))} (found: {', '.join(names) or 'nothing'}); it needs "
                    f"{of.id} [{of.name}] and {of.vector} [{of.name}, D] or [{of.name}, K, D]; others are named to "
                    "`llmdistill import`"
                )
            if len(set(names)) < len(names) or _declared_members(path, archive) != len(names) % 2**16:
                raise zipfile.BadZipFile("its directory is damaged")
            for member in archive.infolist():
                archive.open(member).close()  # fails where the directory names a member otherwise than itself
            return {name: _read_member(path, archive, name, allowed[name]) for name in allowed if name in names}
    except (InputError, OSError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise nine kinds of errors about damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a readable .npz archive, or a half-written one ({reason})") from error


def _read_member(path: Path, archive: zipfile.ZipFile, name: str, kinds: str) -> np.ndarray:
    """One array, whose declared size is that of its bytes before any memory is asked for."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > _MOST_UNPACKED and member.file_size > _MOST_RATIO * member.compress_size:
        raise zipfile.BadZipFile(f"{name} claims to unpack {member.compress_size} bytes to {member.file_size}")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        if version not in ((1, 0), (2, 0)):
            raise zipfile.BadZipFile(f"{name} is of the unknown .npy version {version}")
        shape, fortran_order, dtype = read_header(file)
        if dtype.hasobject:
            raise zipfile.BadZipFile(f"{name} holds Python objects, which are never unpickled")
        if dtype.kind not in kinds:
            raise InputError(f"{path}: {name} holds {describe_type(dtype)}; expected {_expected(kinds)}")
        length = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or file.tell() + length != member.file_size:
            raise zipfile.BadZipFile(f"{name} declares {shape} values of {dtype}, which its bytes are not")
        order = "F" if fortran_order else "C"
        start = _start_of_member(path, member)
        offset = start + file.tell()
        if member.compress_type == zipfile.ZIP_STORED and dtype == np.dtype("<f4") and length and offset % 4 == 0:
            if zlib.crc32(_mapped(path, start, member.file_size)) != member.CRC:
                raise zipfile.BadZipFile(f"{name} is not what was written: its checksum differs")
            return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order=order).view(np.ndarray)
        return np.frombuffer(file.read(), dtype=dtype).reshape(shape, order=order)  # zipfile compares the checksum


def _expected(kinds: str) -> str:
    return {"iuUS": "strings or whole numbers", "fiu": "real numbers", "biu": "true and false"}[kinds]


def _what_it_is(path: Path) -> str:
    """Name the file by its first bytes; an archive's directory is at its end, so a cut one has the right beginning."""
    with open(path, "rb") as file:
        start = file.read(6)
    if start.startswith(b"PK\x03\x04"):
        return "it ends too early"
    if start == b"\x93NUMPY":
        return "it is a single .npy array"
    return f"it begins with {start!r}" if start else "it is empty"


def _declared_members(path: Path, archive: zipfile.ZipFile) -> int:
    """Number of members by the end of the directory, modulo 2**16; zipfile lists as many as it happens to find."""
    with open(path, "rb") as file:
        file.seek(-_END_OF_DIRECTORY - len(archive.comment), os.SEEK_END)
        return int.from_bytes(file.read(_END_OF_DIRECTORY)[10:12], "little")


def _start_of_member(path: Path, member: zipfile.ZipInfo) -> int:
    """Where in the file a member's bytes begin."""
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return member.header_offset + _LOCAL_HEADER + lengths


def _mapped(path: Path, start: int, length: int) -> np.ndarray:
    if start + length > path.stat().st_size:
        raise zipfile.BadZipFile("it ends too early")
    return np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=(length,))
