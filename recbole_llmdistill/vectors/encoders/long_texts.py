"""Texts beyond an encoder's token limit: truncated with a count, or encoded in pieces whose vectors are averaged."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts

LongTexts = Literal["truncate", "chunk"]
Split = Callable[[str], tuple[list[str], list[int]]]
"""From a text to its consecutive pieces, each within the limit, and the length of each in tokens."""


def encode_with_limit(
    texts: Sequence[str], split: Split, long: LongTexts, encode: Callable[[list[str]], np.ndarray]
) -> EncodedTexts:
    """Encode texts of any length by ``encode``, which only ever sees pieces within the limit.

    Args:
        texts: the batch.
        split: cuts a text at the limit.
        long: ``truncate`` keeps the first piece; ``chunk`` takes the mean over all pieces, weighted by their tokens,
            at the mean length (norm) of the pieces' vectors, so that unit vectors stay unit vectors.
        encode: from texts to ``[texts, D]``.
    """
    pieces: list[str] = []
    weights: list[int] = []
    owner: list[int] = []
    long_texts = 0
    for number, text in enumerate(texts):
        parts, lengths = split(text)
        long_texts += len(parts) > 1
        kept = 1 if long == "truncate" else len(parts)
        pieces += parts[:kept]
        weights += lengths[:kept]
        owner += [number] * kept
    vectors = np.asarray(encode(pieces), dtype=np.float32)
    if len(pieces) == len(texts):
        return EncodedTexts(vectors, long_texts)
    return EncodedTexts(_weighted_means(vectors, np.array(weights), np.array(owner), len(texts)), long_texts)


def _weighted_means(vectors: np.ndarray, weights: np.ndarray, owner: np.ndarray, texts: int) -> np.ndarray:
    weights = weights.astype(np.float64) / np.bincount(owner, weights, texts)[owner]
    means = np.zeros((texts, vectors.shape[1]))
    np.add.at(means, owner, vectors * weights[:, None])
    norms = np.bincount(owner, weights * np.linalg.norm(vectors, axis=1), texts)
    lengths = np.linalg.norm(means, axis=1)
    scale = np.where(np.bincount(owner, minlength=texts) > 1, norms / np.maximum(lengths, 1e-12), 1.0)
    return (means * scale[:, None]).astype(np.float32)
