"""``llmdistill import``: bring vectors that somebody else made into the form that training reads."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.manifest import carry_manifest, check_output_folder, read_manifest
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
SUFFIXES = (".npz", ".parquet", ".json", ".csv", ".tsv")
"""Of the formats that are imported, beside RecBole's own of users and of items."""


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
    id_column: str | None,
    vector_column: str | None,
    tell: Tell = _LOG.warning,
    of: Entity = USERS,
) -> ProfileTable:
    """Vectors of any format that we read, checked; large ones lie in ``scratch``, not in memory.

    Args:
        path: the file; its suffix tells the format.
        scratch: folder for the vectors, to be kept as long as the table is used.
        id_column: column (npz: array) of the tokens; None: ``user_id``, ``uid``, ``user`` (``item_id`` ...), else the
            first.
        vector_column: column (npz: array) of the vectors; None: found by type.
        tell: takes a sentence on columns that are left out.
        of: users or items.

    Raises:
        InputError: the format is not known, or the file is missing or broken.
    """
    suffix = path.suffix.lower()
    known = (SUFFIXES[0], of.suffix, *SUFFIXES[1:])
    if suffix not in known:
        raise InputError(f"{path}: vectors are imported from {', '.join(known)} files, told by their suffix")
    if suffix in (".json", of.suffix) and (id_column or vector_column):
        raise InputError(
            f"{path}: --{of.noun}-column and --vector-column mean nothing in a {suffix} file; leave them out"
        )
    return _read(path, suffix, scratch, id_column, vector_column, tell, of)


def check_content(table: ProfileTable, tell: Tell) -> None:
    """Refuse vectors that tell no user (or item) from another; tell of those that tell few.

    Raises:
        InputError: nothing can be learnt from them.
    """
    content = examine(table.vectors, table.present, table.of)
    if content.useless:
        raise InputError(f"{table.path}: {content.problem}; nothing could be learnt from them")
    if content.problem:
        tell(f"{table.path}: {content.problem}")


def _read(
    path: Path,
    suffix: str,
    scratch: Path,
    id_column: str | None,
    vector_column: str | None,
    tell: Tell,
    of: Entity,
) -> ProfileTable:
    if suffix == ".npz" and (id_column or vector_column):
        tokens, vectors = id_column or of.id, vector_column or of.vector
        arrays = read_arrays(path, {tokens: "iuUS", vectors: "fiu"}, {}, of)
        return _checked(table_of_arrays(path, arrays[tokens], arrays[vectors], of=of))
    if suffix in (".npz", of.suffix):
        return _checked(read_profile_file(path, of))
    try:
        if suffix == ".json":
            return _spool(path, read_json(path, of), scratch, of)
        read = read_parquet if suffix == ".parquet" else read_csv
        return _spool(path, read(path, id_column, vector_column, tell, of), scratch, of)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())  # Arrow's may have several lines
        raise InputError(f"{path}: cannot be read ({reason})") from error


def _checked(table: ProfileTable, names: Sequence[str] = ()) -> ProfileTable:
    """The table, none of whose values numbers rows."""
    names = names or [f"value {number} of each vector" for number in range(1, table.vectors.shape[2] + 1)]
    if table.vectors.shape[1] == 1:
        check_values(table.path, names, table.vectors[:, 0], table.of)
    return table


def import_vectors(table: ProfileTable, dataset: str, folder: Path, text: bool = True) -> ImportSummary:
    """Write a table read by :func:`read_vectors` as ``<dataset>.useremb.npz`` (and ``.useremb``) into ``folder``;
    of items ``.itememb``.

    Raises:
        InputError: the folder holds something else.
    """
    of = table.of
    check_output_folder(folder, table.path.parent, dataset, of)
    chunks = (table.vectors[rows] for rows in row_chunks(table.vectors))
    files = write_vectors(folder, dataset, table.tokens, table.vectors.shape, chunks, table.present, text, of)
    has_manifest = carry_manifest(
        read_manifest(table.path.parent, of), folder, dataset, of, imported={"file": table.path.name}
    )
    return ImportSummary(files, table.vectors.shape, has_manifest)


def _spool(path: Path, pieces: Iterator[Piece], scratch: Path, of: Entity) -> ProfileTable:
    """One table of all pieces, its vectors in a file in ``scratch``."""
    tokens: list[str] = []
    present = []
    shape: tuple[int, int] | None = None
    names: Sequence[str] = ()
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".f32", delete=False) as file:
        for piece in pieces:
            shape = shape or piece.vectors.shape[1:]
            if piece.vectors.shape[1:] != shape:
                raise InputError(
                    f"{path}: {of.name} from number {len(tokens) + 1} on have vectors of shape "
                    f"{piece.vectors.shape[1:]}, those before of {shape}"
                )
            file.write(np.ascontiguousarray(piece.vectors, dtype="<f4"))
            tokens += piece.tokens
            present.append(piece.has_profile)
            names = [f"column {name}" for name in piece.names]
    if not tokens or not shape[1]:
        raise InputError(f"{path}: no vectors in this file")
    vectors = np.memmap(file.name, dtype="<f4", mode="r", shape=(len(tokens), *shape))
    return _checked(ProfileTable(path, np.array(tokens, dtype=str), vectors, np.concatenate(present), of), names)
