"""Files of JSON lines that are only ever appended to, and survive a killed process and a full disk."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.json_text import parse_json


class Journal:
    """One such file, open for appending. A line is written by one call, so that a killed process leaves at most its
    last line unfinished; that line is cut off when the file is opened again.

    Args:
        path: the file; made if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            self._cut_unfinished_line()
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error

    def append(self, record: dict[str, Any]) -> None:
        """Write one line.

        Raises:
            InputError: it cannot be written, e.g. because the disk is full; what stands in the file remains.
        """
        line = json_line(record)
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); make room and start the same command again, "
                "which goes on from there"
            ) from error

    def close(self) -> None:
        """Bring it to the disk."""
        if self._file >= 0:
            if self.path.is_file():
                os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def _cut_unfinished_line(self) -> None:
        end = os.lseek(self._file, 0, os.SEEK_END)
        if not end or os.pread(self._file, 1, end - 1) == b"\n":
            return
        position = end
        while position > 0:
            start = max(0, position - 65536)
            found = os.pread(self._file, position - start, start).rfind(b"\n")
            if found >= 0:
                os.ftruncate(self._file, start + found + 1)
                return
            position = start
        os.ftruncate(self._file, 0)


def json_line(record: dict[str, Any]) -> bytes:
    """A record as a line of UTF-8; half a surrogate pair, which is no text, becomes a question mark."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def read_journal(
    path: Path, key: str = "user_id", broken: Callable[[str], None] | None = None
) -> Iterator[dict[str, Any]]:
    """Records of a journal that all have ``key``, one at a time; an unfinished last line is left out.

    Args:
        path: the file; none counts as empty.
        key: that each record must have.
        broken: called with each line that is no such record; None: such a line is an error.

    Raises:
        InputError: a line is no JSON object with the key.
    """
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                record = _record(line, key)
            except ValueError as error:
                if broken is None:
                    raise InputError(f"{path}, line {number}: {error}; fix or remove the line") from error
                broken(line.decode("utf-8", "replace"))
            else:
                yield record


def _record(line: bytes, key: str) -> dict[str, Any]:
    try:
        record = parse_json(line)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from error
    if not isinstance(record, dict) or key not in record:
        raise ValueError(f"no record with {key!r}")
    return record
