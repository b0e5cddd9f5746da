"""RecBole's atomic files as text: their header, and their rows as they were written.

RecBole splits a ``token_seq`` into words when it reads it; a title shown to an LLM should be the original one.
"""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from recbole_llmdistill.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from recbole.config import Config

TYPES = ("token", "token_seq", "float", "float_seq")
_MOST_BYTES = 2**26  # of a line
_UTF_8 = ("utf-8", "utf8", "utf-8-sig", "u8", "utf")
_OTHER_SEPARATORS = {",": "commas", ";": "semicolons", "|": "bars", " ": "spaces", "\t": "tabs"}


@dataclass(frozen=True)
class AtomicFile:
    """An atomic file and how it is to be read.

    Attributes:
        path: the file.
        encoding: RecBole's ``encoding``; in UTF-8 a byte order mark is passed over.
        separator: RecBole's ``field_separator``, where longer than one character a regular expression.
        codec: Python's name of the encoding.
    """

    path: Path
    encoding: str | None = None
    separator: str = "\t"
    codec: str = field(init=False)

    def __post_init__(self) -> None:
        encoding = (self.encoding or "utf-8").lower().replace("_", "-")
        object.__setattr__(self, "codec", "utf-8-sig" if encoding in _UTF_8 else encoding)

    @classmethod
    def of(cls, config: "Config", suffix: str) -> "AtomicFile":
        """The ``.inter``, ``.item`` or ``.user`` file (``suffix`` without the dot) of a RecBole config's data set."""
        path = Path(config["data_path"]) / f"{config['dataset']}.{suffix}"
        return cls(path, config["encoding"], config["field_separator"])

    def has_mark(self) -> bool:
        """Whether it is UTF-8 that begins with a byte order mark."""
        with self._open() as file:
            return self.codec == "utf-8-sig" and file.read(3) == codecs.BOM_UTF8

    def header(self) -> dict[str, str]:
        """Type of each column, in the order of the file.

        Raises:
            InputError: no file that can be read, no text in the encoding, or no line of ``name:type`` columns.
        """
        _, line = next(self.lines(), (1, None))
        if line is None:
            raise InputError(f"{self.path}: the file is empty")
        if not line.strip():
            raise InputError(f"{self.path}, line 1: no header")
        columns = line.split(self.separator)
        if len(columns) == 1:
            self._refuse_other_separator(line)
        found = [column.rpartition(":") for column in columns]
        for column, (name, _, kind) in zip(columns, found, strict=True):
            if not name or ":" in name:
                raise InputError(
                    f"{self.path}, line 1: {shortened(column)} is no column; each is written name:type, as "
                    f"user_id:token, with one of the types {', '.join(TYPES)}; the line is {shortened(line)}"
                )
            if kind not in TYPES:
                raise InputError(
                    f"{self.path}, line 1: column {name} has the type {shortened(kind)}; types are {', '.join(TYPES)}"
                )
        names = [name for name, _, _ in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"{self.path}, line 1: two columns are called {twice[0]}; rename or remove one")
        return {name: kind for name, _, kind in found}

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row below the header.

        Raises:
            InputError: a row with another number of columns than the header, or bytes that are no text.
        """
        columns = None
        for number, line in self.lines():
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
            encoding=self.codec,
            quoting=csv.QUOTE_NONE,
        )

    def lines(self) -> Iterator[tuple[int, str]]:
        """Number and text of each line, without its end.

        Raises:
            InputError: the file cannot be read, or a line is no text in the encoding.
        """
        if self.codec.startswith(("utf-16", "utf-32", "utf16", "utf32")):  # a line ends in more than one byte
            try:
                with open(self.path, encoding=self.codec) as file:
                    for number, line in enumerate(file, start=1):
                        yield number, line.rstrip("\n")
            except (OSError, UnicodeError) as error:
                raise InputError(f"{self.path}: cannot be read as {self.encoding} text ({error})") from error
            return
        with self._open() as file:
            number = 0
            while raw := file.readline(_MOST_BYTES):
                number += 1
                yield number, self._decode(raw, number).rstrip("\r\n")

    def _refuse_other_separator(self, line: str) -> None:
        for separator, name in _OTHER_SEPARATORS.items():
            if separator != self.separator and line.count(separator) >= 1:
                fix = "leave out field_separator" if separator == "\t" else f"set --field_separator={separator!r}"
                raise InputError(
                    f"{self.path}, line 1: its columns are separated by {name} and not by {self.separator!r}; found "
                    f"{shortened(line)}; convert the file, or {fix}"
                )

    def _open(self) -> BinaryIO:
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from error

    def _decode(self, raw: bytes, number: int) -> str:
        try:
            return raw.decode(self.codec if number == 1 or self.codec != "utf-8-sig" else "utf-8")
        except UnicodeError as error:
            guess = "utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "latin-1"
            reason = getattr(error, "reason", error)
            raise InputError(
                f"{self.path}, line {number}: no text in {self.encoding or 'utf-8'} ({reason}); convert the file "
                f"to UTF-8, or set its encoding (e.g. --encoding={guess})"
            ) from error


def shortened(value: object) -> str:
    """A value for a message, of at most 120 characters."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
