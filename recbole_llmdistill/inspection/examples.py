"""Nearest neighbours side by side: what the vectors take for alike."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recbole_llmdistill.inspection.neighbours import nearest, unit_rows
from recbole_llmdistill.vectors.sampling import sample_rows

EXAMPLES = 6
_WORD = re.compile(r"\w+")
_RARE = 0.15  # share of texts below which a shared word says something


@dataclass(frozen=True)
class NeighbourExample:
    """A user (or item) and the nearest other one.

    Attributes:
        users: both tokens.
        texts: both texts, each as (piece, whether it is a telling word that the other has too).
        cosine: of the centred vectors.
        shared_items: training items (of items: users) that both have.
        items: training items of each.
    """

    users: tuple[str, str]
    texts: tuple[list[tuple[str, bool]], list[tuple[str, bool]]]
    cosine: float
    shared_items: int
    items: tuple[int, int]


def find_examples(
    tokens: np.ndarray, vectors: np.ndarray, training: sp.csr_matrix, texts: Sequence[str], seed: int = 0
) -> list[NeighbourExample]:
    """Six random users with the nearest neighbour of each.

    Args:
        tokens: ``[U]``.
        vectors: ``[U, D]``.
        training: ``[U, I]`` sparse, of ones.
        texts: ``[U]`` the text of each.
        seed: of the choice.
    """
    rows = np.random.default_rng(seed).permutation(len(vectors))[:EXAMPLES]
    found, cosines = nearest(unit_rows(vectors - vectors.mean(axis=0)), rows, 1)
    sample = sample_rows(len(texts), 5000, seed)
    frequency = Counter(word for row in sample for word in _words(texts[row]))
    examples = []
    for row, other, cosine in zip(rows, found[:, 0], cosines[:, 0], strict=True):
        telling = {
            word
            for word in _words(texts[row]) & _words(texts[other])
            if frequency[word] <= _RARE * len(sample) and not word.isdigit()
        }
        examples.append(
            NeighbourExample(
                users=(str(tokens[row]), str(tokens[other])),
                texts=(_marked(texts[row], telling), _marked(texts[other], telling)),
                cosine=float(cosine),
                shared_items=int(training[row].multiply(training[other]).sum()),
                items=(int(training[row].sum()), int(training[other].sum())),
            )
        )
    return examples


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _marked(text: str, telling: set[str]) -> list[tuple[str, bool]]:
    pieces, end = [], 0
    for match in _WORD.finditer(text):
        if match.group().lower() in telling:
            pieces += [(text[end : match.start()], False), (match.group(), True)]
            end = match.end()
    return [*pieces, (text[end:], False)]
