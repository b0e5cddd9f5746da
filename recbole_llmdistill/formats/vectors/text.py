"""``<dataset>.useremb`` and ``<dataset>.itememb``: RecBole's text format of pre-trained vectors of users and of items.

A header ``uid:token<TAB>user_emb:float_seq`` (of items ``iid:token<TAB>item_emb:float_seq``) and one line per user;
several ``float_seq`` columns are several profiles per user, an empty cell is a profile that this user lacks.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors.numbers import to_float32
from recbole_llmdistill.formats.vectors.table import ProfileTable, row_chunks

_MOST_UNFILLED, _MOST_RATIO = 2**30, 20  # bytes; a table beyond both is a mistake and not a sparse file


def write_text(
    path: Path,
    tokens: Sequence[str] | np.ndarray,
    vectors: np.ndarray,
    present: np.ndarray | None = None,
    of: Entity = USERS,
) -> None:
    """Write the text format, atomically; values are the shortest decimals that read back as the same float32.

    Args:
        path: where to.
        tokens: ``[users]`` strings without tabs and line breaks.
        vectors: ``[users, D]`` or ``[users, K, D]`` float32.
        present: ``[users, K]`` bool, unless every user has every profile.
        of: users or items.

    Raises:
        InputError: a token cannot stand in a text file.
    """
    import pyarrow as pa  # here, because reading does not need it and its import takes a while

    columns = vectors.shape[1] if vectors.ndim == 3 else 1
    names = [of.vector] if columns == 1 else [f"{of.vector}_{number}" for number in range(1, columns + 1)]
    check_tokens(tokens, of)
    with written_atomically(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("\t".join([f"{of.column}:token", *(f"{name}:float_seq" for name in names)]) + "\n")
        for rows in row_chunks(vectors):
            chunk = np.asarray(vectors[rows], dtype=np.float32).reshape(-1, vectors.shape[-1])
            values = pa.array(chunk.ravel()).cast(pa.string())
            ends = np.arange(0, chunk.size + 1, chunk.shape[1], dtype=np.int32)
            cells = pa.compute.binary_join(pa.ListArray.from_arrays(ends, values), " ").to_pylist()
            if present is not None:
                held = present[rows].ravel()
                cells = [cell if kept else "" for cell, kept in zip(cells, held, strict=True)]
            for number, token in enumerate(tokens[rows]):
                file.write("\t".join([token, *cells[number * columns : (number + 1) * columns]]) + "\n")


def check_tokens(tokens: Sequence[str] | np.ndarray, of: Entity = USERS) -> None:
    """Refuse names that a text file cannot hold.

    Raises:
        InputError: a name holds a tab or a line break.
    """
    for token in tokens:
        if any(mark in token for mark in "\t\n\r"):
            raise InputError(
                f"{of.noun} {str(token)!r} holds a tab or a line break, which a text file of vectors cannot hold; give "
                "--no-text"
            )


def read_text(path: Path, of: Entity = USERS) -> ProfileTable:
    """Read the text format.

    Raises:
        InputError: a wrong header, or a line with other columns, values or dimensions; names the line.
    """
    with open(path, encoding="utf-8-sig") as file:
        header = file.readline().rstrip("\r\n")
        types = [field.rpartition(":")[2] for field in header.split("\t")]
        if not header:
            instead = " or set distill_alpha=0" if of is USERS else ""
            raise InputError(f"{path}: the file is empty; make it again{instead}")
        if len(types) < 2 or types[0] != "token" or set(types[1:]) != {"float_seq"}:
            shown = header if len(header) <= 200 else header[:197] + "..."
            raise InputError(
                f"{path}, line 1: the header is {shown!r}; expected '{of.column}:token<TAB>{of.vector}:float_seq' "
                f"(more float_seq columns for several {of.text}s per {of.noun})"
            )
        tokens, rows, dimension = [], [], None
        for number, line in enumerate(file, start=2):
            cells = line.rstrip("\r\n").split("\t")
            if len(cells) != len(types):
                raise InputError(f"{path}, line {number}: {len(cells)} columns, the header has {len(types)}")
            vectors = [_numbers(cell, path, number, of) for cell in cells[1:]]
            for vector in vectors:
                if len(vector) and dimension is None:
                    dimension, dimension_line = len(vector), number
                if len(vector) not in (0, dimension):
                    raise InputError(
                        f"{path}, line {number}: {len(vector)} values, but line {dimension_line} has {dimension}; "
                        f"all {of.text}s need the same number"
                    )
            tokens.append(cells[0])
            rows.append(vectors)
    return _as_table(path, tokens, rows, (len(rows), len(types) - 1, dimension or 0), of)


def _numbers(cell: str, path: Path, line: int, of: Entity) -> np.ndarray:
    try:
        values = np.array(cell.split(), dtype=np.float64)
    except ValueError as error:
        reason = str(error) if len(cell) < 200 else f"not all of {cell[:60]!r}... are numbers"
        raise InputError(f"{path}, line {line}: {reason}; {of.vector} is numbers separated by spaces") from error
    return to_float32(values, lambda _: f"{path}, line {line}")


def _as_table(path: Path, tokens: list[str], rows: list, shape: tuple[int, int, int], of: Entity) -> ProfileTable:
    needed, size = math.prod(shape) * 4, path.stat().st_size
    if needed > _MOST_UNFILLED and needed > _MOST_RATIO * size:  # a full file has two bytes a value or more
        raise InputError(
            f"{path}: {shape[0]} {of.name} with {shape[1]} {of.text}s of {shape[2]} values would be {needed} bytes, "
            "nearly all of them absent; write fewer columns"
        )
    present = np.array([[len(vector) > 0 for vector in vectors] for vectors in rows], dtype=bool)
    table = np.zeros(shape, dtype=np.float32)
    for row, vectors in zip(table, rows, strict=True):
        for slot, vector in zip(row, vectors, strict=True):
            slot[: len(vector)] = vector
    return ProfileTable(path, np.array(tokens, dtype=str), table, present.reshape(shape[:2]), of)
