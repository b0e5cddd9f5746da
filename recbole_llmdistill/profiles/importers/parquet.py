"""Parquet: a user column, and list columns (several are several profiles a user) or a column a value."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.importers.columns import choose_user_column
from recbole_llmdistill.profiles.importers.piece import Piece, one_vector_each, stack

ROWS = 4096


def read_parquet(path: Path, user_column: str | None, vector_column: str | None) -> Iterator[Piece]:
    """Read a parquet file by row groups. A null in a list column is a profile that this user lacks.

    Raises:
        InputError: no parquet file, a column is missing or of another type, rows differ in length.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            user = choose_user_column(path, schema.names, user_column)
            if not (pa.types.is_integer(kind := schema.field(user).type) or _is_string(kind)):
                raise InputError(f"{path}: the user column {user!r} holds {kind}; expected strings or integers")
            lists, plain = _vector_columns(path, schema, user, vector_column)
            row = 1
            for batch in file.iter_batches(ROWS, columns=[user, *lists, *plain]):
                tokens = batch.column(user).cast(pa.string()).to_pylist()
                if lists:
                    yield _from_lists([batch.column(name) for name in lists], tokens, path, row)
                else:
                    columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in plain]
                    yield one_vector_each(tokens, np.stack(columns, axis=1).astype(np.float32))
                row += len(tokens)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: not a readable parquet file ({' '.join(str(error).split())})") from error


def _is_string(kind) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _vector_columns(path: Path, schema, user: str, wanted: str | None) -> tuple[list[str], list[str]]:
    """List columns, or else the numeric columns."""
    import pyarrow as pa

    fields = [field for field in schema if field.name != user and wanted in (None, field.name)]
    lists = [
        field.name
        for field in fields
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type) or pa.types.is_fixed_size_list(field.type)
    ]
    numbers = [f.name for f in fields if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    if not lists and not numbers:
        raise InputError(
            f"{path}: no column with vectors{f' named {wanted!r}' if wanted else ''} beside {user!r}; it has "
            f"{', '.join(f'{field.name} ({field.type})' for field in schema)}"
        )
    return lists, [] if lists else numbers


def _from_lists(columns: list, tokens: list[str], path: Path, first: int) -> Piece:
    has_profile = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], axis=1)
    size = None
    parts = []
    for number, column in enumerate(columns):
        held = np.flatnonzero(has_profile[:, number])
        values = column.drop_null()
        lengths = values.value_lengths().to_numpy() if len(values) else np.zeros(0, dtype=int)
        if len(lengths) and (lengths != lengths[0]).any():  # only to say which one
            stack(values.to_pylist(), [tokens[row] for row in held], path, "row", first)
        flat = values.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
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
