"""Parquet: a column of users or items, and list columns (several are several profiles per user) or a column a value."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors.numbers import to_float32
from recbole_llmdistill.vectors.importers.columns import Tell, choose_id_column, choose_vector_columns
from recbole_llmdistill.vectors.importers.piece import Piece, one_vector_each

ROWS = 4096


def read_parquet(
    path: Path, id_column: str | None, vector_column: str | None, tell: Tell, of: Entity = USERS
) -> Iterator[Piece]:
    """Read a parquet file by row groups. A null in a list column is a profile that this user lacks.

    Raises:
        InputError: no parquet file, a column is missing or of another type, rows differ in length.
    """
    import pyarrow as pa

    try:
        yield from _read(path, id_column, vector_column, tell, of)
    except (
        pa.ArrowException,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        MemoryError,
        RecursionError,
    ) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{path}: not a readable parquet file ({reason})") from error


def _read(path: Path, id_column: str | None, vector_column: str | None, tell: Tell, of: Entity) -> Iterator[Piece]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        schema = file.schema_arrow
        if twice := [name for name in schema.names if schema.names.count(name) > 1]:
            raise InputError(f"{path}: it has {schema.names.count(twice[0])} columns {twice[0]!r}")
        if not schema.names:
            raise InputError(f"{path}: it has no columns")
        index = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if name in schema.names]
        names = [*index, *(name for name in schema.names if name not in index)]  # as pandas writes a CSV file
        texts = {name: _is_string(schema.field(name).type) for name in names}
        identifier = choose_id_column(path, texts, id_column, of)
        if not (pa.types.is_integer(kind := schema.field(identifier).type) or _is_string(kind)):
            raise InputError(
                f"{path}: the {of.noun} column {identifier!r} holds {kind}; expected strings or integers, or "
                f"another column by --{of.noun}-column"
            )
        lists, plain = _vector_columns(path, schema, identifier, vector_column, tell)
        row = 1
        for batch in file.iter_batches(ROWS, columns=[identifier, *lists, *plain]):
            tokens = batch.column(identifier).cast(pa.string()).to_pylist()
            if None in tokens:
                raise InputError(
                    f"{path}, row {row + tokens.index(None)}: no {of.noun} in {identifier!r}; leave the row out"
                )
            if lists:
                yield _from_lists([batch.column(name) for name in lists], tokens, path, row, of)
            else:
                yield one_vector_each(tokens, _from_columns(batch, plain, path, row), plain)
            row += len(tokens)


def _from_columns(batch: Any, names: list[str], path: Path, first: int) -> np.ndarray:
    def column_of(name: str) -> np.ndarray:
        values = batch.column(name).to_numpy(zero_copy_only=False)
        return to_float32(values, lambda row: f"{path}, row {first + row}, column {name}")

    return np.stack([column_of(name) for name in names], axis=1)


def _is_string(kind: Any) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _vector_columns(
    path: Path, schema: Any, identifier: str, wanted: str | None, tell: Tell
) -> tuple[list[str], list[str]]:
    """List columns, or else the numeric columns. Lists of whole numbers beside lists of fractions are no vectors."""
    import pyarrow as pa

    fields = [field for field in schema if field.name != identifier and wanted in (None, field.name)]
    lists = [
        field
        for field in fields
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type) or pa.types.is_fixed_size_list(field.type)
    ]
    real = [field for field in lists if pa.types.is_floating(field.type.value_type)]
    numbers = real or [field for field in lists if pa.types.is_integer(field.type.value_type)]
    if lists and not numbers:
        raise InputError(f"{path}: column {lists[0].name!r} holds {lists[0].type}; expected lists of numbers")
    if left := [field.name for field in lists if field not in numbers]:
        tell(f"{path}: the lists in {', '.join(left)} are no vectors and left out")
    if lists:
        return [field.name for field in numbers], []
    plain = [field.name for field in fields if _is_number(field.type)]
    plain = plain if wanted else choose_vector_columns(path, plain, tell)
    if not plain:
        raise InputError(
            f"{path}: no column with vectors{f' named {wanted!r}' if wanted else ''} beside {identifier!r}; it has "
            f"{', '.join(f'{field.name} ({field.type})' for field in schema)}"
        )
    if left := [f"{field.name} ({field.type})" for field in fields if not _is_number(field.type)]:
        tell(f"{path}: {', '.join(left)} holds no numbers and is left out")
    return [], plain


def _place(path: Path, rows: np.ndarray, row: int) -> str:
    return f"{path}, row {rows[row]}"


def _from_lists(columns: list, tokens: list[str], path: Path, first: int, of: Entity) -> Piece:
    has_profile = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=1)
    size = None
    parts = []
    for number, column in enumerate(columns):
        held = np.flatnonzero(has_profile[:, number])
        values = column.drop_null()
        lengths = values.value_lengths().to_numpy() if len(values) else np.zeros(0, dtype=int)
        if len(lengths) and (lengths != lengths[0]).any():
            odd = int(np.argmax(lengths != lengths[0]))
            raise InputError(
                f"{path}, row {first + held[odd]}: the vector of {of.noun} {tokens[held[odd]]!r} has {lengths[odd]} "
                f"values, the first has {lengths[0]}; all need the same number"
            )
        flat = values.flatten().to_numpy(zero_copy_only=False).reshape(len(held), -1 if len(held) else 0)
        flat = to_float32(flat, partial(_place, path, first + held))
        parts.append((held, flat.reshape(len(held), -1) if len(held) else None))
        size = flat.size // len(held) if len(held) else size
    vectors = np.zeros((len(tokens), len(columns), size or 0), dtype=np.float32)
    for number, (held, part) in enumerate(parts):
        if part is None:
            continue
        if part.shape[1] != vectors.shape[2]:
            raise InputError(f"{path}: its vector columns hold {vectors.shape[2]} and {part.shape[1]} values")
        vectors[held, number] = part
    return Piece(tokens, vectors, has_profile)
