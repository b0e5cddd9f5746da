"""What a text encoder is. Another one is one file with such a class, and one line in ``choice.py``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class EncodedTexts:
    """Vectors of a batch of texts.

    Attributes:
        vectors: ``[texts, D]`` float32.
        long_texts: how many texts exceeded the encoder's token limit, and were truncated or encoded in pieces.
    """

    vectors: np.ndarray
    long_texts: int = 0


class TextEncoder(Protocol):
    """From texts to vectors, a batch at a time.

    Attributes:
        batch_size: texts a batch.
        concurrency: batches that may be in flight at once; above 1 :meth:`encode` is called from several threads.
    """

    batch_size: int
    concurrency: int

    def settings(self) -> dict[str, Any]:
        """All that the vectors depend on besides the texts, as JSON values; goes into the manifest."""
        ...

    def fit(self, texts: Sequence[str]) -> None:
        """See all texts before the first batch; does nothing where an encoder comes trained."""
        ...

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """Encode one batch.

        Raises:
            InputError: the encoder refuses, cannot be reached, or is of no use for these texts.
        """
        ...
