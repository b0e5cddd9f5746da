"""Reading atomic files into tables, for every data set of RecBole.

Answered lines, all in ``data/dataset/dataset.py``: ``_load_feat`` asks for ``str`` columns (483), which pandas 3 gives
a type of their own where RecBole goes on with NumPy's objects, and fills them by ``fillna(inplace=True)`` (501), which
pandas 3 does to a copy. It takes the tokens ``nan``, ``None``, ``NA`` and ``null`` for missing (486). Ready-made parts
are not asked for rows without a user or an item (``_data_processing`` 161), which become user and item 0.
``_load_user_or_item_feat`` drops rows in place (359), which pandas 4 will refuse.
"""

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from recbole.data.dataset import Dataset
from recbole.utils import FeatureSource, FeatureType

from recbole_llmdistill.compat.extend import extend, replace
from recbole_llmdistill.compat.row_filters import drop_rows_that_lack
from recbole_llmdistill.data.fast.tokens import MISSING_NUMBERS
from recbole_llmdistill.errors import InputError

_SEQUENCES = (FeatureType.TOKEN_SEQ, FeatureType.FLOAT_SEQ)


class Column(NamedTuple):
    """A column that is loaded: its title is ``field:kind``."""

    title: str
    field: str
    kind: FeatureType


def _load_feat(self: Dataset, filepath: str, source: FeatureSource | str) -> pd.DataFrame | None:
    """The columns of an atomic file that the config loads, by field, or None where it loads none.

    A token that is missing is NaN, a sequence that is missing is empty.
    """
    columns = learn_columns(self, filepath, source)
    if not columns:
        return None
    table = pd.read_csv(
        filepath,
        delimiter=self.config["field_separator"],
        usecols=[column.title for column in columns],
        dtype={column.title: np.float64 if column.kind == FeatureType.FLOAT else object for column in columns},
        keep_default_na=False,
        na_values={c.title: MISSING_NUMBERS if c.kind == FeatureType.FLOAT else [""] for c in columns},
        encoding=_encoding(self),
        engine="python",
    )
    table.columns = [column.field for column in columns]
    for _, field, kind in columns:
        if kind in _SEQUENCES:
            limit = (self.config["seq_len"] or {}).get(field)
            sequences = _split(table[field], self.config["seq_separator"], kind, limit)
            table[field] = sequences
            self.field2seqlen[field] = max(map(len, sequences), default=0)
    if source == FeatureSource.KG or source == "link":  # a triple or a link of nothing, which RecBole stumbles over
        tokens = [column.field for column in columns if column.kind == FeatureType.TOKEN]
        table = drop_rows_that_lack(table, tokens, os.path.basename(filepath))
    return table


def learn_columns(dataset: Dataset, filepath: str, source: FeatureSource | str) -> list[Column]:
    """The columns to load from a file, by its header and the config; the data set learns their properties."""
    load, unload = dataset._get_load_and_unload_col(source)
    if load == set():
        return []
    columns = []
    with open(filepath, encoding=_encoding(dataset)) as file:
        titles = file.readline().rstrip("\n").split(dataset.config["field_separator"])
    for title in titles:
        field, _, kind = title.partition(":")
        if kind not in {kind.value for kind in FeatureType}:
            raise InputError(
                f"{filepath}: column {title!r} of the first line has no type that RecBole knows; write it as "
                "name:token, name:token_seq, name:float or name:float_seq"
            )
        if (load is None or field in load) and (unload is None or field not in unload):
            columns.append(Column(title, field, FeatureType(kind)))
    for _, field, kind in columns if source != "link" else ():
        dataset.field2source[field] = source
        dataset.field2type[field] = kind
        if kind not in _SEQUENCES:
            dataset.field2seqlen[field] = 1
        if kind in (FeatureType.FLOAT, FeatureType.FLOAT_SEQ):
            dataset.field2bucketnum[field] = 2
    if not columns:
        dataset.logger.warning(f"No columns has been loaded from [{source}]")
    return columns


def objects(values: Iterable) -> np.ndarray:
    """One object per row; NumPy itself would make a matrix of rows of equal length."""
    rows = list(values)
    column = np.empty(len(rows), dtype=object)
    for number, row in enumerate(rows):
        column[number] = row
    return column


def _split(cells: pd.Series, separator: str, kind: FeatureType, limit: int | None) -> np.ndarray:
    """Each cell's values, at most ``limit`` of them."""
    texts = cells.where(cells.notna(), "")
    dtype = str if kind == FeatureType.TOKEN_SEQ else np.float64
    return objects(np.array([part for part in text.split(separator) if part][:limit], dtype=dtype) for text in texts)


def _encoding(dataset: Dataset) -> str | None:
    """The config's encoding; in UTF-8 a mark at the beginning of the file is none of its first column's name."""
    encoding = dataset.config["encoding"]
    return "utf-8-sig" if (encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _load_inter_feat(self: Dataset, original: Callable, token: str, dataset_path: str) -> None:
    original(self, token, dataset_path)
    if self.benchmark_filename_list is None:  # else RecBole filters these rows itself
        return
    parts = np.split(np.arange(len(self.inter_feat)), np.cumsum(self.file_size_list)[:-1])
    kept = []
    for name, rows in zip(self.benchmark_filename_list, parts, strict=True):
        part = self.inter_feat.iloc[rows].reset_index(drop=True)
        ids = [field for field in (self.uid_field, self.iid_field) if field in part]
        kept.append(drop_rows_that_lack(part, ids, f"{token}.{name}.inter"))
    self.inter_feat = pd.concat(kept, ignore_index=True)
    self.file_size_list = [len(part) for part in kept]


def _load_user_or_item_feat(
    self: Dataset, token: str, dataset_path: str, source: FeatureSource, field_name: str
) -> pd.DataFrame | None:
    """The ``.user`` or the ``.item`` file, the first row of each user or item; None where there is none."""
    path, field = os.path.join(dataset_path, f"{token}.{source.value}"), getattr(self, field_name)
    table = self._load_feat(path, source) if os.path.isfile(path) else None
    if table is not None:
        if field is None or field not in table:
            key = "USER_ID_FIELD" if field_name == "uid_field" else "ITEM_ID_FIELD"
            raise InputError(
                f"{path}: its column {key} ({field}) must be loaded, as the rest belongs to it; see load_col"
            )
        table = drop_rows_that_lack(table, [field], os.path.basename(path))
        table = table.drop_duplicates(subset=[field])
    if field in self.field2source:
        self.field2source[field] = FeatureSource(f"{source.value}_id")
    return table


def install() -> None:
    """Give RecBole's data sets these methods."""
    replace(Dataset, _load_feat)
    replace(Dataset, _load_user_or_item_feat)
    extend(Dataset, "_load_inter_feat", _load_inter_feat)
