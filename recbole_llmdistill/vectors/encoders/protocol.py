"""What a text encoder is. Another one is one module in this folder, with an :class:`Encoder` and a TextEncoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from recbole_llmdistill.parts import Kind, Part


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
        batch_size: texts per batch.
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


class Encoder(Part):
    """Declares an encoder: see :class:`~recbole_llmdistill.parts.Part`.

    Attributes:
        runs_on_ray: several copies may work on a cluster, since none of them learns from the texts.
    """

    runs_on_ray: ClassVar[bool] = False

    @classmethod
    def make(cls, model: str, options: Any) -> TextEncoder:
        """The encoder.

        Args:
            model: its name or folder; empty for an encoder that takes none.
            options: an instance of ``cls.Options``.

        Raises:
            InputError: it cannot be had, e.g. because a package is missing.
        """
        raise NotImplementedError


ENCODERS = Kind("recbole_llmdistill.vectors.encoders", Encoder, "--encoder", "encoder")
