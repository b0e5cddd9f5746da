"""Give SciPy's dictionary-of-keys matrix the method that RecBole's graph models call.

Answered lines: ``A._update(data_dict)`` in ``general_recommender/lightgcn.py`` 111, ``ngcf.py`` 110, ``ncl.py`` 131,
``gcmc.py`` 174, ``spectralcf.py`` 123, ``knowledge_aware_recommender/kgin.py`` 356 and ``mcclk.py`` 425. SciPy 1.13
removed that private method.
"""

from scipy.sparse import dok_matrix


def install() -> None:
    """Add the method, unless this SciPy has it."""
    if not hasattr(dok_matrix, "_update"):
        dok_matrix._update = _update


def _update(matrix: dok_matrix, entries: dict[tuple[int, int], float]) -> None:
    matrix._dict.update(entries)
