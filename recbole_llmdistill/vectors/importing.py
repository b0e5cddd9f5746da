"""``llmdistill import``: bring vectors that somebody else made into the form that training reads."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.manifest import carry_manifest, check_output_folder
from recbole_llmdistill.formats.vectors import ProfileTable, examine, read_profile_file
from recbole_llmdistill.formats.vectors.binary import read_arrays, table_of_arrays
from recbole_llmdistill.formats.vectors.table import row_chunks
from recbole_llmdistill.vectors.importers.columns import Tell, check_values
from recbole_llmdistill.vectors.importers.csv_file import read_csv
from recbole_llmdistill.vectors.importers.json_file import read_json
from recbole_llmdistill.vectors.importers.parquet import read_parquet
from recbole_llmdistill.vectors.importers.piece import Piece
from recbole_llmdistill.vectors.output import write_vectors

_LOG = getLogger(__name__)
SUFFIXES = (".npz", ".useremb", ".parquet", ".json", ".csv", ".tsv")


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        files: what was written.
        shape: ``(users, K, D)``.
        has_manifest: whether a manifest beside the source could be carried along.
    """

    files: list[Path]
    shape: tuple[int, int, int]
    has_manifest: bool


def read_vectors(
    path: Path,
    scratch: Path,
    user_column: str | None,
    vector_column: str | None,
    tell: Tell = _LOG.warning,
) -> ProfileTable:
    """Vectors of any format that we read, checked; large ones lie in ``scratch``, not in memory.

    Args:
        path: the file; its suffix tells the format.
        scratch: folder for the vectors, to be kept as long as the table is used.
        user_column: column (npz: array) of the user tokens; None: ``user_id``, ``uid``, ``user``, else the first.
        vector_column: column (npz: array) of the vectors; None: found by type.
        tell: takes a sentence on columns that are left out.

    Raises:
        InputError: the format is not known, or the file is missing or broken.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: vectors are imported from {', '.join(SUFFIXES)} files, told by their suffix")
    if suffix in (".json", ".useremb") and (user_column or vector_column):
        raise InputError(f"{path}: --user-column and --vector-column mean nothing in a {suffix} file; leave them out")
    return _read(path, suffix, scratch, user_column, vector_column, tell)


def check_content(table: ProfileTable, tell: Tell) -> None:
    """Refuse vectors that tell no user from another; tell of those that tell few.

    Raises:
        InputError: nothing can be learnt from them.
    """
    content = examine(table.vectors, table.present)
    if content.useless:
        raise InputError(f"{table.path}: {content.problem}; nothing could be learnt from them")
    if content.problem:
        tell(f"{table.path}: {content.problem}")


def _read(
    path: Path, suffix: str, scratch: Path, user_column: str | None, vector_column: str | None, tell: Tell
) -> ProfileTable:
    if suffix == ".npz" and (user_column or vector_column):
        users, vectors = user_column or "user_id", vector_column or "user_emb"
        arrays = read_arrays(path, {users: "iuUS", vectors: "fiu"}, {})
        return _checked(table_of_arrays(path, arrays[users], arrays[vectors]))
    if suffix in (".npz", ".useremb"):
        return _checked(read_profile_file(path))
    try:
        if suffix == ".json":
            return _spool(path, read_json(path), scratch)
        read = read_parquet if suffix == ".parquet" else read_csv
        return _spool(path, read(path, user_column, vector_column, tell), scratch)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())  # Arrow's may have several lines
        raise InputError(f"{path}: cannot be read ({reason})") from error


def _checked(table: ProfileTable, names: Sequence[str] = ()) -> ProfileTable:
    """The table, none of whose values numbers rows."""
    names = names or [f"value {number} of each vector" for number in range(1, table.vectors.shape[2] + 1)]
    if table.vectors.shape[1] == 1:
        check_values(table.path, names, table.vectors[:, 0])
    return table


def import_vectors(table: ProfileTable, dataset: str, folder: Path, text: bool = True) -> ImportSummary:
    """Write a table read by :func:`read_vectors` as ``<dataset>.useremb.npz`` (and ``.useremb``) into ``folder``.

    Raises:
        InputError: the folder holds something else.
    """
    check_output_folder(folder, table.path.parent, dataset)
    chunks = (table.vectors[rows] for rows in row_chunks(table.vectors))
    files = write_vectors(folder, dataset, table.user_tokens, table.vectors.shape, chunks, table.present, text)
    has_manifest = carry_manifest(table.path.parent, folder, dataset, imported={"file": table.path.name})
    return ImportSummary(files, table.vectors.shape, has_manifest)


def _spool(path: Path, pieces: Iterator[Piece], scratch: Path) -> ProfileTable:
    """One table of all pieces, its vectors in a file in ``scratch``."""
    tokens: list[str] = []
    present = []
    shape: tuple[int, ...] = ()
    names: Sequence[str] = ()
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".f32", delete=False) as file:
        for piece in pieces:
            shape = shape or piece.vectors.shape[1:]
            if piece.vectors.shape[1:] != shape:
                raise InputError(
                    f"{path}: users from number {len(tokens) + 1} on have vectors of shape {piece.vectors.shape[1:]}, "
                    f"those before of {shape}"
                )
            file.write(np.ascontiguousarray(piece.vectors, dtype="<f4").data)
            tokens += piece.user_tokens
            present.append(piece.has_profile)
            names = [f"column {name}" for name in piece.names]
    if not tokens or not shape[1]:
        raise InputError(f"{path}: no vectors in this file")
    vectors = np.memmap(file.name, dtype="<f4", mode="r", shape=(len(tokens), *shape))
    return _checked(ProfileTable(path, np.array(tokens, dtype=str), vectors, np.concatenate(present)), names)
