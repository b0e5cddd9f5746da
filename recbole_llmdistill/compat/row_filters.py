"""Leaving out rows, for every data set of RecBole: each step asks a question of every row and keeps those that pass.

Answered lines, all in ``data/dataset/dataset.py``: ``_filter_nan_user_or_item`` (835) takes the labels of rows for
their positions, so that after a first loss a good row goes and a bad one stays, as item 0. ``_remove_duplication``
(854) sorts by an algorithm whose order of equal times differs between versions of NumPy and processors.
``_filter_by_field_value`` (1044) drops the last row but one where no interval is legal. They and
``_filter_by_inter_num`` (922-939), ``_reset_index`` (1065), ``_del_col`` (1078), ``_filter_inter_by_user_or_item``
(1104), and ``_filter_kg_by_triple_num`` (166) and ``_filter_link`` (188) of ``kg_dataset.py`` change tables in place,
which pandas 3 warns of and pandas 4 will refuse. ``_filter_link`` leaves gaps between the labels, at which
``_concat_remaped_tokens`` (1191) stumbles.
"""

from logging import getLogger

import numpy as np
import pandas as pd
from recbole.data.dataset import Dataset, KnowledgeBasedDataset
from recbole.data.interaction import Interaction
from recbole.utils import FeatureType

from recbole_llmdistill.compat.extend import replace
from recbole_llmdistill.data.fast.tokens import coded
from recbole_llmdistill.errors import InputError

_LINES_SHOWN = 5


def drop_rows_that_lack(table: pd.DataFrame, fields: list[str], name: str) -> pd.DataFrame:
    """The rows that have all of ``fields``; the log says how many have not, and where.

    Args:
        table: rows of a file, labelled from 0 in the file's order.
        fields: columns of tokens.
        name: of the file, for the log.
    """
    lacking = table[fields].isna().any(axis=1).to_numpy()
    if not lacking.any():
        return table
    lines = [str(label + 2) for label in table.index[lacking][:_LINES_SHOWN]]
    more = ", ..." if lacking.sum() > _LINES_SHOWN else ""
    getLogger().warning(
        f"{name}: {lacking.sum()} of {len(table)} rows have no {' or no '.join(fields)} and are left out "
        f"(line{'s' if lacking.sum() > 1 else ''} {', '.join(lines)}{more})"
    )
    return table[~lacking]


def _filter_nan_user_or_item(self: Dataset) -> None:
    """Leave out interactions without a user or without an item."""
    fields = [field for field in (self.uid_field, self.iid_field) if field is not None]
    self.inter_feat = drop_rows_that_lack(self.inter_feat, fields, f"{self.dataset_name}.inter")


def _remove_duplication(self: Dataset) -> None:
    """With ``rm_dup_inter``, keep the first or the last interaction of a user with an item, in the order of time.

    Interactions of the same time stay in the order of the file.
    """
    keep = self.config["rm_dup_inter"]
    if keep is None:
        return
    if self.time_field in self.inter_feat:
        self.inter_feat = self.inter_feat.sort_values(by=self.time_field, kind="stable")
    else:
        self.logger.warning(f"rm_dup_inter: no time is loaded, so the {keep} one in the order of the file is kept")
    self.inter_feat = self.inter_feat.drop_duplicates(subset=[self.uid_field, self.iid_field], keep=keep)


def _filter_by_field_value(self: Dataset) -> None:
    """Keep the rows whose values ``val_interval`` allows."""
    for field, allowed in (self.config["val_interval"] or {}).items():
        if field not in self.field2type:
            raise InputError(f"val_interval: no field {field!r} is loaded; loaded are {', '.join(self.field2type)}")
        kind = self.field2type[field]
        if kind in (FeatureType.TOKEN_SEQ, FeatureType.FLOAT_SEQ):
            raise InputError(f"val_interval: {field!r} is a sequence; rows can be chosen by token and float fields")
        intervals = self._parse_intervals_str(allowed) if kind == FeatureType.FLOAT else None
        for name in tables_with(self, field):
            table = getattr(self, name)
            if intervals is None:
                kept = table[field].isin(allowed).to_numpy()
            else:
                kept = np.broadcast_to(self._within_intervals(table[field].to_numpy(), intervals), len(table))
            setattr(self, name, table[kept])


def _filter_inter_by_user_or_item(self: Dataset) -> None:
    """With ``filter_inter_by_user_or_item``, keep interactions of users and items that have a row of their own."""
    if self.config["filter_inter_by_user_or_item"] is not True:
        return
    kept = np.ones(len(self.inter_feat), dtype=bool)
    for field, table in ((self.uid_field, self.user_feat), (self.iid_field, self.item_feat)):
        if table is not None:
            kept &= self.inter_feat[field].isin(table[field].to_numpy(dtype=object)).to_numpy()
    self.inter_feat = self.inter_feat[kept]


def _filter_by_inter_num(self: Dataset) -> None:
    """Drop users and items with too few or too many interactions, again and again until all that is left fits."""
    intervals = [self._parse_intervals_str(self.config[f"{side}_inter_num_interval"]) for side in ("user", "item")]
    if self.uid_field is None or self.iid_field is None or not any(intervals):
        return
    if any(len(interval or []) > 1 for interval in intervals):
        self.logger.warning("More than one interval of interaction number are given!")
    kept = np.ones(len(self.inter_feat), dtype=bool)
    sides = []
    for field, name, interval in zip(
        (self.uid_field, self.iid_field), ("user_feat", "item_feat"), intervals, strict=True
    ):
        codes, tokens = coded(self.inter_feat[field].array)
        sides.append((field, name, interval, codes.astype(np.int32), tokens))
    while True:
        # Both are judged by the same counts, as in RecBole.
        banned = [
            _ban(self, field, name, tokens, codes[kept], interval) for field, name, interval, codes, tokens in sides
        ]
        if not any(found for _, found in banned):
            break
        for (illegal, _), (_, _, _, codes, _) in zip(banned, sides, strict=True):
            kept &= ~illegal[codes]
    if not kept.all():
        self.inter_feat = self.inter_feat[kept]


