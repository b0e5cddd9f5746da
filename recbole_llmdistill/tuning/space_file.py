"""Search spaces as files: yaml, or the text format of RecBole's ``run_hyper`` (``.hyper``, ``.test``).

In yaml a line reads ``learning_rate: {loguniform: [0.0003, 0.003]}``; in RecBole's format it reads
``learning_rate loguniform -8,-6``, with natural logarithms as the ends.
"""

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from recbole.config import Config

from recbole_llmdistill.config.old_names import renamed
from recbole_llmdistill.config.settings_file import check_settings_file
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.yaml_file import read_yaml
from recbole_llmdistill.tuning.space import DISTRIBUTIONS, Choice, Distribution, Space

YAML_SUFFIXES = (".yaml", ".yml")
_ARGUMENTS = {"uniform": ("low", "high"), "quniform": ("low", "high", "step"), "loguniform": ("low", "high")}


@dataclass(frozen=True)
class _Line:
    """What a file says of one setting.

    Attributes:
        where: file and line, for messages.
        key: the setting.
        kind: name of its distribution.
        values: of the choice, or the ends and the step of the range.
    """

    where: str
    key: str
    kind: str
    values: list[Any]


def read_space(path: Path) -> Space:
    """Read a search space; a file that does not end in .yaml or .yml is in RecBole's format.

    Raises:
        InputError: the file cannot be read, or a line is not understood or has a range without values; names the line.
    """
    distributions: dict[str, Distribution] = {}
    for line in _yaml_lines(path) if path.suffix in YAML_SUFFIXES else _text_lines(path):
        (key,) = renamed({line.key: line.kind}, f"{line.where}: ")
        if key in distributions:
            raise InputError(f"{line.where}: {line.key} has a distribution already")
        distributions[key] = _distribution(line)
    if not distributions:
        raise InputError(f"{path}: no setting to search; write e.g. learning_rate: {{loguniform: [0.0003, 0.003]}}")
    return Space(distributions=distributions)


def _distribution(line: _Line) -> Distribution:
    if line.kind not in DISTRIBUTIONS:
        raise InputError(f"{line.where}: {line.key}: {line.kind!r} is none of {', '.join(DISTRIBUTIONS)}")
    try:
        if line.kind == Choice.name:
            return Choice(values=line.values)
        names = _ARGUMENTS[line.kind]
        if len(line.values) != len(names):
            raise InputError(
                f"{line.where}: {line.key}: {line.kind} takes {len(names)} numbers ({', '.join(names)}), "
                f"found {len(line.values)}"
            )
        return DISTRIBUTIONS[line.kind](**dict(zip(names, line.values, strict=True)))
    except ValidationError as error:
        problem = error.errors()[0]
        message = problem["msg"].removeprefix("Value error, ")
        name = f"{problem['loc'][0]}={problem['input']!r}: " if problem["loc"] and line.kind != Choice.name else ""
        raise InputError(
            f"{line.where}: {line.key}: {line.kind} {line.values}: {name}{message[0].lower()}{message[1:]}"
        ) from error


def _yaml_lines(path: Path) -> Iterator[_Line]:
    check_settings_file(path)
    node, space = read_yaml(path, Config._build_yaml_loader(None))  # numbers are what RecBole takes for one
    lines = {} if node is None else {key.value: key.start_mark.line + 1 for key, _ in node.value}
    for key, value in space.items():
        where = f"{path}, line {lines[key]}" if key in lines else str(path)
        if not isinstance(value, dict) or len(value) != 1 or not isinstance(next(iter(value.values())), list):
            raise InputError(
                f"{where}: {key}: expected one of {', '.join(DISTRIBUTIONS)} with a list, e.g. {{uniform: [0.1, 0.5]}}"
            )
        ((kind, values),) = value.items()
        yield _Line(where, key, str(kind), values)


def _text_lines(path: Path) -> Iterator[_Line]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    for number, text in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        words = text.split(maxsplit=2)
        if len(words) < 3:
            raise InputError(f"{where}: expected a setting, a distribution and its values, found {text.strip()!r}")
        key, kind, values = words
        if kind == Choice.name:
            yield _Line(where, key, kind, _literal_choices(where, key, values))
        else:
            numbers = [_number(where, key, word) for word in values.split(",")]
            yield _Line(where, key, kind, _from_logarithms(where, key, numbers) if kind == "loguniform" else numbers)


def _literal_choices(where: str, key: str, text: str) -> list[Any]:
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise InputError(f"{where}: {key}: {text!r} is no list of numbers and quoted strings") from error
    if not isinstance(values, list):
        raise InputError(f"{where}: {key}: {text!r} is no list")
    return [_literal(value) for value in values]


def _literal(value: Any) -> Any:
    """RecBole's files write the choice of a list as a string, ``['[64,64]','[128]']``, and evaluate it later."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "(", "{"):
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    return value


def _number(where: str, key: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise InputError(f"{where}: {key}: {word.strip()!r} is no number") from error


def _from_logarithms(where: str, key: str, ends: list[float]) -> list[float]:
    if ends and all(0 < end < 1 for end in ends):
        logarithms = ",".join(f"{math.log(end):.3g}" for end in ends)
        raise InputError(
            f"{where}: {key}: in this format the ends of loguniform are natural logarithms, as RecBole reads them; "
            f"for values from {ends[0]:g} to {ends[-1]:g} write {logarithms}, or use a yaml file"
        )
    try:
        return [math.exp(end) for end in ends]
    except OverflowError as error:
        raise InputError(
            f"{where}: {key}: the ends of loguniform are natural logarithms, {ends} is too large"
        ) from error
