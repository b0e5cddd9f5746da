"""``provenance.json``: where a data set comes from and what was done to it, so that it can be made again."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

import recbole_llmdistill
from recbole_llmdistill.dataset_converters.filters import Account, Filters
from recbole_llmdistill.dataset_converters.loading_filters import LeftOut
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import ITEM, TIME, USER, RawTables, Source
from recbole_llmdistill.dataset_converters.time_order import TIME_RANK
from recbole_llmdistill.dataset_converters.time_split import TimeSplit

FILE_NAME = "provenance.json"


def write_provenance(
    folder: Path,
    source: Source,
    files: RawFiles,
    tables: RawTables,
    filters: Filters,
    account: Account,
    split: TimeSplit | None,
    time_meaning: str,
    left_out: LeftOut,
) -> None:
    """Write the file.

    It holds no date of its own and no absolute path: the same files and flags give the same provenance.

    Args:
        folder: where to write it.
        source: reader of the publisher's format, with its options.
        files: what was read.
        tables: with the source's notes.
        filters: as given.
        account: what each filter removed.
        split: the paper's split, if asked for.
        time_meaning: what ``time_rank`` holds.
        left_out: what RecBole will leave out by the settings that were written.
    """
    log = account.interactions
    content: dict[str, Any] = {
        "source": source.name,
        "publisher": source.publisher,
        "options": source.model_dump(),
        "notes": tables.notes,
        "files": files.digests(),
        "filters": {
            name: value for name, value in dataclasses.asdict(filters).items() if value not in (None, 0, "keep")
        },
        "account": [dataclasses.asdict(step) for step in account.steps],
        "users": log[USER].n_unique(),
        "items": log[ITEM].n_unique(),
        "interactions": log.height,
        "left_out_in_training": {
            "users": left_out.users,
            "items": left_out.items,
            "interactions": left_out.interactions,
        },
        "fields": {TIME_RANK: time_meaning},
        "written_by": f"recbole-llmdistill {recbole_llmdistill.__version__}",
    }
    if TIME in log.columns:
        content["fields"][TIME] = (
            "seconds since 1970, UTC; RecBole would round them to float32, so it sorts by time_rank"
        )
        content["first_interaction"], content["last_interaction"] = map(
            iso_time, log.select(first=pl.col(TIME).min(), last=pl.col(TIME).max()).row(0)
        )
    if split:
        content["global_time_split"] = {
            "last_training_moment": iso_time(split.last_training_second),
            "interactions": dict(zip(("training", "validation", "test"), split.interactions, strict=True)),
            "recbole_targets": dict(zip(("training", "validation", "test"), split.targets, strict=True)),
        }
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def iso_time(second: float) -> str:
    """A moment as ``2015-03-31T06:40:02Z``."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
