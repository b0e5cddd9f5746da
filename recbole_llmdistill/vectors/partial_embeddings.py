"""Vectors of an encoding run that is not finished: on disk at once, so that a killed run loses a batch at most."""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts


class PartialEmbeddings:
    """A folder with the vectors of all texts, filled batch by batch in any order.

    ``vectors.f32`` holds ``[texts, D]`` float32; ``batches.jsonl`` has a line a finished batch, appended after its
    vectors, so that a line with their checksum vouches for them.

    Args:
        folder: made if it does not exist; what is in it is continued.
        texts: number of texts.
        batch_size: texts per batch; batch ``b`` is texts ``b * batch_size`` to ``(b + 1) * batch_size``.
    """

    def __init__(self, folder: Path, texts: int, batch_size: int) -> None:
        self.folder, self.texts, self.batch_size = folder, texts, batch_size
        self.dimensions: int | None = None
        self.long_texts_of: dict[int, int] = {}
        self._log, self._vectors = folder / "batches.jsonl", folder / "vectors.f32"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._read_log()
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error

    def _read_log(self) -> None:
        """Take over the batches whose vectors are what was written; the log keeps no others."""
        lines = self._log.read_bytes().splitlines(keepends=True) if self._log.exists() else []
        kept = [line for line in lines if self._take_over(line)]
        if kept != lines:
            with written_atomically(self._log) as temporary:
                temporary.write_bytes(b"".join(kept))

    def _take_over(self, line: bytes) -> bool:
        if not line.endswith(b"\n"):
            return False
        try:
            record = json.loads(line)
            batch, dimensions, long_texts = (int(record[key]) for key in ("batch", "dimensions", "long_texts"))
            checksum = record.get("crc32")  # versions before this one wrote none
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError):  # cut by a kill
            return False
        rows = self.rows(batch)
        if batch < 0 or rows.start >= rows.stop or dimensions < 1 or self.dimensions not in (None, dimensions):
            return False
        size = (rows.stop - rows.start) * dimensions * 4
        if not self._vectors.exists() or self._vectors.stat().st_size < rows.stop * dimensions * 4:
            return False
        with open(self._vectors, "rb") as file:
            file.seek(rows.start * dimensions * 4)
            if checksum not in (None, zlib.crc32(file.read(size))):
                return False
        self.dimensions = dimensions
        self.long_texts_of[batch] = long_texts
        return True

    def rows(self, batch: int) -> slice:
        """The texts of a batch."""
        return slice(batch * self.batch_size, min((batch + 1) * self.batch_size, self.texts))

    def missing(self) -> list[int]:
        """Batches that are still to be encoded."""
        return [batch for batch in range(-(-self.texts // self.batch_size)) if batch not in self.long_texts_of]

    @property
    def texts_done(self) -> int:
        """Texts of finished batches."""
        return sum(rows.stop - rows.start for rows in map(self.rows, self.long_texts_of))

    @property
    def long_texts(self) -> int:
        """Texts beyond the token limit in finished batches."""
        return sum(self.long_texts_of.values())

    def add(self, batch: int, encoded: EncodedTexts) -> None:
        """Keep a batch.

        Raises:
            InputError: its vectors have another size than those before, or they cannot be written.
        """
        dimensions = encoded.vectors.shape[1]
        if self.dimensions not in (None, dimensions):
            raise InputError(f"the encoder gave vectors of {self.dimensions} values before and of {dimensions} now")
        self.dimensions = dimensions
        vectors = np.ascontiguousarray(encoded.vectors, dtype="<f4")
        record = {
            "batch": batch,
            "dimensions": dimensions,
            "long_texts": encoded.long_texts,
            "crc32": zlib.crc32(vectors.data),
        }
        try:
            with open(self._vectors, "r+b" if self._vectors.exists() else "w+b") as file:
                file.seek(self.rows(batch).start * dimensions * 4)
                file.write(vectors.data)
            with open(self._log, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be written ({error.strerror or error}); make room and start the same command "
                "again, which goes on from there"
            ) from error
        self.long_texts_of[batch] = encoded.long_texts

    def vectors(self) -> np.ndarray:
        """``[texts, D]`` float32, mapped from disk."""
        assert self.dimensions is not None  # all are there
        return np.memmap(self._vectors, dtype="<f4", mode="r", shape=(self.texts, self.dimensions))

    def remove(self) -> None:
        """Delete the folder, once its vectors lie elsewhere."""
        shutil.rmtree(self.folder)