def _ban(
    dataset: Dataset, field: str, name: str, tokens: np.ndarray, codes: np.ndarray, interval: list | None
) -> tuple[np.ndarray, bool]:
    """Which codes occur an illegal number of times, and whether there are any; their feature rows are dropped.

    As in RecBole, a feature row without enough interactions goes too, and an interval that is not set bans nobody.
    """
    n_codes = max(1, len(tokens))
    if not interval:
        return np.zeros(n_codes, dtype=bool), False
    counts = np.bincount(codes, minlength=n_codes)
    illegal = (counts > 0) & ~dataset._within_intervals(counts, interval)
    found = bool(illegal.any())
    table = getattr(dataset, name)
    if table is not None:
        rows = pd.Index(tokens, dtype=object).get_indexer(table[field].to_numpy(dtype=object))
        known = rows >= 0
        dropped = np.where(known, illegal[rows] | (counts[rows] < interval[0][1]), interval[0][1] > 0)
        found |= bool(dropped.any())
        illegal[rows[dropped & known]] = True
        setattr(dataset, name, table[~dropped])
    return illegal, found


def _reset_index(self: Dataset) -> None:
    """Label the rows that are left from 0."""
    for name in self.feat_name_list:
        table = getattr(self, name)
        if table.empty:
            from recbole_llmdistill.data.dataset_check import filters_of

            raise InputError(
                f"{self.dataset_name}.{name.removesuffix('_feat')}: no row is left after the filters of the config "
                f"({filters_of(self.config)})"
            )
        setattr(self, name, table.reset_index(drop=True))


def _del_col(self: Dataset, feat: pd.DataFrame | Interaction, field: str) -> None:
    """Take a column out of a table, and its properties out of the data set."""
    if isinstance(feat, Interaction):
        feat.drop(column=field)
    else:
        del feat[field]
    for properties in (self.field2id_token, self.field2token_id, self.field2seqlen, self.field2source, self.field2type):
        properties.pop(field, None)


def _filter_kg_by_triple_num(self: KnowledgeBasedDataset) -> None:
    """Drop triples of entities and relations with too few or too many triples, until all that is left fits."""
    intervals = [self._parse_intervals_str(self.config[f"{side}_kg_num_interval"]) for side in ("entity", "relation")]
    if not any(intervals):
        return
    ends = [self.kg_feat[field].to_numpy(dtype=object) for field in (self.head_entity_field, self.tail_entity_field)]
    entities, entity_tokens = pd.factorize(np.concatenate(ends))
    heads, tails = np.split(entities, 2)
    relations, relation_tokens = pd.factorize(self.kg_feat[self.relation_field].to_numpy(dtype=object))
    kept = np.ones(len(self.kg_feat), dtype=bool)
    while True:
        before = kept.sum()
        ends_left = np.concatenate([heads[kept], tails[kept]])
        legal_entity = _legal(self, ends_left, len(entity_tokens), intervals[0])
        legal_relation = _legal(self, relations[kept], len(relation_tokens), intervals[1])
        kept &= legal_entity[heads] & legal_entity[tails] & legal_relation[relations]
        if kept.sum() == before:
            break
    self.kg_feat = self.kg_feat[kept]


def _legal(dataset: Dataset, codes: np.ndarray, n_codes: int, interval: list | None) -> np.ndarray:
    """Of each code, whether the number of times it occurs is allowed."""
    if not interval:
        return np.ones(n_codes, dtype=bool)
    return np.broadcast_to(dataset._within_intervals(np.bincount(codes, minlength=n_codes), interval), n_codes)


def _filter_link(self: KnowledgeBasedDataset) -> None:
    """Keep links of an item that has interactions to an entity that has triples, and interactions of such items."""
    items, entities = self._get_rec_item_token(), self._get_entity_token()
    links = {item: entity for item, entity in self.item2entity.items() if item in items and entity in entities}
    self.item2entity, self.entity2item = links, {entity: item for item, entity in links.items()}
    linked = self.inter_feat[self.iid_field].isin(list(links)).to_numpy()
    self.inter_feat = self.inter_feat[linked].reset_index(drop=True)


def tables_with(dataset: Dataset, field: str) -> list[str]:
    """Names of the tables that hold a field: the interactions' and the users' or items' own for their id."""
    if field in (dataset.uid_field, dataset.iid_field):
        own = "user_feat" if field == dataset.uid_field else "item_feat"
        return ["inter_feat"] if getattr(dataset, own) is None else ["inter_feat", own]
    source = dataset.field2source[field]
    return [f"{source if isinstance(source, str) else source.value}_feat"]


def install() -> None:
    """Give RecBole's data sets these methods."""
    for method in (
        _filter_nan_user_or_item,
        _remove_duplication,
        _filter_by_field_value,
        _filter_inter_by_user_or_item,
        _filter_by_inter_num,
        _reset_index,
        _del_col,
    ):
        replace(Dataset, method)
    replace(KnowledgeBasedDataset, _filter_kg_by_triple_num)
    replace(KnowledgeBasedDataset, _filter_link)
