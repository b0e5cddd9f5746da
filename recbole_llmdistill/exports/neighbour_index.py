"""An index of item vectors by hnswlib, which finds nearly the best items without scoring all of them."""

from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError

CONNECTIONS = 16
"""Neighbours that each item is linked with (hnswlib's ``M``)."""
CONSTRUCTION = 200
"""Candidates for them (hnswlib's ``ef_construction``)."""


def check_library() -> None:
    """Refuse, before any work, an index without hnswlib.

    Raises:
        InputError: it is missing.
    """
    try:
        import hnswlib  # noqa: F401
    except ImportError as error:
        raise InputError("--index=hnsw needs hnswlib: pip install 'recbole-llmdistill[ann]'") from error


def write_index(vectors: np.ndarray, file: Path) -> None:
    """Write the index of all items but the padding, labelled by their numbers, for inner products.

    Read it with ``index = hnswlib.Index("ip", D); index.load_index(file)``; a distance is 1 - score.
    """
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors) - 1, CONSTRUCTION, CONNECTIONS, random_seed=0)
    index.add_items(vectors[1:], np.arange(1, len(vectors)))
    index.save_index(str(file))
