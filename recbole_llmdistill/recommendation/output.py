"""Write recommendations as they come; the file is there when all of them are in it.

``.csv`` and ``.parquet`` have a row for each recommended item, ``user_id, rank, item_id, score, source``; ``.jsonl``
has a line for each user, ``{"user_id": ..., "item_ids": [...], "scores": [...], "source": ..., "unknown_items": ...}``.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.recommendation.recommender import Recommendation

ROW_GROUP = 2**16
"""Rows of a parquet file that are in memory at a time."""
COLUMNS = ("user_id", "rank", "item_id", "score", "source")

Write = Callable[[Recommendation], None]


def check_output(path: Path, overwrite: bool) -> None:
    """Refuse, before any work, an output that cannot be written.

    Raises:
        InputError: the suffix is unknown, the file exists, or its folder does not.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InputError(f"--out={path}: the name ends with none of {', '.join(_WRITERS)}")
    if path.is_dir():
        raise InputError(f"--out={path} is a folder")
    if path.exists() and not overwrite:
        raise InputError(f"--out={path} exists; give another name, or --overwrite")
    if not path.parent.is_dir():
        raise InputError(f"--out={path}: the folder {path.parent} does not exist")


@contextmanager
def written(path: Path) -> Iterator[Write]:
    """Gives a function that takes one recommendation after the other; the file appears when the block ends.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with written_atomically(path) as temporary, _WRITERS[path.suffix.lower()](temporary) as write:
            yield write
    except OSError as error:
        if error.filename != os.fspath(path):  # of a file that the block reads
            raise
        raise InputError(f"--out={path}: cannot be written ({error.strerror or error})") from error


def _rows(recommendation: Recommendation) -> Iterator[tuple[str | None, int, str, float, str]]:
    for rank, (item, score) in enumerate(zip(recommendation.items, recommendation.scores, strict=True), start=1):
        yield recommendation.user, rank, item, score, recommendation.source


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        yield lambda recommendation: writer.writerows(_rows(recommendation))


@contextmanager
def _json_lines(path: Path) -> Iterator[Write]:
    def write(recommendation: Recommendation) -> None:
        line = {
            "user_id": recommendation.user,
            "item_ids": recommendation.items,
            "scores": recommendation.scores,
            "source": recommendation.source,
            "unknown_items": recommendation.unknown_items,
        }
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

    with open(path, "w", encoding="utf-8") as file:
        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import parquet

    types = (pa.string(), pa.int32(), pa.string(), pa.float32(), pa.string())
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    held: list[tuple] = []

    def flush() -> None:
        columns = zip(*held, strict=True) if held else [[] for _ in COLUMNS]
        file.write_table(pa.table([pa.array(list(c), t) for c, t in zip(columns, types, strict=True)], schema=schema))
        held.clear()

    def write(recommendation: Recommendation) -> None:
        held.extend(_rows(recommendation))
        if len(held) >= ROW_GROUP:
            flush()

    with parquet.ParquetWriter(path, schema) as file:
        yield write
        if held:
            flush()


_WRITERS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
}
