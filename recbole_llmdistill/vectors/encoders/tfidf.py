"""The encoder that needs no download: TF-IDF of words and word pairs, reduced by truncated SVD."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts, Encoder
from recbole_llmdistill.vectors.sampling import sample_rows


class TfidfOptions(Options):
    """Options of the encoder ``tfidf``.

    The vectors are to be shorter than there are texts, and than there are different terms. On MovieLens-100K 16 to 64
    dimensions find equally good neighbours and more find worse ones (``benchmarks/encoders_ml100k.py``).
    """

    dimensions: int = Field(64, ge=1, description="size of the vectors")
    ngrams: int = Field(2, ge=1, description="longest sequence of words that is a term")
    min_texts: int = Field(2, ge=1, description="texts in which a term must occur")
    fit_sample: int = Field(100_000, ge=2, description="texts that words and decomposition are learnt from")


class Tfidf(Encoder):
    """``tfidf``."""

    name = "tfidf"
    title = "words and word pairs, reduced by truncated SVD; needs no download"
    Options = TfidfOptions

    @classmethod
    def make(cls, model: str, options: TfidfOptions) -> "TfidfEncoder":
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.Encoder`."""
        return TfidfEncoder(options)


class TfidfEncoder:
    """TF-IDF and latent semantic analysis; deterministic, since the decomposition is computed to convergence (ARPACK).

    Words and decomposition are learnt from at most ``fit_sample`` texts, so memory does not grow with the number of
    texts; nothing is ever dense but the vectors.

    Args:
        options: see :class:`TfidfOptions`; the texts to learn from are drawn at random where there are more.
    """

    batch_size = 4096
    concurrency = 1

    def __init__(self, options: TfidfOptions) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.options = options
        self.vectorizer = TfidfVectorizer(ngram_range=(1, options.ngrams), min_df=options.min_texts, sublinear_tf=True)
        self.svd = TruncatedSVD(options.dimensions, algorithm="arpack", random_state=0)

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return {
            "encoder": "tfidf",
            **self.options.model_dump(),
            "scikit-learn": version("scikit-learn"),
        }

    def fit(self, texts: Sequence[str]) -> None:
        """Learn words and decomposition.

        Raises:
            InputError: too few texts or words for that many dimensions.
        """
        sample = [texts[row] for row in sample_rows(len(texts), self.options.fit_sample)]
        try:
            counts = self.vectorizer.fit_transform(sample)
        except ValueError as error:  # no word is left
            raise InputError(
                f"tfidf: no word of these {len(sample)} texts occurs in {self.options.min_texts} of them ({error}); it "
                "needs more texts, or lower --min-texts"
            ) from error
        if self.options.dimensions >= min(counts.shape):
            raise InputError(
                f"tfidf: {self.options.dimensions} dimensions are too many for {counts.shape[0]} different texts with "
                f"{counts.shape[1]} terms that occur in {self.options.min_texts} of them; ask for at most "
                f"{max(1, min(counts.shape) - 1)} by --dimensions"
            )
        self.svd.fit(counts)

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return EncodedTexts(self.svd.transform(self.vectorizer.transform(texts)).astype(np.float32))
