"""What is in a data set: the figures that decide whether it is worth training on."""

import codecs
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from recbole_llmdistill.config.settings_file import check_settings_file
from recbole_llmdistill.data.atomic_check import AtomicText
from recbole_llmdistill.dataset_converters.loading_filters import count_left_out, describe_limits
from recbole_llmdistill.dataset_converters.provenance import FILE_NAME, iso_time
from recbole_llmdistill.dataset_converters.text_cleaning import READ_AS_MISSING
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.files.yaml_file import read_yaml

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

    The files are read as they lie on the disk; what the settings beside them leave out in training is one more figure.

    Raises:
        InputError: a file is no atomic file, or lacks the users or items.
    """
    name = folder.resolve().name
    path = folder / f"{name}.inter"
    settings = _settings(folder / f"{name}.yaml")
    user, item = settings.get("USER_ID_FIELD") or "user_id", settings.get("ITEM_ID_FIELD") or "item_id"
    log = scan_atomic_file(path, settings)
    _require(path, log, {"USER_ID_FIELD": user, "ITEM_ID_FIELD": item}, name)
    _check_rows(path, settings)
    with _explain_broken_file(path, settings):
        everything = log.select(pl.len(), pl.all().count().name.prefix("\0")).collect(engine="streaming").item(0, 0)
        log = log.filter(pl.col(user).is_not_null() & pl.col(item).is_not_null())
        lengths = log.group_by(user).len().collect(engine="streaming")["len"]
        counts = log.group_by(item).len().collect(engine="streaming")
        time_span = _time_span(log, folder)
        ids = pl.col(user, item).cast(pl.Categorical(pl.Categories.random()))
        left_out = count_left_out(log.select(ids).collect(engine="streaming"), user, item, settings)
    rows, users, items = int(lengths.sum()), len(lengths), counts.height
    if rows == 0:
        raise InputError(f"{path} has no interactions with a user and an item")
    figures = {
        "data set": str(folder),
        "users": f"{users:,}",
        "items": f"{items:,}",
        "interactions": f"{rows:,}",
        "density": f"{rows / (users * items):.4%}",
        "history length": _spread(lengths),
        "interactions of an item": _spread(counts["len"]),
        "users with 3 or more": f"{(lengths >= 3).sum() / len(lengths):.1%} (leave-one-out needs three)",
        "time span": time_span,
    }
    if everything > rows:
        figures["rows left out"] = f"{everything - rows:,} without a user or an item"
    if describe_limits(settings):
        figures["left out in training"] = f"{left_out} by {describe_limits(settings)}"
    if settings.get("val_interval"):
        figures["not counted here"] = f"val_interval: {settings['val_interval']}, which leaves out more"
    item_path = folder / f"{name}.item"
    if item_path.is_file():
        table = scan_atomic_file(item_path, settings)
        _require(item_path, table, {"ITEM_ID_FIELD": item}, name)
        _check_rows(item_path, settings)
        with _explain_broken_file(item_path, settings):
            figures |= _text_coverage(table.collect(), counts, item, settings)
    else:
        figures["item text"] = "no .item file"
    return figures


def scan_atomic_file(path: Path, settings: Mapping[str, Any]) -> pl.LazyFrame:
    """An atomic file with its columns under their plain names: ``float`` as numbers, all else as strings.

    Args:
        path: the file.
        settings: RecBole's, of which ``field_separator`` and ``encoding`` count.

    Raises:
        InputError: it cannot be read, is not in its encoding, or its first line names no typed columns.
    """
    text = _atomic_text(path, settings)
    header = text.header()
    content: Path | bytes = path
    if text.codec != "utf-8-sig":
        try:
            content = path.read_text(encoding=text.codec).encode()
        except UnicodeError as error:
            raise InputError(f"{path}: not {text.codec} text ({error}); set encoding") from error
    table = pl.scan_csv(
        content,
        separator=text.separator,
        quote_char=None,
        has_header=False,
        skip_rows=1,
        schema=dict.fromkeys(header, pl.String),
        missing_columns="insert",  # for polars the first row tells how many there are
    )
    numbers = [pl.col(name) for name, kind in header.items() if kind == "float"]
    return table.with_columns(
        pl.when(~number.is_in(READ_AS_MISSING)).then(number).str.strip_chars(" \r").cast(pl.Float64)
        for number in numbers
    )


def _atomic_text(path: Path, settings: Mapping[str, Any]) -> AtomicText:
    encoding, separator = settings.get("encoding") or "utf-8", settings.get("field_separator") or "\t"
    try:
        codecs.lookup(encoding)
    except (LookupError, TypeError) as error:
        raise InputError(f"encoding: {encoding!r} is not the name of one, e.g. utf-8 or cp1252") from error
    if not isinstance(separator, str) or len(separator.encode()) != 1:
        raise InputError(f"field_separator: {separator!r} is not one character; describe cannot read {path}")
    return AtomicText(path, encoding, separator)


def _require(path: Path, table: pl.LazyFrame, fields: dict[str, str], name: str) -> None:
    found = table.collect_schema().names()
    for key, field in fields.items():
        if field not in found:
            raise InputError(
                f"{path}: no column {field} ({key}), found {', '.join(found)}; set {key} in {name}.yaml beside it"
            )


@contextmanager
def _explain_broken_file(path: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Context in which what polars cannot read in an atomic file becomes an :class:`InputError` with its line."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        text = _atomic_text(path, settings)
        header = text.header()
        text.explain(header, header)
        problem = " ".join(re.split(r"\n\n|You might want|The current offset", str(error))[0].split())[:200]
        raise InputError(f"{path}: {problem}") from error


def _check_rows(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse rows that RecBole would read otherwise than they are counted here: short ones, and open quotes."""
    text = _atomic_text(path, settings)
    header = text.header()
    text.check_rows(header, header)


