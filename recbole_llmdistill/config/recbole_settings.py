"""RecBole's own settings, checked before anything is loaded: RecBole refuses them late, by a traceback, or never.

Its defaults say which type a setting has; :class:`RecBoleSettings` what is allowed beyond that, and
:mod:`recbole_llmdistill.config.evaluation_settings` how results are measured.
"""

import codecs
import importlib.util
import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from recbole.utils import ModelType

from recbole_llmdistill.config.evaluation_settings import check_evaluation
from recbole_llmdistill.config.settings import describe_problem, fields
from recbole_llmdistill.errors import InputError

_GPU_IDS = re.compile(r"|-1|\d+(,\s*\d+)*,?|(GPU|MIG)-[\w/-]+(,(GPU|MIG)-[\w/-]+)*")
_LISTS_OR_ONE = ("metrics", "topk", "additional_feat_suffix", "reg_weight")  # one value stands for a list of it
# Models of RecBole differ in these, or they are looked at below.
_ANY_TYPE = ("gpu_id", "std", "reg_weight", "reranker_CAN_NUM", "user_inter_num_interval", "item_inter_num_interval")


def _without_numpy(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _one_of(*names: str) -> BeforeValidator:
    """A validator of RecBole's names in any case; the error lists them as a literal's does."""
    return BeforeValidator(lambda value: value.lower() if isinstance(value, str) and value.lower() in names else value)


def _interval(value: Any) -> Any:
    if isinstance(value, (list, tuple)):  # [5,10] on the command line; RecBole makes a text of it
        value = str(value)
    if isinstance(value, str):
        parse_intervals(value)
    return value


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ValueError("no encoding of that name is known; expected e.g. utf-8 or latin-1") from error
    return name


Count = Annotated[int, BeforeValidator(_without_numpy), Field(ge=1)]
Whole = Annotated[int, BeforeValidator(_without_numpy), Field(ge=0)]
Number = Annotated[float, BeforeValidator(_without_numpy), Field(ge=0, allow_inf_nan=False)]
Interval = Annotated[str, BeforeValidator(_interval)]
Learner = Literal["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]


class RecBoleSettings(BaseModel):
    """What is allowed of the settings that many models have; those that a config lacks are not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)

    seed: Annotated[Whole, Field(lt=2**32)] = 0
    state: Annotated[LogLevel | None, _one_of("debug", "info", "warning", "error", "critical")] = None
    worker: Whole = 0
    checkpoint_dir: str | os.PathLike = ""
    data_path: str | os.PathLike = ""
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None

    epochs: Whole = 0
    train_batch_size: Count = 1
    eval_batch_size: Count = 1
    learner: Annotated[Learner, _one_of("adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam")] = "adam"
    learning_rate: Number = 0
    weight_decay: Number | None = None
    eval_step: Whole = 0
    stopping_step: Whole = 0
    loss_decimal_place: Whole = 0
    metric_decimal_place: Whole = 0
    clip_grad_norm: dict[str, Any] | None = None

    valid_metric: str = ""
    transform: Literal["mask_itemseq", "inverse_itemseq", "crop_itemseq", "reorder_itemseq", "user_defined"] | None = (
        None
    )
    USER_ID_FIELD: str | None = None
    ITEM_ID_FIELD: str | None = None
    TIME_FIELD: str | None = None
    field_separator: Annotated[str, Field(min_length=1)] = "\t"
    seq_separator: Annotated[str, Field(min_length=1)] = " "
    load_col: dict[str, Any] | None = None
    unload_col: dict[str, Any] | None = None
    benchmark_filename: list[str] | None = None
    rm_dup_inter: Literal["first", "last", False] | None = None
    val_interval: dict[str, Any] | None = None
    threshold: dict[str, float] | None = None
    unused_col: dict[str, list[str]] | None = None
    seq_len: dict[str, Count] | None = None
    preload_weight: dict[str, str] | None = None
    alias_of_user_id: list[str] | None = None
    alias_of_item_id: list[str] | None = None
    alias_of_entity_id: list[str] | None = None
    alias_of_relation_id: list[str] | None = None
    LIST_SUFFIX: Annotated[str, Field(min_length=1)] = "_list"
    NEG_PREFIX: Annotated[str, Field(min_length=1)] = "neg_"
    normalize_field: list[str] | None = None
    user_inter_num_interval: Interval | None = None
    item_inter_num_interval: Interval | None = None
    entity_kg_num_interval: Interval | None = None
    relation_kg_num_interval: Interval | None = None
    MAX_ITEM_LIST_LENGTH: Count = 1

    hidden_size: Count = 1
    inner_size: Count = 1
    embedding_size: Count = 1
    n_layers: Count = 1
    num_layers: Count = 1
    n_heads: Count = 1
    hidden_act: Literal["gelu", "relu", "swish", "tanh", "sigmoid"] = "gelu"
    layer_norm_eps: Annotated[Number, Field(gt=0)] = 1e-12
    initializer_range: Number = 0
    mask_ratio: Annotated[Number, Field(gt=0, le=1)] = 1
    ft_ratio: Annotated[Number, Field(le=1)] = 0


def check_settings(
    final: Mapping[str, Any], given: Iterable[str], defaults: Mapping[str, Any], model_class: type | None
) -> None:
    """Refuse values that RecBole cannot run with.

    Args:
        final: settings of a RecBole config, before or after RecBole has completed them.
        given: keys that the user gave.
        defaults: RecBole's and ours.
        model_class: of the model, if there is one.

    Raises:
        InputError: names the key, its value, and what is allowed.
    """
    for key in given:
        if key in final and key in defaults and key not in fields() and key not in _ANY_TYPE:
            _check_type(key, final[key], defaults[key])
    values = {key: final[key] for key in RecBoleSettings.model_fields if key in final}
    try:
        RecBoleSettings(**values)
    except ValidationError as error:
        raise InputError(describe_problem(error.errors()[0])) from error
    _check_gpu_id(final.get("gpu_id"))
    _check_model(final, model_class)
    _check_clipping(final.get("clip_grad_norm"))
    _check_negative_samples(final.get("train_neg_sample_args"))
    _check_columns(final)
    if final.get("log_wandb") and importlib.util.find_spec("wandb") is None:
        raise InputError("log_wandb=True needs wandb, which is not installed: pip install wandb")
    check_evaluation(final)


def parse_intervals(text: str) -> list[tuple[float, float]]:
    """Ends of RecBole's intervals, ``[A,B]``, ``[A,B)``, ``(A,B]`` or ``(A,B)``, several separated by semicolons.

    Raises:
        ValueError: it is no such text; RecBole passes over an interval that it does not understand.
    """
    pairs = []
    for part in text.split(";"):
        found = re.fullmatch(r"\s*([\[(])([^,]*),([^,]*)([\])])\s*", part)
        try:
            low, high, closed = (
                (float(found[2]), float(found[3]), found[1] + found[4]) if found else (math.nan, math.nan, "")
            )
        except ValueError:
            low, high, closed = math.nan, math.nan, ""
        if not low <= high or (low == high and closed != "[]"):
            raise ValueError(f"{part.strip()!r} is no interval of numbers; write e.g. '[5,inf)'")
        pairs.append((low, high))
    return pairs


def _check_type(key: str, value: Any, default: Any) -> None:
    value = _without_numpy(value)
    if value is None or default is None:
        return
    expected = ""
    if isinstance(default, bool):
        if not isinstance(value, bool) and value not in (0, 1):
            expected = "True or False"
    elif isinstance(default, (int, float)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            expected = "a number"
        elif "drop" in key and not 0 <= value < 1:
            expected = "a probability, from 0 to below 1"
    elif isinstance(default, list):
        if not isinstance(value, (list, tuple)) and key not in _LISTS_OR_ONE:
            expected = "a list"
    elif isinstance(default, dict):
        if not isinstance(value, dict):
            expected = "a dictionary"
    elif isinstance(default, str) and not isinstance(value, (str, os.PathLike)) and key not in _LISTS_OR_ONE:
        expected = "a text"
    if expected:
        raise InputError(f"{key}={value!r}: expected {expected}, as in the default {default!r}")


def _check_gpu_id(value: Any) -> None:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value if value is not None else "")
    if not _GPU_IDS.fullmatch(text):
        raise InputError(f"gpu_id={value!r}: expected numbers of GPUs separated by commas, as 0 or 0,1, or nothing")


def _check_model(final: Mapping[str, Any], model_class: type | None) -> None:
    heads, size = final.get("n_heads"), final.get("hidden_size")
    if heads and size and size % heads:
        fitting = [str(number) for number in range(1, size + 1) if size % number == 0 and number <= 16]
        raise InputError(
            f"n_heads={heads} does not divide hidden_size={size}, which the heads share; possible: {', '.join(fitting)}"
        )
    loss = final.get("loss_type")
    if final.get("MODEL_TYPE") == ModelType.SEQUENTIAL and loss is not None and loss not in ("CE", "BPR"):
        raise InputError(f"loss_type={loss!r}: expected CE (all items) or BPR (sampled ones)")
    negatives = final.get("train_neg_sample_args")
    samples = _samples(negatives) and not hasattr(model_class, "input_type")  # SINE is given pairs whatever its loss
    if final.get("MODEL_TYPE") == ModelType.SEQUENTIAL and loss == "CE" and samples:
        raise InputError("loss_type=CE counts all items, without sampled negatives; set train_neg_sample_args=None")
    if not str(final.get("teacher", "")).isidentifier() and "teacher" in final:  # RecBole's KD_DAGFM runs it as code
        raise InputError(f"teacher={final['teacher']!r}: expected the name of a model")


def _samples(arguments: Any) -> bool:
    return isinstance(arguments, dict) and arguments.get("distribution", "uniform") not in (None, "None", "none")


def _check_clipping(arguments: Any) -> None:
    if arguments is None:
        return
    unknown = set(arguments) - {"max_norm", "norm_type", "error_if_nonfinite", "foreach"}
    norm = arguments.get("max_norm")
    if unknown or isinstance(norm, bool) or not isinstance(norm, (int, float)) or not norm > 0:
        raise InputError(f"clip_grad_norm={arguments!r}: expected e.g. {{'max_norm': 0.5}}")


def _check_negative_samples(arguments: Any) -> None:
    if not isinstance(arguments, dict):
        if arguments not in (None, "None"):
            raise InputError(f"train_neg_sample_args={arguments!r}: expected a dictionary, or None")
        return
    allowed = ("distribution", "sample_num", "alpha", "dynamic", "candidate_num")
    if unknown := [key for key in arguments if key not in allowed]:
        raise InputError(f"train_neg_sample_args: unknown key {unknown[0]!r}; known: {', '.join(allowed)}")
    distribution, number = arguments.get("distribution", "uniform"), arguments.get("sample_num", 1)
    if not _samples(arguments):
        return
    if distribution not in ("uniform", "popularity"):
        raise InputError(f"train_neg_sample_args: distribution {distribution!r} is none of uniform, popularity")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError(f"train_neg_sample_args: sample_num {number!r} is no whole number above 0")


def _check_columns(final: Mapping[str, Any]) -> None:
    for key in ("load_col", "unload_col"):
        for suffix, columns in (final.get(key) or {}).items():
            if columns is not None and columns != "*" and not _is_list_of_texts(columns):
                raise InputError(
                    f"{key}: {suffix} is {columns!r}; expected a list of columns, e.g. {{'inter': ['user_id']}}"
                )
    suffixes = final.get("additional_feat_suffix")
    if suffixes is not None and not isinstance(suffixes, str) and not _is_list_of_texts(suffixes):
        raise InputError(f"additional_feat_suffix={suffixes!r}: expected a list of suffixes, e.g. ['kg','link']")
    both = [suffix for suffix in final.get("load_col") or {} if (final.get("unload_col") or {}).get(suffix)]
    if both and final["load_col"][both[0]] != "*":
        raise InputError(f"load_col and unload_col both name columns of .{both[0]}; keep one of them")
    parts = final.get("benchmark_filename")
    if parts is not None and len(parts) != 3:
        raise InputError(f"benchmark_filename={parts!r}: expected the names of training, validation and test part")


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
