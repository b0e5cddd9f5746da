"""Whether RecBole can load a data set with these settings, before it tries; and why it could not, if it has tried."""

import difflib
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.utils import EvaluatorType, ModelType

from recbole_llmdistill.config.recbole_settings import parse_intervals
from recbole_llmdistill.data.atomic_check import AtomicText
from recbole_llmdistill.errors import InputError

_BYTE_ORDER_MARK = "utf-8-sig"
_FILTERS = (
    *("val_interval", "user_inter_num_interval", "item_inter_num_interval", "rm_dup_inter"),
    "filter_inter_by_user_or_item",
)


@dataclass(frozen=True)
class _File:
    """A file that RecBole will load.

    Attributes:
        suffix: ``inter``, ``item``, ``user`` or an additional one.
        text: the file.
        header: type of each column.
        loaded: the columns that ``load_col`` and ``unload_col`` leave.
    """

    suffix: str
    text: AtomicText
    header: dict[str, str]
    loaded: list[str]


def check_dataset(config: Config) -> None:
    """Refuse a data set that RecBole cannot load with this config.

    Args:
        config: RecBole's config.

    Raises:
        InputError: names file, line, columns found, and the setting to change.
    """
    _check_folder(config)
    pass_over_marks(config)
    if None in _needed_fields(config, "inter"):
        raise InputError("USER_ID_FIELD, ITEM_ID_FIELD and TIME_FIELD: set all of them to names of columns")
    files = list(_files(config))
    _check_columns(config, files)
    for file in files:
        file.text.check_rows(file.header, file.loaded)


def pass_over_marks(config: Config) -> None:
    """Where a file begins with UTF-8's byte order mark, set ``encoding`` so that all readers pass over it."""
    for path in Path(config["data_path"]).glob(f"{glob.escape(config['dataset'])}.*"):
        if path.is_file() and os.access(path, os.R_OK) and AtomicText(path, config["encoding"]).has_mark():
            config["encoding"] = _BYTE_ORDER_MARK


def explain_failure(config: Config, error: Exception) -> InputError:
    """What the user can fix about a data set that RecBole has failed to load."""
    try:
        check_dataset(config)
        for file in _files(config):
            file.text.explain(file.header, file.loaded)
    except InputError as problem:
        return problem
    reason = " ".join(str(error).split())[:300]
    if not isinstance(error, ValueError) or not reason:
        reason = f"{type(error).__name__}: {reason}"
    return InputError(f"data set {config['dataset']!r} in {config['data_path']} cannot be loaded: {reason}")


def check_rows_left(config: Config, rows: int) -> None:
    """Refuse a data set of which the filters leave nothing.

    Raises:
        InputError: names the filters that are set.
    """
    if not rows:
        raise InputError(
            f"{config['dataset']}.inter: no row is left after the filters of the config ({filters_of(config)})"
        )


def filters_of(config: Config) -> str:
    """The filters that are set; the last one keeps the users and items of the ``.user`` and ``.item`` file alone."""
    return ", ".join(f"{key}={config[key]!r}" for key in _FILTERS if config[key] not in (None, "[0,inf)"))


def check_training_part(config: Config, rows: int) -> None:
    """Refuse a split without anything to train on.

    Raises:
        InputError: says how much is needed.
    """
    if rows:
        return
    if config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
        reason = "a sequential model needs users with two interactions or more, and three for a validation item"
    else:
        reason = "each user has too few interactions for it"
    raise InputError(
        f"data set {config['dataset']!r}: eval_args and filters ({filters_of(config)}) leave nothing for training; "
        f"{reason}"
    )


def check_catalogue(config: Config, items: int) -> None:
    """Refuse lists that are longer than the catalogue.

    Raises:
        InputError: names ``topk`` and the number of items.
    """
    longest = max(config["topk"])
    if config["eval_type"] == EvaluatorType.RANKING and longest > items + 1:  # RecBole ranks the padding item, too
        raise InputError(
            f"topk={config['topk']}: data set {config['dataset']!r} has {items} items, so no list is {longest} long; "
            f"set topk to at most {items}"
        )


