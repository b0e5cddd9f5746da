"""An index of item vectors by faiss, which finds nearly the best items without scoring all of them."""

from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError

LINKS = 32
"""Neighbours that each item is linked with (faiss's ``M``)."""


def check_library() -> None:
    """Refuse, before any work, an index without faiss.

    Raises:
        InputError: it is missing.
    """
    try:
        import faiss  # noqa: F401
    except ImportError as error:
        raise InputError("--index=hnsw needs faiss: pip install 'recbole-llmdistill[ann]'") from error


def write_index(vectors: np.ndarray, file: Path) -> None:
    """Write an HNSW graph of all items but the padding, labelled by their numbers, for inner products.

    Read it with ``faiss.read_index(file)``; ``search(states, k, params=faiss.SearchParametersHNSW(efSearch=256))``
    gives scores and item numbers, the best first.
    """
    import faiss

    index = faiss.index_factory(vectors.shape[1], f"IDMap,HNSW{LINKS},Flat", faiss.METRIC_INNER_PRODUCT)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # several link the items in the order of their race, and no two indexes are the same
    try:
        index.add_with_ids(np.ascontiguousarray(vectors[1:], dtype=np.float32), np.arange(1, len(vectors)))
    finally:
        faiss.omp_set_num_threads(threads)
    faiss.write_index(index, str(file))
