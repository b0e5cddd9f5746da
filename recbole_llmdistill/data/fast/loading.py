"""Load RecBole's atomic files quickly: the first of the two reasons why a large data set is slow to start.

What is kept and counted is decided by the methods that :mod:`~recbole_llmdistill.compat` gives every data set of
RecBole. Ids are RecBole's, so a checkpoint fits a model of either.
"""

from pathlib import Path

import pandas as pd
from recbole.data.dataset import SequentialDataset
from recbole.utils import FeatureSource, FeatureType

from recbole_llmdistill.compat.atomic_tables import learn_columns
from recbole_llmdistill.data.fast import tokens as atomic_tokens
from recbole_llmdistill.data.fast.cache import LEAST_BYTES, DataCache
from recbole_llmdistill.data.fast.row_table import RowTable


class FileLoading(SequentialDataset):
    """Reads the atomic files of a data set; tokens are categoricals until they are numbered."""

    left_out = 0
    """Interactions without a user or without an item."""

    def _load_data(self, token: str, dataset_path: str) -> None:
        self._cache = DataCache.of(self)
        self._kept = self._cache.read() if self._cache else None
        if self._kept is None:
            super()._load_data(token, dataset_path)
        else:
            self.__dict__.update(self._kept)

    def _data_processing(self) -> None:
        cache, kept = self._cache, self._kept
        del self._cache, self._kept
        if kept is not None:
            self.feat_name_list = self._build_feat_name_list()
            if self.left_out:
                self.logger.warning(
                    f"{self.dataset_name}.inter: {self.left_out} rows have no {self.uid_field} or no {self.iid_field} "
                    "and are left out"
                )
            return
        super()._data_processing()
        if cache and self.config["local_rank"] == 0:
            cache.write(self)

    def _filter_nan_user_or_item(self) -> None:
        rows = len(self.inter_feat)
        super()._filter_nan_user_or_item()
        self.left_out = rows - len(self.inter_feat)

    def _load_feat(self, filepath: str, source: FeatureSource) -> pd.DataFrame | None:
        table = self._read_quickly(filepath, source)
        if table is not None:
            learn_columns(self, filepath, source)
            return table
        table = super()._load_feat(filepath, source)
        if table is not None and Path(filepath).stat().st_size >= LEAST_BYTES:
            self.logger.info(
                f"{filepath} went through pandas' slower reader, as it has a sequence column, quoted cells, blank "
                "lines, carriage returns, another encoding than UTF-8 or a separator of several characters"
            )
        for field in [] if table is None else table.columns:
            if self.field2type[field] == FeatureType.TOKEN:
                table[field] = atomic_tokens.as_categorical(table[field].to_numpy())
        return table

    def _read_quickly(self, filepath: str, source: FeatureSource) -> pd.DataFrame | None:
        """The columns that the config loads, or None where it loads none or the file is not for the quick reader."""
        separator = self.config["field_separator"]
        header = atomic_tokens.read_header(Path(filepath), self.config["encoding"], separator)
        load, unload = self._get_load_and_unload_col(source)
        fields = [f for f in header or {} if (load is None or f in load) and (unload is None or f not in unload)]
        if header is None or not fields or any(header[field] not in ("token", "float") for field in fields):
            return None
        return atomic_tokens.read_columns(Path(filepath), separator, header, fields)

    def _dataframe_to_interaction(self, data: pd.DataFrame) -> RowTable:
        return RowTable(super()._dataframe_to_interaction(data).interaction)