def _check_folder(config: Config) -> None:
    name, folder = config["dataset"], Path(config["data_path"])
    if _has_interactions(folder, name):
        return
    if (folder / f"{name}.inter").exists():
        raise InputError(f"{folder / name}.inter: is no file")
    if folder.is_dir():
        raise InputError(f"data set {name!r}: there is no {name}.inter in {folder}")
    if folder.exists():
        raise InputError(f"data set {name!r}: {folder} is no folder")
    asking = SimpleNamespace(config=config, dataset_name=name)  # the method's self; a data set would start loading
    if Dataset._get_download_url(asking, "url", allow_none=True) is None:
        raise InputError(
            f"data set {name!r}: there is no folder {folder}, and RecBole does not download a data set of that name; "
            f"put {name}.inter there, or set data_path to the folder above it"
        )


def _has_interactions(folder: Path, name: str) -> bool:
    parts = folder.glob(f"{glob.escape(name)}.*.inter")  # of benchmark_filename
    return (folder / f"{name}.inter").is_file() or any(parts)


def _files(config: Config) -> Iterator[_File]:
    name, folder = config["dataset"], Path(config["data_path"])
    if not folder.is_dir():  # RecBole will download it
        return
    parts = config["benchmark_filename"]
    for part in [""] if parts is None else parts:
        path = folder / (f"{name}.{part}.inter" if part else f"{name}.inter")
        if not path.is_file():
            found = ", ".join(sorted(file.name for file in folder.glob(f"{glob.escape(name)}*.inter")))
            at = f"benchmark_filename={parts!r}" if part else "without benchmark_filename"
            raise InputError(f"{path}: no such file, and it is needed {at}; found: {found}")
        yield _file(config, path, "inter")
    for suffix in ("user", "item", *(config["additional_feat_suffix"] or [])):
        path = folder / f"{name}.{suffix}"
        if path.exists() and (config["load_col"] is None or config["load_col"].get(suffix)):
            yield _file(config, path, suffix)


def _file(config: Any, path: Path, suffix: str) -> _File:
    text = AtomicText(path, config["encoding"], config["field_separator"], sequence_separator=config["seq_separator"])
    header = text.header()
    wanted = None if config["load_col"] is None else config["load_col"].get(suffix, [])
    unwanted = (config["unload_col"] or {}).get(suffix) or []
    for key, names in (("load_col", [] if wanted in (None, "*") else wanted), ("unload_col", unwanted)):
        if missing := [name for name in names if name not in header]:
            _refuse_unknown_column(config, path, suffix, header, key, missing[0])
    loaded = [name for name in header if (wanted in (None, "*") or name in wanted) and name not in unwanted]
    return _File(suffix, text, header, loaded)


