"""RecBole's settings of splits and metrics, checked before anything is loaded."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError
from recbole.evaluator import metric_types
from recbole.utils import EvaluatorType, ModelType

from recbole_llmdistill.config.settings import DistillationSettings, describe_problem
from recbole_llmdistill.errors import InputError

_SPLITS = {"RS": "[0.8,0.1,0.1]", "TS": "[0.8,0.1,0.1]", "LS": "'valid_and_test'"}
_LEFT_OUT = ("valid_and_test", "valid_only", "test_only")


def check_evaluation(final: Mapping[str, Any]) -> None:
    """Refuse ways to split and measure that RecBole has not, or that the model cannot be measured by.

    Args:
        final: settings of a RecBole config, before or after RecBole has completed them.

    Raises:
        InputError: names the key, its value, and what is allowed.
    """
    kind = _check_metrics(final["metrics"])
    _check_topk(final["topk"])
    _check_eval_args(final, kind)
    if final.get("MODEL_TYPE") == ModelType.SEQUENTIAL and not final.get("repeatable"):
        raise InputError(
            "repeatable=False: sequential models rank all items, those of the history among them; "
            "eval_exclude_seen=True leaves those out"
        )


def _check_metrics(names: Any) -> EvaluatorType:
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)) or not names:
        raise InputError(f"metrics={names!r}: expected a list of metrics, e.g. ['Recall','NDCG']")
    for name in names:
        if not isinstance(name, str) or name.lower() not in metric_types:
            nearest = difflib.get_close_matches(str(name).lower(), metric_types, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(sorted(metric_types))}"
            at = f"; the k of {name} is set by topk" if "@" in str(name) else ""
            raise InputError(f"metrics: There is no metric named {name!r}; {hint}{at}")
    kinds = {metric_types[name.lower()] for name in names}
    if len(kinds) > 1:
        raise InputError(f"metrics={names!r}: metrics of rankings and of values cannot be mixed")
    return kinds.pop()


def _check_topk(topk: Any) -> None:
    numbers = topk if isinstance(topk, list) else [topk]
    if not numbers or not all(isinstance(k, int | np.integer) and not isinstance(k, bool) and k > 0 for k in numbers):
        raise InputError(f"topk={topk!r}: expected a whole number above 0, or a list of them, e.g. [5,10]")


def _check_eval_args(final: Mapping[str, Any], kind: EvaluatorType) -> None:
    arguments = final["eval_args"]
    if not isinstance(arguments, dict):
        raise InputError(f"eval_args={arguments!r}: expected a dictionary of split, order, group_by and mode")
    known = ("split", "order", "group_by", "mode")
    for key in arguments:
        if key not in known:
            raise InputError(f"eval_args: unknown key {key!r}; known: {', '.join(known)}")
    _check_order(final, arguments)
    if "split" in arguments:
        _check_split(arguments["split"])
    group = arguments.get("group_by", "user")
    if group is not None and (not isinstance(group, str) or group.lower() not in ("user", "none")):
        raise InputError(f"eval_args: group_by {group!r} is none of user, none")
    mode = arguments.get("mode", "full")
    if isinstance(mode, dict) and (unknown := [part for part in mode if part not in ("valid", "test")]):
        raise InputError(f"eval_args: mode of {unknown[0]!r}; there is one of valid and one of test")
    for value in mode.values() if isinstance(mode, dict) else [mode]:
        _check_mode(value, kind)


def _check_order(final: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    order = arguments.get("order", "RO")
    if order not in ("RO", "TO"):
        raise InputError(f"eval_args: order {order!r} is none of TO (by time), RO (random)")
    if final.get("MODEL_TYPE") == ModelType.SEQUENTIAL and order != "TO":
        given = "is" if "order" in arguments else "is not given, and by default"
        raise InputError(
            f"eval_args: order {given} RO, which shuffles the interactions; sequential models need order TO"
        )


def _check_split(split: Any) -> None:
    if not isinstance(split, dict) or len(split) != 1:
        raise InputError(f"eval_args: split {split!r}; expected one of {_split_examples()}")
    ((name, value),) = split.items()
    if name not in _SPLITS:
        nearest = difflib.get_close_matches(str(name).upper(), _SPLITS, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise InputError(f"eval_args: unknown split {name!r}; {hint}expected one of {_split_examples()}")
    if name == "LS":
        if value not in _LEFT_OUT:
            nearest = difflib.get_close_matches(str(value), _LEFT_OUT, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise InputError(f"eval_args: split LS {value!r} is none of {', '.join(_LEFT_OUT)}{hint}")
        return
    shares = value if isinstance(value, list) else []
    if (
        len(shares) != 3
        or any(isinstance(share, bool) or not isinstance(share, (int, float)) or not share >= 0 for share in shares)
        or not shares[0] > 0
        or sum(shares) == float("inf")
    ):
        raise InputError(
            f"eval_args: split {name} {value!r}; expected the shares of training, validation and test, e.g. "
            f"{_SPLITS[name]}"
        )


def _split_examples() -> str:
    return ", ".join(f"{{'{name}': {value}}}" for name, value in _SPLITS.items())


def _check_mode(mode: Any, kind: EvaluatorType) -> None:
    if not isinstance(mode, str) or not re.fullmatch(r"full|labeled|(uni|pop)[1-9]\d*", mode):
        raise InputError(
            f"eval_args: mode {mode!r} is none of full, uniN (N sampled negatives, e.g. uni100), popN, labeled"
        )
    if kind == EvaluatorType.RANKING and mode == "labeled":
        raise InputError("eval_args: mode labeled ranks nothing, so metrics of rankings need mode full, uniN or popN")
    if kind == EvaluatorType.VALUE and mode == "full":
        raise InputError("eval_args: mode full ranks all items, so metrics of values need mode labeled, uniN or popN")


def check_exclude_seen(final: Mapping[str, Any]) -> bool:
    """``eval_exclude_seen`` of any model's settings.

    Raises:
        InputError: it is neither true nor false, or a sequential model is to be asked for sampled items.
    """
    given: Any = final.get("eval_exclude_seen")
    try:
        exclude = DistillationSettings(eval_exclude_seen=given).eval_exclude_seen
    except ValidationError as error:
        raise InputError(describe_problem(error.errors()[0])) from error
    arguments = final.get("eval_args")
    mode = arguments.get("mode", "full") if isinstance(arguments, Mapping) else "full"
    for value in mode.values() if isinstance(mode, Mapping) else [mode]:
        if exclude and value != "full" and final.get("MODEL_TYPE") == ModelType.SEQUENTIAL:
            raise InputError(
                f"eval_exclude_seen=True: eval_args has mode {value!r}, which ranks sampled items; set mode 'full', or "
                "leave eval_exclude_seen out"
            )
    return exclude


def check_validation_metric(final: Mapping[str, Any]) -> None:
    """Refuse a ``valid_metric`` that the evaluation will not have computed when it is looked for.

    A program that evaluates by itself may do without one, so this is asked by commands alone.
    """
    kind = _check_metrics(final["metrics"])
    topk = final["topk"] if isinstance(final["topk"], list) else [final["topk"]]
    names = [final["metrics"]] if isinstance(final["metrics"], str) else final["metrics"]
    if kind == EvaluatorType.RANKING:
        names = ["GAUC" if name.lower() == "gauc" else f"{name}@{k}" for name in names for k in topk]
    chosen = final["valid_metric"]
    if not isinstance(chosen, str) or chosen.lower() not in map(str.lower, names):
        raise InputError(
            f"valid_metric={chosen!r} is not among the metrics that are computed: {', '.join(names)}; add it to "
            "metrics and topk, or choose one of these"
        )
