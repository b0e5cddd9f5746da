"""What is in a data set: the figures that decide whether it is worth training on."""

import json
from pathlib import Path

import polars as pl
import yaml

from recbole_llmdistill.dataset_converters.provenance import FILE_NAME, iso_time
from recbole_llmdistill.errors import InputError

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_PLAUSIBLE_SECOND = 10**8
"""Times below this (1973) are ranks or offsets, not moments."""


def find_dataset(name: str, data_path: str | Path = "dataset/") -> Path:
    """Folder of a data set, given by path or by its name in ``data_path``; RecBole's own ml-100k too.

    Raises:
        InputError: there is no such data set.
    """
    folders = [Path(data_path) / name, Path(name)]
    if name == "ml-100k":
        import recbole

        folders = [Path(recbole.__file__).parent / "dataset_example" / name]
    for folder in folders:
        if (folder / f"{folder.resolve().name}.inter").is_file():
            return folder
    raise InputError(f"no data set {name}: looked for {' and '.join(str(f / f'{f.name}.inter') for f in folders)}")


def describe(folder: Path) -> dict[str, str]:
    """Figures of the data set, by their label, in the order in which to print them.

    The files are read as they lie on the disk: filters in RecBole's settings are not applied.
    """
    name = folder.resolve().name
    settings = _settings(folder / f"{name}.yaml")
    user, item = settings.get("USER_ID_FIELD", "user_id"), settings.get("ITEM_ID_FIELD", "item_id")
    log = scan_atomic_file(folder / f"{name}.inter")
    lengths = log.group_by(user).len().collect(engine="streaming")["len"]
    counts = log.group_by(item).len().collect(engine="streaming")
    rows, users, items = int(lengths.sum()), len(lengths), counts.height
    if rows == 0:
        raise InputError(f"{folder / name}.inter has no interactions")
    figures = {
        "data set": str(folder),
        "users": f"{users:,}",
        "items": f"{items:,}",
        "interactions": f"{rows:,}",
        "density": f"{rows / (users * items):.4%}",
        "history length": _spread(lengths),
        "interactions of an item": _spread(counts["len"]),
        "users with 3 or more": f"{(lengths >= 3).mean():.1%} (leave-one-out needs three)",
        "time span": _time_span(log, folder),
    }
    if (folder / f"{name}.item").is_file():
        figures |= _text_coverage(scan_atomic_file(folder / f"{name}.item").collect(), counts, item, settings)
    else:
        figures["item text"] = "no .item file"
    return figures


def scan_atomic_file(path: Path) -> pl.LazyFrame:
    """An atomic file with its columns under their plain names: ``float`` as numbers, all else as strings."""
    with open(path, encoding="utf-8") as file:
        head = file.readline().rstrip("\n").split("\t")
    if not all(":" in column for column in head):
        raise InputError(f"{path}: the first line must name columns as name:type, e.g. user_id:token; found {head}")
    schema = {
        column.rsplit(":", 1)[0]: pl.Float64 if column.rsplit(":", 1)[1] == "float" else pl.String for column in head
    }
    return pl.scan_csv(path, separator="\t", quote_char=None, has_header=False, skip_rows=1, schema=schema)


def _settings(path: Path) -> dict:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def _spread(lengths: pl.Series) -> str:
    parts = [f"{share:.0%}: {lengths.quantile(share, 'nearest'):,.0f}" for share in _QUANTILES]
    return f"min {lengths.min():,}   {'   '.join(parts)}   max {lengths.max():,}   mean {lengths.mean():,.1f}"


def _time_span(log: pl.LazyFrame, folder: Path) -> str:
    if (folder / FILE_NAME).is_file():
        provenance = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        if "first_interaction" in provenance:
            return f"{provenance['first_interaction']} to {provenance['last_interaction']}"
    if "timestamp" not in log.collect_schema().names():
        return "no times"
    first, last = log.select(pl.min("timestamp"), pl.max("timestamp").alias("last")).collect().row(0)
    if first is None or first < _PLAUSIBLE_SECOND:
        return f"{first} to {last} (ranks or offsets, not moments)"
    return f"{iso_time(first)} to {iso_time(last)}"


def _text_coverage(table: pl.DataFrame, counts: pl.DataFrame, item: str, settings: dict) -> dict[str, str]:
    """Of each item field that prompts use: share of items that have it, share of interactions, mean length."""
    fields = settings.get("profile_item_fields") or [column for column in table.columns if column != item]
    joined = counts.join(table.with_columns(pl.col(item)), on=item, how="left")
    coverage = {}
    for field in fields:
        if field not in joined.columns:
            coverage[f"item field {field}"] = "not in the .item file"
            continue
        text = pl.col(field).cast(pl.String).str.strip_chars()
        has = text.is_not_null() & (text != "")
        items, interactions, words = joined.select(
            has.mean().alias("items"),
            (has * pl.col("len")).sum() / pl.col("len").sum().alias("interactions"),
            text.filter(has).str.split(" ").list.len().mean().alias("words"),
        ).row(0)
        coverage[f"item field {field}"] = (
            f"{items:.1%} of items, {interactions:.1%} of interactions, {words or 0:.1f} words on average"
        )
    return coverage