def _settings(path: Path) -> dict:
    if not path.is_file():
        return {}
    check_settings_file(path)
    return read_yaml(path)[1]


def _spread(lengths: pl.Series) -> str:
    parts = [f"{share:.0%}: {lengths.quantile(share, 'nearest'):,.0f}" for share in _QUANTILES]
    low, high = (lengths.quantile(share, "nearest") for share in (0, 1))
    return f"min {low:,.0f}   {'   '.join(parts)}   max {high:,.0f}   mean {lengths.sum() / len(lengths):,.1f}"


def _time_span(log: pl.LazyFrame, folder: Path) -> str:
    told = _told_by_provenance(folder / FILE_NAME)
    if told:
        return told
    if log.collect_schema().get("timestamp") != pl.Float64:
        return "no times"
    first, last = log.select(pl.min("timestamp"), pl.max("timestamp").alias("last")).collect(engine="streaming").row(0)
    if first is None:
        return "no times"
    try:
        moments = f"{iso_time(first)} to {iso_time(last)}"
    except (ValueError, OverflowError, OSError):
        return f"{first} to {last} (not seconds since 1970)"
    return moments if first >= _PLAUSIBLE_SECOND else f"{first} to {last} (ranks or offsets, not moments)"


def _told_by_provenance(path: Path) -> str | None:
    try:
        provenance = parse_json(path.read_text(encoding="utf-8"))
        return f"{provenance['first_interaction']} to {provenance['last_interaction']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None  # what it says can be found in the interactions, too


def _text_coverage(table: pl.DataFrame, counts: pl.DataFrame, item: str, settings: dict) -> dict[str, str]:
    """Of each item field that prompts use: share of items that have it, share of interactions, mean length."""
    fields = settings.get("profile_item_fields") or [column for column in table.columns if column != item]
    if not isinstance(fields, dict | list):
        raise InputError(f"profile_item_fields: {fields!r} is neither a list of fields nor field: label")
    # The first line of an item counts, as in RecBole.
    joined = counts.join(table.unique(item, keep="first", maintain_order=True), on=item, how="left")
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
