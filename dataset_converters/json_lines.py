"""Files with one record per line: JSON, or Python literals as in older releases of UCSD."""

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl
from tqdm import tqdm

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.json_text import parse_json

_ROWS_A_PART = 100_000
_LOOKED_AT = 100


def field_names(path: Path) -> list[str]:
    """Names of the fields in the first records; a single record may lack some.

    Raises:
        InputError: the file is empty, or a line is neither a JSON object nor a Python dictionary.
    """
    names: dict[str, None] = {}
    for record in itertools.islice(records(path, progress=False), _LOOKED_AT):
        names |= dict.fromkeys(record)
    if not names:
        raise InputError(f"{path.name} is empty")
    return list(names)


def is_json(path: Path) -> bool:
    """Whether the first line is JSON rather than a Python literal."""
    with open(path, encoding="utf-8", errors="replace") as file:
        try:
            parse_json(file.readline())
        except ValueError:
            return False
    return True


def records(path: Path, progress: bool = True) -> Iterator[dict]:
    """Every record of the file.

    Raises:
        InputError: a line is neither a JSON object nor a Python dictionary.
    """
    bar = tqdm(
        total=path.stat().st_size,
        unit="B",
        unit_scale=True,
        desc=f"reading {path.name}",
        disable=None if progress else True,
        leave=False,
    )
    with open(path, "rb") as file, bar:
        for number, line in enumerate(file, start=1):
            bar.update(len(line))
            if line.strip():
                yield _parse(line.decode("utf-8", errors="replace"), path, number)


def _parse(line: str, path: Path, number: int) -> dict:
    try:
        record = parse_json(line)
    except ValueError:
        try:
            record = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            record = None
    if not isinstance(record, dict):
        raise InputError(f"{path.name}, line {number}: neither a JSON object nor a Python dictionary: {line[:80]!r}")
    return record


def scan_records(path: Path, fields: Mapping[str, type[pl.DataType]], workspace: Path) -> pl.LazyFrame:
    """Some fields of all records, in their order; a field that a record lacks is null.

    JSON is read by polars. Python literals are read record by record and kept in files in ``workspace``, so that
    memory stays flat.

    Raises:
        InputError: a field is in none of the first records, or a line is no record.
    """
    found = field_names(path)
    missing = [name for name in fields if name not in found]
    if missing:
        raise InputError(
            f"{path.name}: field {', '.join(missing)} is missing; expected {', '.join(fields)}, "
            f"found {', '.join(found)}"
        )
    if is_json(path):
        return pl.scan_ndjson(path, schema=dict(fields))
    parts: list[Path] = []
    for rows in _in_parts(tuple(record.get(name) for name in fields) for record in records(path)):
        parts.append(workspace / f"{path.name}.{len(parts)}.parquet")
        pl.DataFrame(rows, schema=dict(fields), orient="row", strict=False).write_parquet(parts[-1])
    return pl.scan_parquet(parts)


def _in_parts(rows: Iterator[tuple]) -> Iterator[list[tuple]]:
    part: list[tuple] = []
    for row in rows:
        part.append(row)
        if len(part) == _ROWS_A_PART:
            yield part
            part = []
    if part:
        yield part


def read_wanted(
    path: Path,
    id_fields: tuple[str, ...],
    wanted: pl.Series,
    columns: Mapping[str, pl.DataType | type[pl.DataType]],
    row: Callable,
) -> pl.DataFrame:
    """A table of the records whose id is wanted.

    Args:
        path: file of records.
        id_fields: names under which a record may hold its id, the first one present counts.
        wanted: ids.
        columns: name and type of the columns; the first is the id's.
        row: called with a record, gives the values of the columns but for the first.
    """
    ids, rows = set(wanted), []
    for record in records(path):
        identity = next((str(record[name]) for name in id_fields if record.get(name) is not None), None)
        if identity in ids:
            rows.append((identity, *row(record)))
    return pl.DataFrame(rows, schema=dict(columns), orient="row", strict=False)
