"""JSON: one object ``{"user": [floats]}`` (or ``{"item": ...}``), the format of the paper's authors, or
``{"user": [[floats], ...]}``.
"""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.vectors.importers.piece import Piece, one_vector_each, stack

ROWS = 4096
_DEEPEST = 8  # the object, a user's vectors, a vector; and some, so that a wrong value is blamed by its user
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b'"[]{}')


def read_json(path: Path, of: Entity = USERS) -> Iterator[Piece]:
    """Read the object user by user (or item by item), so that a file of gigabytes needs megabytes.

    Raises:
        InputError: no such object, a vector is no list of numbers, lengths differ; names the user.
    """
    import ijson

    number = 1
    try:
        with open(path, "rb") as binary:
            file = _Shallow(path, binary)
            if not binary.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                raise InputError(f'{path}: expected one JSON object {{"{of.noun}": [numbers], ...}}')
            binary.seek(0)
            if binary.read(3) != b"\xef\xbb\xbf":
                binary.seek(0)
            pairs = ijson.kvitems(file, "", use_float=True)
            while part := list(islice(pairs, ROWS)):
                tokens, rows = [token for token, _ in part], [row for _, row in part]
                for token, row in part:
                    if not isinstance(row, list) or not row:
                        raise InputError(f"{path}: the value of {of.noun} {token!r} is no list of numbers")
                if isinstance(rows[0][0], list):
                    yield _several(rows, tokens, path, number, of)
                else:
                    yield one_vector_each(
                        tokens,
                        stack(rows, tokens, path, f"{of.noun} number", range(number, number + len(part)), of),
                    )
                number += len(part)
    except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError, MemoryError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{path}: not readable JSON after {number - 1} {of.name} or more ({reason})") from error


class _Shallow:
    """A file that ends the reading where brackets are nested too deep, of which ijson keeps paths of quadratic size."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.depth, self.in_text, self.rest = 0, False, b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            InputError: they nest deeper than vectors do.
        """
        block = self.file.read(size)
        seen, self.rest = self.rest + block, b""
        if b"\\" in seen:  # an escaped quotation mark ends no text
            if (len(seen) - len(seen.rstrip(b"\\"))) % 2:
                seen, self.rest = seen[:-1], b"\\"
            seen = _ESCAPED.sub(b"", seen)
        for mark in seen.translate(None, _OTHER_BYTES):
            if mark == ord('"'):
                self.in_text = not self.in_text
            elif not self.in_text:
                self.depth += 1 if mark in b"[{" else -1
                if self.depth > _DEEPEST:
                    raise InputError(f"{self.path}: brackets are nested deeper than those of a vector")
        return block


def _several(rows: list, tokens: list[str], path: Path, first: int, of: Entity) -> Piece:
    flat = [vector for row in rows for vector in row]
    owners = [token for token, row in zip(tokens, rows, strict=True) for _ in row]
    for token, row in zip(tokens, rows, strict=True):
        if len(row) != len(rows[0]):
            raise InputError(
                f"{path}: {of.noun} {token!r} has {len(row)} vectors, the first {of.noun} has {len(rows[0])}"
            )
    vectors = stack(flat, owners, path, "vector number", range(first, first + len(flat)), of).reshape(
        len(rows), len(rows[0]), -1
    )
    return Piece(tokens, vectors, np.ones(vectors.shape[:2], dtype=bool))
