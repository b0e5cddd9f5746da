"""Read a converted data set the way RecBole does, so that tests judge what arrives there."""

import logging
import warnings
from pathlib import Path

import pandas as pd
from recbole.config import Config
from recbole.data.dataset import Dataset, SequentialDataset


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def read_with_recbole(folder: Path, all_fields: bool = True, **settings) -> Dataset:
    """RecBole's data set of the folder, all columns of all files if ``all_fields``; warnings are errors."""
    given = {"data_path": str(folder.parent), "user_inter_num_interval": None, "item_inter_num_interval": None}
    if all_fields:
        given["load_col"] = None
    config = Config(model="SASRec", dataset=folder.name, config_dict=given | {"train_neg_sample_args": None} | settings)
    return _without_warnings(Dataset, config)


def sequential_parts(folder: Path, **settings) -> list[SequentialDataset]:
    """Training, validation and test part of RecBole's own sequential data set, by the settings beside the files."""
    given = {"data_path": str(folder.parent), "train_neg_sample_args": None}
    config = Config(model="SASRec", dataset=folder.name, config_dict=given | settings)
    return _without_warnings(SequentialDataset, config).build()


def _without_warnings(kind: type, config: Config):
    collector = _Collector()
    logging.getLogger().addHandler(collector)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            dataset = kind(config)
    finally:
        logging.getLogger().removeHandler(collector)
    assert collector.messages == []
    return dataset


def tokens(dataset: Dataset, table: str, field: str) -> list[str]:
    """A ``token`` column of the table as the text that stands in the file, ``[PAD]`` where it is missing."""
    feat = getattr(dataset, f"{table}_feat")
    return list(dataset.id2token(field, feat[field].to_numpy(int)))


def items_by_id(dataset: Dataset) -> dict[str, dict]:
    """Every item's fields: words of a ``token_seq``, text of a ``token``, numbers; padding item left out."""
    feat = dataset.item_feat
    rows = {}
    for place in range(1, len(feat)):
        row = {}
        for field in feat.columns:
            value = feat[field].iloc[place]
            kind = dataset.field2type[field].value
            if kind == "token_seq":
                value = [str(word) for word in dataset.id2token(field, value)]
            elif kind == "token":
                value = str(dataset.id2token(field, int(value)))
            row[field] = value
        rows[row.pop("item_id")] = row
    return rows


def raw_rows(path: Path) -> list[dict[str, str]]:
    """Rows of an atomic file by splitting at tabs and line breaks alone."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    head = lines[0].split("\t")
    rows = [line.split("\t") for line in lines[1:]]
    assert all(len(row) == len(head) for row in rows)
    return [dict(zip((name.split(":")[0] for name in head), row, strict=True)) for row in rows]
