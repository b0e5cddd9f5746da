"""The encoder that needs no download: TF-IDF of words and word pairs, reduced by truncated SVD."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts
from recbole_llmdistill.vectors.sampling import sample_rows


class TfidfEncoder:
    """TF-IDF and latent semantic analysis; deterministic, since the decomposition is computed to convergence (ARPACK).

    Words and decomposition are learnt from at most ``fit_sample`` texts, so memory does not grow with the number of
    texts; nothing is ever dense but the vectors.

    Args:
        dimensions: size of the vectors, below the number of texts and of different terms. On MovieLens-100K 16 to 64
            find equally good neighbours and more find worse ones (``benchmarks/encoders_ml100k.py``).
        ngrams: longest sequence of words that is a term.
        min_texts: texts in which a term must occur.
        fit_sample: texts to learn from, drawn at random where there are more.
    """

    batch_size = 4096
    concurrency = 1

    def __init__(self, dimensions: int = 64, ngrams: int = 2, min_texts: int = 2, fit_sample: int = 100_000) -> None:
        self.dimensions, self.ngrams, self.min_texts, self.fit_sample = dimensions, ngrams, min_texts, fit_sample
        self.vectorizer = TfidfVectorizer(ngram_range=(1, ngrams), min_df=min_texts, sublinear_tf=True)
        self.svd = TruncatedSVD(dimensions, algorithm="arpack", random_state=0)

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return {
            "encoder": "tfidf",
            "dimensions": self.dimensions,
            "ngrams": self.ngrams,
            "min_texts": self.min_texts,
            "fit_sample": self.fit_sample,
            "scikit-learn": sklearn.__version__,
        }

    def fit(self, texts: Sequence[str]) -> None:
        """Learn words and decomposition.

        Raises:
            InputError: too few texts or words for that many dimensions.
        """
        sample = [texts[row] for row in sample_rows(len(texts), self.fit_sample)]
        try:
            counts = self.vectorizer.fit_transform(sample)
        except ValueError as error:  # no word is left
            raise InputError(
                f"tfidf: no word of these {len(sample)} texts occurs in {self.min_texts} of them ({error}); it needs "
                "more texts, or lower --min-texts"
            ) from error
        if self.dimensions >= min(counts.shape):
            raise InputError(
                f"tfidf: {self.dimensions} dimensions are too many for {counts.shape[0]} different texts with "
                f"{counts.shape[1]} terms that occur in {self.min_texts} of them; ask for at most "
                f"{max(1, min(counts.shape) - 1)} by --dimensions"
            )
        self.svd.fit(counts)

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return EncodedTexts(self.svd.transform(self.vectorizer.transform(texts)).astype(np.float32))
