"""RecBole's atomic files as text: their header, and their rows as they were written.

RecBole splits a ``token_seq`` into words when it reads it; a title shown to an LLM should be the original one.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recbole_llmdistill.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from recbole.config import Config


@dataclass(frozen=True)
class AtomicFile:
    """Where and how an atomic file is to be read.

    Attributes:
        path: the file.
        encoding: RecBole's ``encoding``.
        separator: RecBole's ``field_separator``.
    """

    path: Path
    encoding: str
    separator: str

    @classmethod
    def of(cls, config: "Config", suffix: str) -> "AtomicFile":
        """The ``.inter``, ``.item`` or ``.user`` file (``suffix`` without the dot) of a RecBole config's data set."""
        path = Path(config["data_path"]) / f"{config['dataset']}.{suffix}"
        return cls(path, config["encoding"] or "utf-8", config["field_separator"])

    def header(self) -> dict[str, str]:
        """Type of each field, in the order of the columns, e.g. ``{"item_id": "token"}``.

        Raises:
            InputError: no file, no text in the encoding, or a header that is not ``name:type`` columns.
        """
        _, line = next(self._lines(), (1, ""))
        columns = [column.rpartition(":") for column in line.split(self.separator)]
        if not all(name and kind for name, _, kind in columns):
            raise InputError(f"{self.path}, line 1: {line!r} is no header; columns are written name:type")
        return {name: kind for name, _, kind in columns}

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row below the header.

        Raises:
            InputError: a row with another number of columns than the header, or bytes that are no text.
        """
        columns = None
        for number, line in self._lines():
            cells = line.split(self.separator)
            if columns is None:
                columns = len(cells)
                continue
            if len(cells) != columns:
                raise InputError(f"{self.path}, line {number}: {len(cells)} columns, the header has {columns}")
            yield number, cells

    def table(self, positions: list[int] | None = None) -> "pd.DataFrame":
        """All rows as a pandas table of strings, under the header as it is written; empty cells are empty strings.

        Args:
            positions: columns to read, from 0; None: all.

        Raises:
            OSError, ValueError: it cannot be read; callers know which column they were after.
        """
        import pandas as pd

        return pd.read_csv(
            self.path,
            sep=self.separator,
            usecols=positions,
            dtype=str,
            keep_default_na=False,
            encoding=self.encoding,
            quoting=csv.QUOTE_NONE,
        )

    def _lines(self) -> Iterator[tuple[int, str]]:
        number = 0
        try:
            with open(self.path, "rb") as file:
                for number, line in enumerate(file, start=1):
                    text = line.decode(self.encoding).rstrip("\r\n")
                    yield number, text.removeprefix("\ufeff") if number == 1 else text  # a byte order mark
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.path}, line {number}: not {self.encoding} text ({error.reason} at byte {error.start} of the "
                "line); convert the file, or set encoding (e.g. --encoding=latin-1)"
            ) from error
