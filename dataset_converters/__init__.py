"""Converters from publishers' raw files to RecBole atomic files, one module a source.

    >>> from recbole_llmdistill.dataset_converters.conversion import convert
    >>> from recbole_llmdistill.dataset_converters.filters import Filters
    >>> from recbole_llmdistill.dataset_converters.movielens import MovieLens
    >>> folder = convert(MovieLens(), "downloads/ml-20m.zip", "dataset/ml-20m", Filters(k_core=5))

A source reads its publisher's files into :class:`~recbole_llmdistill.dataset_converters.source.RawTables`; all else
(filters, order in time, atomic files, settings, provenance) is the same for every source.
"""