def _refuse_unknown_column(
    config: Config, path: Path, suffix: str, header: dict[str, str], key: str, name: str
) -> None:
    for field in _needed_fields(config, suffix):  # then the column's name is what is wrong
        if field == config[_key_of(config, field)] and field not in header:
            raise _no_column(path, header, _key_of(config, field), field)
    nearest = difflib.get_close_matches(name, header, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise InputError(f"{key}: {suffix} has the column {name!r}, which {path} lacks{hint}; {_found(header)}")


def _needed_fields(config: Config, suffix: str) -> list[str]:
    if suffix == "user":
        return [config["USER_ID_FIELD"]]
    if suffix == "item":
        return [config["ITEM_ID_FIELD"]]
    if suffix != "inter":
        return []
    by_time = config["MODEL_TYPE"] == ModelType.SEQUENTIAL or config["eval_args"]["order"] == "TO"
    needs_time = by_time and config["benchmark_filename"] is None
    return [config["USER_ID_FIELD"], config["ITEM_ID_FIELD"], *([config["TIME_FIELD"]] if needs_time else [])]


def _key_of(config: Config, field: str) -> str:
    return next(key for key in ("USER_ID_FIELD", "ITEM_ID_FIELD", "TIME_FIELD") if config[key] == field)


def _check_columns(config: Config, files: list[_File]) -> None:
    for file in files:
        for field in _needed_fields(config, file.suffix):
            key = _key_of(config, field)
            if field not in file.header:
                raise _no_column(file.text.path, file.header, key, field)
            kind = "float" if key == "TIME_FIELD" else "token"
            if file.header[field] != kind:
                raise InputError(
                    f"{file.text.path}, line 1: column {field} ({key}) is of type {file.header[field]}; "
                    f"it must be {kind}"
                )
            if field not in file.loaded:
                left_out = "unload_col takes away" if config["load_col"] is None else "load_col leaves out"
                wanted = {*file.loaded, *_needed_fields(config, file.suffix)}
                raise InputError(
                    f"{left_out} the column {field} ({key}) of {file.text.path}; set e.g. "
                    f"load_col={{'{file.suffix}': {[name for name in file.header if name in wanted]}}}"
                )
    if config["benchmark_filename"] is not None:
        _check_parts(config, [file for file in files if file.suffix == "inter"])
    if files:
        loaded = {name: file.header[name] for file in files for name in file.loaded}
        _check_named_columns(config, loaded)
        _check_label(config, loaded)


def _no_column(path: Path, header: dict[str, str], key: str, field: str) -> InputError:
    return InputError(
        f"{path}, line 1: no column {field!r}, which {key} names; {_found(header)}; rename the column, or set {key} "
        f"(--{key}=NAME), and load_col accordingly"
    )


def _found(header: dict[str, str]) -> str:
    columns = ", ".join(f"{name}:{kind}" for name, kind in header.items())
    return f"columns found: {columns if len(columns) <= 200 else columns[:197] + '...'}"


def _check_parts(config: Config, parts: list[_File]) -> None:
    for part in parts[1:]:
        if part.loaded != parts[0].loaded:
            raise InputError(
                f"{part.text.path}, line 1: other columns than {parts[0].text.path.name}; {_found(part.header)}"
            )
    field = config["ITEM_ID_FIELD"] + config["LIST_SUFFIX"]
    if config["MODEL_TYPE"] != ModelType.SEQUENTIAL:
        return
    for part in parts:
        if part.header.get(field) != "token_seq":
            raise InputError(
                f"{part.text.path}, line 1: no column {field}:token_seq, the items before each; {_found(part.header)}; "
                "files of benchmark_filename hold ready-made rows: leave it out to have plain interactions split"
            )
        if field not in part.loaded:
            raise InputError(f"load_col leaves out the column {field} of {part.text.path}; add it to load_col's inter")
    aliases = config["alias_of_item_id"] or []
    if field not in aliases:
        raise InputError(f"benchmark_filename: set alias_of_item_id=['{field}'], or its items are numbered apart")


def _check_named_columns(config: Config, loaded: dict[str, str]) -> None:
    for key in ("val_interval", "threshold", "normalize_field"):
        for field in config[key] or []:
            if field not in loaded:
                nearest = difflib.get_close_matches(field, loaded, n=1)
                hint = f"did you mean {nearest[0]}? " if nearest else ""
                raise InputError(
                    f"{key}: no column {field!r} is loaded; {hint}loaded are {', '.join(loaded)} (load_col)"
                )
    for field, interval in (config["val_interval"] or {}).items():
        _check_value_interval(field, loaded[field], interval)


def _check_label(config: Config, loaded: dict[str, str]) -> None:
    """Context-aware models learn from labels, and metrics of values compare with them."""
    sampled = config["train_neg_sample_args"]["distribution"] != "none"
    trained = config["MODEL_TYPE"] == ModelType.CONTEXT and not sampled
    measured = config["eval_type"] == EvaluatorType.VALUE and "labeled" in config["eval_args"]["mode"].values()
    if (trained or measured) and config["LABEL_FIELD"] not in loaded and config["threshold"] is None:
        raise InputError(
            f"LABEL_FIELD: no column {config['LABEL_FIELD']!r} is loaded, and no threshold makes one of a column, e.g. "
            f"threshold={{'rating': 3}}, loaded are {', '.join(loaded)}"
        )


def _check_value_interval(field: str, kind: str, interval: Any) -> None:
    if "float" not in kind:
        if not isinstance(interval, (list, tuple)):
            raise InputError(f"val_interval: {field} is of type {kind}; give a list of the values to keep")
        return
    try:
        interval = str(interval) if isinstance(interval, (list, tuple)) else interval
        if not isinstance(interval, str):
            raise ValueError(f"{interval!r} is no interval; write e.g. '[3,inf)'")
        parse_intervals(interval)
    except ValueError as error:
        raise InputError(f"val_interval: {field}: {error}") from error
