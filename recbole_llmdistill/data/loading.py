"""Load RecBole's atomic files quickly: the first of the two reasons why a large data set is slow to start.

RecBole's own methods still decide what is loaded, kept and counted; the ones that loop in Python are overridden.
Ids are RecBole's, so a checkpoint fits a model of either.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from recbole.data.dataset import SequentialDataset
from recbole.utils import FeatureType

from recbole_llmdistill.data import atomic_tokens
from recbole_llmdistill.data.cache import LEAST_BYTES, DataCache
from recbole_llmdistill.data.row_table import RowTable


class FileLoading(SequentialDataset):
    """Reads, filters and numbers the atomic files of a data set; tokens are categoricals until they are numbered."""

    def _load_data(self, token, dataset_path) -> None:
        self._cache = DataCache.of(self)
        self._kept = self._cache.read() if self._cache else None
        if self._kept is None:
            super()._load_data(token, dataset_path)
        else:
            vars(self).update(self._kept)

    def _data_processing(self) -> None:
        cache, kept = self._cache, self._kept
        del self._cache, self._kept
        if kept is not None:
            self.feat_name_list = self._build_feat_name_list()
            return
        super()._data_processing()
        if cache and self.config["local_rank"] == 0:
            cache.write(self)

    def _load_feat(self, filepath, source) -> pd.DataFrame | None:
        separator = self.config["field_separator"]
        header = atomic_tokens.read_header(Path(filepath), self.config["encoding"], separator)
        load, unload = self._get_load_and_unload_col(source)
        fields = [f for f in header or {} if (load is None or f in load) and (unload is None or f not in unload)]
        if not fields or any(header[field] not in ("token", "float") for field in fields):
            return self._load_feat_by_recbole(filepath, source)
        table = atomic_tokens.read_columns(Path(filepath), separator, header, fields)
        if table is None:
            return self._load_feat_by_recbole(filepath, source)
        # From the header alone RecBole learns all that it keeps about these columns.
        with tempfile.TemporaryDirectory() as folder, open(filepath, "rb") as file:
            header_alone = Path(folder, Path(filepath).name)
            header_alone.write_bytes(file.readline())
            super()._load_feat(str(header_alone), source)
        return table

    def _load_feat_by_recbole(self, filepath, source) -> pd.DataFrame | None:
        table = super()._load_feat(filepath, source)
        if table is not None and Path(filepath).stat().st_size >= LEAST_BYTES:
            self.logger.info(
                f"{filepath} went through RecBole's slower reader, as it has a sequence column, quoted cells, blank "
                "lines, carriage returns, another encoding than UTF-8 or a separator of several characters"
            )
        for field in [] if table is None else table.columns:
            if self.field2type[field] == FeatureType.TOKEN:
                table[field] = atomic_tokens.as_categorical(table[field].to_numpy())
        return table

    def _filter_by_inter_num(self) -> None:
        """Drop users and items with too few or too many interactions, again and again until all that is left fits."""
        intervals = [self._parse_intervals_str(self.config[f"{side}_inter_num_interval"]) for side in ("user", "item")]
        if self.uid_field is None or self.iid_field is None or not any(intervals):
            return
        if any(len(interval or []) > 1 for interval in intervals):
            self.logger.warning("More than one interval of interaction number are given!")
        kept = np.ones(len(self.inter_feat), dtype=bool)
        columns = [self.inter_feat[field].array for field in (self.uid_field, self.iid_field)]
        codes = [np.asarray(column.codes).astype(np.int32) + 1 for column in columns]  # 0: missing, also an id here
        while True:
            # Both are judged by the same counts, as in RecBole.
            banned = [
                self._ban(field, feature, column, codes_of_side[kept], interval)
                for field, feature, column, codes_of_side, interval in zip(
                    (self.uid_field, self.iid_field), ("user_feat", "item_feat"), columns, codes, intervals, strict=True
                )
            ]
            if not any(found for _, found in banned):
                break
            for (illegal, _), codes_of_side in zip(banned, codes, strict=True):
                kept &= ~illegal[codes_of_side]
        if not kept.all():
            self.inter_feat.drop(self.inter_feat.index[~kept], inplace=True)

    def _ban(
        self, field: str, feature: str, column: pd.Categorical, codes: np.ndarray, interval: list | None
    ) -> tuple[np.ndarray, bool]:
        """Which codes occur an illegal number of times, and whether there are any; their feature rows are dropped.

        As in RecBole, a feature row without enough interactions goes too, and an interval that is not set bans nobody.
        """
        n_codes = len(column.categories) + 1
        if not interval:
            return np.zeros(n_codes, dtype=bool), False
        counts = np.bincount(codes, minlength=n_codes)
        illegal = (counts > 0) & ~self._within_intervals(counts, interval)
        found = bool(illegal.any())
        table = getattr(self, feature)
        if table is not None:
            rows = pd.Categorical(table[field].to_numpy(dtype=object), categories=column.categories).codes + 1
            unknown = (rows == 0) & table[field].notna().to_numpy()
            dropped = (illegal[rows] & ~unknown) | (np.where(unknown, 0, counts[rows]) < interval[0][1])
            found |= bool(dropped.any())
            illegal[rows[dropped & ~unknown]] = True
            table.drop(table.index[dropped], inplace=True)
        return illegal, found

    def _remap(self, remap_list) -> None:
        """Number the tokens of several columns together, in the order of their first appearance, from 1."""
        if not remap_list or any(kind != FeatureType.TOKEN for _, _, kind in remap_list):
            super()._remap(remap_list)
            return
        columns = [atomic_tokens.coded(table[field].array) for table, field, _ in remap_list]
        shared, tokens = pd.factorize(np.concatenate([tokens for _, tokens in columns]))
        ends = np.cumsum([len(tokens) for _, tokens in columns])
        to_shared = [np.append(part, -1) for part in np.split(shared, ends[:-1])]  # -1, a missing token, stays -1
        codes = np.concatenate([mapping[codes] for mapping, (codes, _) in zip(to_shared, columns, strict=True)])
        present = codes >= 0
        ids = np.zeros(len(codes), dtype=np.int64)
        numbered, order = pd.factorize(codes if present.all() else codes[present])
        ids[present] = numbered + 1
        id_token = np.array(["[PAD]", *tokens[order]])
        token_id = {token: number for number, token in enumerate(id_token)}
        lengths = np.cumsum([len(codes) for codes, _ in columns])
        for (table, field, _), ids_of_column in zip(remap_list, np.split(ids, lengths[:-1]), strict=True):
            if field not in self.field2id_token:
                self.field2id_token[field], self.field2token_id[field] = id_token, token_id
            table[field] = ids_of_column

    def _dataframe_to_interaction(self, data: pd.DataFrame) -> RowTable:
        return RowTable(super()._dataframe_to_interaction(data).interaction)
