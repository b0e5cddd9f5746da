"""Options as classes: each is declared once, with its default, its type and its description.

The command line takes its flags from the same fields (:mod:`recbole_llmdistill.cli.options`). What only a flag needs
stands in a field's ``json_schema_extra``: ``group`` (heading in the help), ``metavar``, ``flags`` (instead of or beside
``--name-of-the-field``), ``const`` (value of the flag without one), ``cli: False`` (no flag).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from recbole_llmdistill.errors import InputError


class Options(BaseModel):
    """Base of options; a field of another name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ConfigFiles = Annotated[list[Path], BeforeValidator(lambda files: files.split() if isinstance(files, str) else files)]
"""RecBole's yaml files: a list, or a text with spaces between them."""


def _split_names(given: Any) -> Any:
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given


def _split_pairs(given: Any) -> Any:
    if isinstance(given, Mapping):
        return given
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = str(text).partition("=")
        if not (name and equals and value):
            raise PydanticCustomError("pair", "{text} is not written {form}", {"text": text, "form": "NAME=PATH"})
        pairs[name] = value
    return pairs


Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
"""Names: a list, or a text with commas between them."""
Pairs = Annotated[dict[str, str], BeforeValidator(_split_pairs)]
"""A path for each name: a dictionary, or a list of ``NAME=PATH``."""

Checked = TypeVar("Checked", bound=BaseModel)


def checked(options: type[Checked], given: Mapping[str, Any]) -> Checked:
    """Options of these values.

    Raises:
        InputError: a value is not allowed or missing; the message names the option, the value and what is allowed.
    """
    try:
        return options(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else ""
        message = problem["msg"][0].lower() + problem["msg"][1:]
        flag = flags(name, options.model_fields[name])[-1] if name in options.model_fields else f"--{name}"
        value = "" if problem["type"] in ("missing", "pair") else f"={problem['input']}"
        raise InputError(f"{flag}{value}: {message}") from error


def given_as(options: type[Checked], given: Checked | None, keywords: Mapping[str, Any]) -> Checked:
    """Options given as an object, by keywords, or as an object of which keywords change some.

    Raises:
        InputError: as :func:`checked`.
    """
    if given is not None and not keywords:
        return given
    before = {} if given is None else {name: getattr(given, name) for name in given.model_fields_set}
    return checked(options, {**before, **keywords})


def extra(field: FieldInfo) -> dict[str, Any]:
    """What a field's ``json_schema_extra`` says."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def flags(name: str, field: FieldInfo) -> list[str]:
    """The flags of a field; the last one is the one to be named in messages."""
    return [*extra(field).get("flags", [f"--{name.replace('_', '-')}"])]
