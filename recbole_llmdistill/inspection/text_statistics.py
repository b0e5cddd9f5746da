"""The texts themselves: how long they are, and how many say the same."""

from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.formats.profile_texts import ProfileTexts
from recbole_llmdistill.inspection.neighbours import nearest
from recbole_llmdistill.vectors.sampling import sample_rows

SAMPLE = 5000
NEAR = 0.9
"""Cosine of the TF-IDF of words and word pairs from which on two texts count as near-duplicates."""


@dataclass(frozen=True)
class TextStatistics:
    """Of all texts of a file.

    Attributes:
        users: users with a text.
        empty: users whose text is empty.
        words: ``[users]`` words a user, all profiles together.
        duplicates: users who share all their texts with another, to the letter.
        near_duplicates: users of the sample who have a near-duplicate in it (exact ones included).
        sample: users among whom near-duplicates were looked for.
    """

    users: int
    empty: int
    words: np.ndarray
    duplicates: int
    near_duplicates: int
    sample: int


def measure_texts(profiles: ProfileTexts, seed: int = 0) -> TextStatistics:
    """Statistics of profile texts; near-duplicates are looked for among at most 5,000 users."""
    words_of = np.array([*(len(text.split()) for text in profiles.texts), 0])  # -1, a lacking text, has none
    _, same, count = np.unique(profiles.text_of, axis=0, return_inverse=True, return_counts=True)
    rows = sample_rows(len(profiles.tokens), SAMPLE, seed)
    return TextStatistics(
        users=len(profiles.tokens),
        empty=len(profiles.empty),
        words=words_of[profiles.text_of].sum(axis=1),
        duplicates=int((count[same.ravel()] > 1).sum()),
        near_duplicates=_near_duplicates([profiles.joined(row) for row in rows]),
        sample=len(rows),
    )


def _near_duplicates(texts: list[str]) -> int:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(texts) < 2:
        return 0
    # Any run of letters is a word, so that texts of one-letter words are compared as well.
    units = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\S+", dtype=np.float32).fit_transform(texts)
    return int((nearest(units.tocsr(), np.arange(len(texts)), 1)[1][:, 0] >= NEAR).sum())
