"""What an LLM is shown of an interaction beside its item: ratings, events, prices, quantities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.profiles.history.days import days_of
from recbole_llmdistill.profiles.history.item_text import MISSING, chosen_fields, clean, format_number, shorten

if TYPE_CHECKING:
    from recbole.config import Config

TIMESTAMP = "timestamp"
"""The field of true times that `llmdistill convert` writes beside the order that RecBole sorts by."""
_USES_OF_A_VALUE = 5
"""A token that fewer interactions share on average is an id (of an order, a session), which tells an LLM nothing."""


@dataclass(frozen=True)
class FieldColumn:
    """An interaction field: ``values[codes[i]]`` belongs to interaction ``i``; ``numeric``: they are numbers."""

    label: str
    codes: np.ndarray
    values: list[str]
    numeric: bool = False
    field: str = ""


@dataclass(frozen=True)
class InteractionColumns:
    """Which fields of the ``.inter`` file are shown.

    Attributes:
        fields: field -> label.
        by_name: whether the config names them; else those that tell nothing are left out.
        time_fields: where times may stand.
        scaled_time: RecBole scales its time to [0, 1].
        text_length: most characters of a value.
    """

    fields: Mapping[str, str]
    by_name: bool
    time_fields: tuple[str, ...]
    scaled_time: bool
    text_length: int

    def dataset(self, config: "Config") -> Any:
        """The data set of the config's model, whose shown numbers are left empty where the file has none."""
        import recbole.data.dataset

        base = getattr(recbole.data.dataset, f"{config['model']}Dataset")
        numbers = [*self.fields, *self.time_fields]
        config["sequence_data_cache"] = False  # it would hold data with gaps, which must not reach a training

        class ShownDataset(base):  # type: ignore[valid-type, misc]  # a model's own, known when it runs
            """RecBole fills gaps with the mean of the column: a value that nobody gave."""

            def _fill_nan(self) -> None:
                kept = [
                    field for field in numbers if field in self.inter_feat and self.field2type[field].value == "float"
                ]
                gaps = {field: self.inter_feat[field].isna().to_numpy() for field in kept}
                super()._fill_nan()
                for field, gap in gaps.items():
                    if gap.any() and field != self.time_field:
                        self.inter_feat.loc[self.inter_feat.index[gap], field] = np.nan

            def _normalize(self) -> None:
                time = self.inter_feat[self.time_field] if self.time_field in self.inter_feat else np.zeros(1)
                self.time_range = float(np.min(time)), float(np.max(time))
                super()._normalize()

        return ShownDataset(config)

    def columns(self, training_part: Any) -> tuple[list[FieldColumn], list[str]]:
        """The shown columns, and notes on those left out."""
        columns, notes = [], []
        for field, label in self.fields.items():
            values = training_part.sorted_interactions[field].numpy()
            tokens = training_part.field2id_token.get(field)
            if not self.by_name and (reason := _tells_nothing(values, tokens)):
                notes.append(f"{field} of .inter: left out, {reason} (profile_interaction_fields: [{field}] shows it)")
            else:
                columns.append(self._column(field, label, values, tokens))
        return columns, notes

    def times(self, training_part: Any) -> Iterator[np.ndarray]:
        """What may be the interactions' times, ``[N]`` float64; first RecBole's own time."""
        for field in self.time_fields:
            if field in training_part.sorted_interactions.columns:
                times = training_part.sorted_interactions[field].numpy().astype(np.float64)
                if field == training_part.time_field and self.scaled_time:
                    least, most = training_part.time_range
                    times = least + times * (most - least)
                yield times

    def _column(self, field: str, label: str, values: np.ndarray, tokens: np.ndarray | None) -> FieldColumn:
        if tokens is not None:
            names = [shorten(clean(token), self.text_length) if code else MISSING for code, token in enumerate(tokens)]
            return FieldColumn(label, values.astype(np.int32), names, field=field)
        distinct, codes = np.unique(values, return_inverse=True)
        return FieldColumn(label, codes.astype(np.int32), [format_number(value) for value in distinct], True, field)


def choose_interaction_columns(config: "Config") -> InteractionColumns:
    """Make RecBole load what is shown of ``.inter``, and not scale it to [0, 1]; the split stays what it is.

    The time must stay scaled where the config says so: as float32, seconds since 1970 have ties that scaled ones have
    not, and the order of a user's interactions would be another one.

    Raises:
        InputError: ``profile_interaction_fields`` names what cannot be shown.
    """
    header = AtomicFile.of(config, "inter").header()
    time = config["TIME_FIELD"]
    known = (config["USER_ID_FIELD"], config["ITEM_ID_FIELD"], time)
    showable = [name for name, kind in header.items() if name not in known and kind in ("token", "float")]
    setting = config["profile_interaction_fields"]
    times = tuple(dict.fromkeys(name for name in (time, TIMESTAMP) if header.get(name) == "float"))
    fields = chosen_fields(setting, [name for name in showable if name not in times])
    if unknown := [field for field in fields if field not in showable]:
        raise InputError(
            f"profile_interaction_fields: {unknown[0]!r} cannot be shown; possible in {config['dataset']}.inter: "
            f"{', '.join(showable) or 'none'}"
        )
    loaded = (config["load_col"] or {}).get("inter", [])
    if config["load_col"] is None or loaded == "*":
        loaded = list(header)
    loaded = list(dict.fromkeys([*loaded, *fields, *times]))
    if config["load_col"] is not None:
        config["load_col"] = {**config["load_col"], "inter": loaded}
    floats = [field for field in loaded if header.get(field) in ("float", "float_seq")]
    scaled = floats if config["normalize_all"] else config["normalize_field"] or []
    raw = {*fields, *times} - {time}
    config["normalize_all"] = False
    config["normalize_field"] = [field for field in scaled if field not in raw]
    return InteractionColumns(fields, setting is not None, times, time in scaled, config["profile_text_length"])


def _tells_nothing(values: np.ndarray, tokens: np.ndarray | None) -> str:
    """Why a column is not shown unless it is named; empty: it is shown."""
    if tokens is None:
        known = values[~np.isnan(values)]
        distinct = len(np.unique(known))
        if days_of(known) is not None:
            return "as it is a time"
    else:
        distinct = len(np.unique(values[values > 0]))
        if distinct > 1 and len(values) < _USES_OF_A_VALUE * distinct:
            return f"as its {distinct:,} values look like ids"
    return "" if distinct > 1 else "as it is the same in all interactions"
