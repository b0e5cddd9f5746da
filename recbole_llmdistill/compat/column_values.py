"""The values of columns, for every data set of RecBole: numbered, filled in, scaled, put into buckets, made tensors.

Answered lines, in ``data/dataset/dataset.py`` where nothing else is said. ``_fill_nan`` fills by
``fillna(inplace=True)`` (648, 650), which pandas 3 does to a copy; a column without any number stays NaN. The lengths
of sequences are had by ``.agg(len)``, which since pandas 3 is the length of the column: ``_remap`` (1217),
``_normalize`` (712), ``_discretization`` (792, 809), ``_reset_ent_remapID`` (``kg_dataset.py`` 316),
``_benchmark_presets`` (``sequential_dataset.py`` 165). ``_concat_remaped_tokens`` (1191) asks a column for its row
labelled 0, which a filter may have taken. ``_normalize`` cannot put 1 into a column of equal sequences (714).
``_discretization`` deletes from the dictionary that it goes through (753). ``_dataframe_to_interaction`` (2127) hands
PyTorch arrays that pandas 3 protects.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from recbole.data.dataset import Dataset, KnowledgeBasedDataset, SequentialDataset
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource, FeatureType
from torch.nn.utils.rnn import pad_sequence

from recbole_llmdistill.compat.atomic_tables import objects
from recbole_llmdistill.compat.extend import replace
from recbole_llmdistill.compat.row_filters import tables_with
from recbole_llmdistill.compat.sequence_order import is_exact
from recbole_llmdistill.data.fast.tokens import coded
from recbole_llmdistill.errors import InputError

_SEQUENCES = (FeatureType.TOKEN_SEQ, FeatureType.FLOAT_SEQ)
_NUMBERS = (FeatureType.FLOAT, FeatureType.FLOAT_SEQ)

Part = tuple[pd.DataFrame, str, FeatureType]
"""A table, one of its fields and the field's type: an entry of RecBole's ``remap_list``."""


def _concat_remaped_tokens(self: Dataset, remap_list: list[Part]) -> tuple[np.ndarray, np.ndarray]:
    """All tokens of several columns, and where each column but the last ends among them."""
    tokens = [_flat(table[field], kind).astype(object) for table, field, kind in remap_list]
    return np.concatenate(tokens), np.cumsum([len(column) for column in tokens])[:-1]


def _remap(self: Dataset, remap_list: list[Part]) -> None:
    """Number the tokens of several columns together, in the order of their first appearance, from 1; 0: missing."""
    if not remap_list:
        return
    columns = [coded(_flat(table[field], kind)) for table, field, kind in remap_list]
    shared, tokens = pd.factorize(np.concatenate([tokens.astype(object) for _, tokens in columns]))
    ends = np.cumsum([len(tokens) for _, tokens in columns])
    to_shared = [np.append(part, -1) for part in np.split(shared, ends[:-1])]  # -1, a missing token, stays -1
    codes = np.concatenate([mapping[codes] for mapping, (codes, _) in zip(to_shared, columns, strict=True)])
    present = codes >= 0
    ids = np.zeros(len(codes), dtype=np.int64)
    numbered, order = pd.factorize(codes if present.all() else codes[present])
    ids[present] = numbered + 1
    id_token = np.array(["[PAD]", *tokens[order]])
    token_id = {token: number for number, token in enumerate(id_token)}
    ends = np.cumsum([len(codes) for codes, _ in columns])
    for (table, field, kind), ids_of_column in zip(remap_list, np.split(ids, ends[:-1]), strict=True):
        if field not in self.field2id_token:
            self.field2id_token[field], self.field2token_id[field] = id_token, token_id
        table[field] = _like(table[field], kind, ids_of_column)


def _reset_ent_remapID(
    self: KnowledgeBasedDataset, field: str, idmap: np.ndarray, id2token: np.ndarray, token2id: dict[str, int]
) -> None:
    """Give the ids of a field those numbers that ``idmap`` says."""
    self.field2id_token[field], self.field2token_id[field] = id2token, token2id
    kind = self.field2type[field]
    for table in self.field2feats(field):
        table[field] = _like(table[field], kind, idmap[_flat(table[field], kind)])


def _fill_nan(self: Dataset) -> None:
    """Missing tokens become 0, missing numbers the mean of their column (0 where it has none), sequences empty."""
    for name in self.feat_name_list:
        table = getattr(self, name)
        for field in table:
            kind, column = self.field2type[field], table[field]
            if kind == FeatureType.TOKEN:
                table[field] = column.fillna(0).to_numpy(dtype=np.int64)
            elif kind == FeatureType.FLOAT:
                if field == self.time_field and (missing := column.isna().sum()):
                    self.logger.warning(
                        f"{self.dataset_name}: {missing} of {len(table)} interactions have no {field} and get the mean "
                        "of all others, so their places in the histories are not known"
                    )
                table[field] = column.fillna(column.mean() if column.notna().any() else 0.0)
            else:
                nothing = np.array([], dtype=np.int64 if kind == FeatureType.TOKEN_SEQ else np.float64)
                # A user or an item without a row of its own has a float here.
                table[field] = objects(nothing if isinstance(row, float) else row for row in column)


def _normalize(self: Dataset) -> None:
    """Scale the fields of ``normalize_field``, or all numbers, to [0, 1]; 1 where all are the same."""
    chosen = self.config["normalize_field"]
    if chosen and self.config["normalize_all"]:
        raise InputError("normalize_field and normalize_all cannot be set at the same time")
    fields = self.float_like_fields if self.config["normalize_all"] else _numbers(self, chosen, "normalize_field")
    for field in fields:
        kind = self.field2type[field]
        for name in tables_with(self, field):
            table = getattr(self, name)
            values = _flat(table[field], kind)
            if not len(values):
                continue
            lowest, highest = values.min(), values.max()
            if lowest == highest:
                self.logger.warning(f"All the same value in [{field}] from [{name}].")
                values = np.ones_like(values)
            else:
                values = (values - lowest) / (highest - lowest)
            table[field] = _like(table[field], kind, values)


def _discretization(self: Dataset) -> None:
    """Give each value of a numerical feature a factor and a bucket: 1 and its own, or, undivided, itself and 1."""
    divided = self.config["discretization"] or {}
    numerical = _numbers(self, self.config["numerical_features"], "numerical_features")
    if unknown := [field for field in divided if field not in numerical]:
        raise InputError(f"discretization: {unknown[0]!r} must be one of numerical_features too")
    divided = {field: divided[field] for field in _numbers(self, divided, "discretization")}
    for field in numerical:
        kind = self.field2type[field]
        for name in tables_with(self, field):
            table = getattr(self, name)
            values = _flat(table[field], kind)
            factors, buckets = values, np.ones_like(values)
            if field in divided:
                factors, buckets = buckets, _buckets(values, field, divided[field])
                self.field2bucketnum[field] = int(buckets.max(initial=0) + 1)
            if kind == FeatureType.FLOAT:
                pairs = np.stack([factors, buckets], axis=-1).tolist()
            else:
                pairs = zip(_like(table[field], kind, factors), _like(table[field], kind, buckets), strict=True)
            table[field] = objects(pairs)


def _buckets(values: np.ndarray, field: str, how: dict) -> np.ndarray:
    """Bucket of each value: ED has buckets of equal width, counted from 1; LD has narrow ones for small numbers."""
    method, bucket = how.get("method"), how.get("bucket")
    if method == "ED":
        if bucket is None:
            raise InputError(
                f"discretization: method ED needs the number of buckets: {field}: {{method: ED, bucket: 10}}"
            )
        lowest, end = values.min(initial=np.inf), values.max(initial=-np.inf) + 1e-9
        if lowest == end:
            return np.full_like(values, bucket)
        return np.floor((values - lowest) * bucket / (end - lowest) + 1)
    if method == "LD":
        large = values > 2
        rough = np.floor(np.log(np.where(large, values, 0.0) + 1e-9) ** 2 + 1)
        return np.unique(np.where(large, rough, values), return_inverse=True)[1]
    raise InputError(f"discretization: {field}: method {method!r} is neither ED nor LD")


def _numbers(dataset: Dataset, fields: Iterable[str], setting: str) -> list[str]:
    """Those of the fields that hold numbers; the log says which do not."""
    for field in fields or ():
        if field not in dataset.field2type:
            raise InputError(f"{setting}: no field {field!r} is loaded; loaded are {', '.join(dataset.field2type)}")
        if dataset.field2type[field] not in _NUMBERS:
            dataset.logger.warning(f"{setting}: {field} holds no numbers, so it stays as it is")
    return [field for field in fields or () if dataset.field2type[field] in _NUMBERS]


def _benchmark_presets(self: SequentialDataset) -> None:
    """What RecBole knows of the lists that it makes itself, for those of ready-made parts."""
    suffix = self.config["LIST_SUFFIX"]
    for field in list(self.inter_feat):
        if field + suffix in self.inter_feat:
            setattr(self, f"{field}_list_field", field + suffix)
    self.set_field_property(self.item_list_length_field, FeatureType.TOKEN, FeatureSource.INTERACTION, 1)
    self.inter_feat[self.item_list_length_field] = [len(row) for row in self.inter_feat[self.item_id_list_field]]


def _dataframe_to_interaction(self: Dataset, data: pd.DataFrame) -> Interaction:
    """Tensors of a table: whole numbers are int64, others float32, sequences padded with 0 at their end.

    Times that the order depends on are float64.
    """
    columns, exact = {}, is_exact(self)
    for field in data:
        kind, numerical = self.field2type[field], field in self.config["numerical_features"]
        dtype = torch.int64 if kind in (FeatureType.TOKEN, FeatureType.TOKEN_SEQ) else torch.float32
        if exact and field == self.time_field:
            dtype = torch.float64
        if kind not in _SEQUENCES:
            values = (
                np.array(data[field].tolist()) if numerical and kind in _NUMBERS else data[field].to_numpy(copy=True)
            )
            columns[field] = torch.as_tensor(values).to(dtype)
            continue
        length = self.field2seqlen[field]
        rows = zip(*data[field], strict=True) if numerical and kind in _NUMBERS else [data[field]]
        padded = [
            pad_sequence([torch.as_tensor(row[:length].copy()).to(dtype) for row in part], batch_first=True)
            for part in rows
        ]
        columns[field] = padded[0] if len(padded) == 1 else torch.stack(padded, dim=-1)
    return Interaction(columns)


def _flat(column: pd.Series, kind: FeatureType) -> Any:
    """All values of a column, one after another."""
    if kind not in _SEQUENCES:
        return column.array if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()
    return np.concatenate(column.to_list()) if len(column) else np.array([])


def _like(column: pd.Series, kind: FeatureType, values: np.ndarray) -> np.ndarray:
    """The values in rows as long as those of ``column``."""
    if kind not in _SEQUENCES:
        return values
    return objects(np.split(values, np.cumsum([len(row) for row in column])[:-1])) if len(column) else objects([])


def install() -> None:
    """Give RecBole's data sets these methods."""
    for method in (
        _concat_remaped_tokens,
        _remap,
        _fill_nan,
        _normalize,
        _discretization,
        _dataframe_to_interaction,
    ):
        replace(Dataset, method)
    replace(KnowledgeBasedDataset, _reset_ent_remapID)
    replace(SequentialDataset, _benchmark_presets)
