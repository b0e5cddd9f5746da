"""The yaml beside a data set: RecBole settings that fit its files, so ``run_recbole --dataset=NAME`` needs no flag."""

from pathlib import Path

import yaml

from recbole_llmdistill.dataset_converters.filters import Filters
from recbole_llmdistill.dataset_converters.source import RawTables, Source
from recbole_llmdistill.dataset_converters.time_split import TimeSplit
from recbole_llmdistill.files.resources import properties

_ANY_NUMBER = "[0,inf)"


def write_settings(
    path: Path,
    source: Source,
    tables: RawTables,
    written: dict[str, list[str]],
    filters: Filters,
    split: TimeSplit | None,
) -> dict:
    """Write what ``properties/dataset/converted/<source>.yaml`` says, restricted to the fields that the files have.

    These lie in a folder of their own, as RecBole offers data sets of some of these names with other fields.

    Args:
        path: file to write.
        source: whose yaml to take.
        tables: with settings of this very data set.
        written: fields of each atomic file, by its suffix.
        filters: as given; who has filtered by numbers of interactions wants no other such filter when loading.
        split: the paper's split, if asked for; its shares hold as long as nothing else is filtered.

    Returns:
        The settings.
    """
    template = properties("dataset", "converted", f"{source.name}.yaml").read_text(encoding="utf-8")
    settings = yaml.safe_load(template) | tables.settings
    settings["load_col"] = {
        suffix: [field for field in fields if field in written.get(suffix, [])]
        for suffix, fields in settings["load_col"].items()
    }
    for key, suffix in (("profile_item_fields", "item"), ("profile_interaction_fields", "inter")):
        fields = {name: label for name, label in (settings.get(key) or {}).items() if name in written.get(suffix, [])}
        settings[key] = fields or None
    if settings.get("RATING_FIELD") not in written["inter"]:
        settings.pop("RATING_FIELD", None)
    if filters.count_users_or_items or split:
        settings["user_inter_num_interval"] = settings["item_inter_num_interval"] = _ANY_NUMBER
    if split:
        settings |= split.settings
    head = (
        f"# RecBole settings of {path.stem}, written by `llmdistill convert {source.name}`.\n"
        f"# `run_recbole --dataset={path.stem}` reads them; your config files and --key=value count for more.\n"
    )
    body = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    path.write_text(head + body, encoding="utf-8")
    return settings
