"""From the fields of an options class to flags, and from arguments back to options."""

import argparse
import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from recbole_llmdistill.config.options import Checked, checked, extra, flags
from recbole_llmdistill.parts import Kind


def add_options(parser: argparse.ArgumentParser, options: type[BaseModel], kind: Kind | None = None) -> None:
    """Add a flag per field, and the flags of all parts of a kind.

    A flag that is not given leaves no trace in the arguments, so that every default stands in its class alone. Values
    are checked by the class.
    """
    groups: dict[str, Any] = {}

    def target(title: str | None) -> Any:
        if title is None:
            return parser
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        return groups[title]

    for name, field in options.model_fields.items():
        _add(target(extra(field).get("group")), name, field, _help(field))
    for name, owners in (kind.fields() if kind else {}).items():
        field = owners[0][1]
        title = extra(field).get("group", ", ".join(part.written() for part, _ in owners))
        texts = {_help(field) for _, field in owners}
        shared = [f"{part.written()}: {_help(field)}" for part, field in owners]
        _add(target(title), name, field, texts.pop() if len(texts) == 1 else "; ".join(shared))


def from_arguments(options: type[Checked], arguments: argparse.Namespace, kind: Kind | None = None) -> Checked:
    """Options of those arguments that bear the name of a field, of the class or of a part.

    Raises:
        InputError: a value is not allowed; the message names the argument, the value and what is allowed.
    """
    names = {*options.model_fields, *(kind.fields() if kind else ())}
    return checked(options, {name: value for name, value in vars(arguments).items() if name in names})


def _add(target: Any, name: str, field: FieldInfo, text: str) -> None:
    """Add the flag of a field to a parser or group."""
    said = extra(field)
    if said.get("cli") is False:
        return
    given: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
    kind = _without_none(field.annotation)
    if field.is_required():
        given["required"] = True
    if kind is bool:
        given["action"] = argparse.BooleanOptionalAction if field.default is True else "store_true"
        if "off" in said:  # a flag that takes something away
            given |= {"action": "store_const", "const": False}
    else:
        given["metavar"] = said.get("metavar")
        if get_origin(kind) is Literal:  # which the class checks, in a line
            given["metavar"] = f"{{{','.join(map(str, get_args(kind)))}}}"
        if get_origin(kind) is dict:
            given["action"] = "append"
        if get_origin(kind) in (list, tuple) and (number := said.get("nargs", "+")) is not None:
            given["nargs"] = number
        if "const" in said:
            given |= {"nargs": "?", "const": said["const"]}
    target.add_argument(*flags(name, field), **given)


def _help(field: FieldInfo) -> str:
    """The description, and the default where it is a value."""
    text = field.description or ""
    shown = field.default
    if field.is_required() or shown is None or isinstance(shown, bool) or shown in ([], (), ""):
        return text
    return f"{text} (default {shown})"


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _without_none(kinds[0])
    if hasattr(annotation, "__metadata__"):  # Annotated
        return _without_none(get_args(annotation)[0])
    return annotation
