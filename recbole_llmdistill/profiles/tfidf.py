"""The encoder that needs no download: TF-IDF of words and word pairs, reduced by truncated SVD."""

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recbole_llmdistill.errors import InputError


def encode_tfidf(texts: Sequence[str], dimensions: int) -> np.ndarray:
    """One vector a text; deterministic, since the decomposition is computed to convergence (ARPACK).

    Args:
        texts: profile texts.
        dimensions: size of the vectors, below the number of texts and of different words.

    Returns:
        ``[len(texts), dimensions]`` float32.

    Raises:
        InputError: too few texts for that many dimensions.
    """
    counts = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)
    if dimensions >= min(counts.shape):
        raise InputError(
            f"{dimensions} dimensions are too many for {counts.shape[0]} texts with {counts.shape[1]} words and word "
            f"pairs that occur twice; ask for at most {min(counts.shape) - 1}"
        )
    return TruncatedSVD(dimensions, algorithm="arpack", random_state=0).fit_transform(counts).astype(np.float32)
