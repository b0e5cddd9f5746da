"""Prompts: one file each, below ``properties/prompts`` or anywhere; a new prompt is a new file.

Item texts and earlier answers are data. They stand between ``<history>``, ``<profile>`` or ``<item>`` tags, what has a
meaning in a prompt is replaced (:mod:`recbole_llmdistill.profiles.history.harmless_text`), and placeholders are filled
in in one pass, so that nothing in them is taken for a placeholder, a tag or a turn of the conversation.

A prompt should ask for nothing that the data cannot show: what stands between ``{if values}`` and ``{end}`` is sent
only if interactions have values (ratings, events, prices), ``{if no values}`` if not, and so with ``dates``.

A prompt that describes items has one text, ``create`` with ``{item}``: the fields of one item fit into a request.
"""

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.files.yaml_file import read_yaml
from recbole_llmdistill.formats.entity import ITEMS, USERS, Entity
from recbole_llmdistill.profiles.history.harmless_text import harmless

Part = Literal["create", "update", "merge"]

_NEEDED: dict[str, dict[str, tuple[str, ...]]] = {
    USERS.name: {"create": ("{history}",), "update": ("{profile}", "{history}"), "merge": ("{profiles}",)},
    ITEMS.name: {"create": ("{item}",)},
}
_PLACEHOLDER = re.compile(r"\{(history|profile|profiles|item)\}")
_CONDITION = re.compile(r"\{if\s+(?:(no)\s+)?(values|dates)\}((?:(?!\{if\s).)*?)\{end\}", re.DOTALL)
_MARK_OF_CONDITION = re.compile(r"\{if\s[^}]*\}|\{end\}")


class Prompt(BaseModel):
    """A prompt file, validated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Name of the view that it gives: the file's name without ``.yaml``."""
    description: str
    """One line for people."""
    max_tokens: Annotated[int, Field(gt=0)]
    """Longest answer, in tokens, unless ``--max-tokens`` says otherwise."""
    expected_tokens: Annotated[int, Field(gt=0)]
    """Usual length of an answer, in tokens, for the estimate."""
    min_words: Annotated[int, Field(ge=0)]
    """An answer of fewer words is a failure."""
    create: str
    """Text that asks for a profile of a history, with ``{history}``; or to describe an item, with ``{item}``."""
    update: str = ""
    """Text that asks to revise a profile in the light of later history; has ``{profile}`` and ``{history}``."""
    merge: str = ""
    """Text that asks to join the profiles of consecutive parts of a history; has ``{profiles}``."""

    @property
    def of(self) -> Entity:
        """Whom it describes."""
        return ITEMS if "{item}" in self.create else USERS

    @property
    def hash(self) -> str:
        """Of the texts, and of what is accepted as an answer."""
        content = self.model_dump(exclude={"name", "description", "max_tokens", "expected_tokens"})
        return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def fitted(self, values: bool, dates: bool) -> "Prompt":
        """The prompt for a data set whose interactions have values and dates, or not; without conditions in it."""
        given = {"values": values, "dates": dates}

        def chosen(found: re.Match) -> str:
            return found[3] if given[found[2]] == (found[1] is None) else ""

        return self.model_copy(
            update={part: _CONDITION.sub(chosen, getattr(self, part)) for part in _NEEDED[USERS.name]}
        )

    def render(self, part: Part, header: str = "", lines: Sequence[str] = (), profiles: Sequence[str] = ()) -> str:
        """The text that is sent.

        Args:
            part: which of the three texts.
            header: names of the cells of a line, as :attr:`Histories.header` has them.
            lines: interactions, oldest first; or the one of an item.
            profiles: the profile to be revised, or those to be merged, oldest first.
        """
        quoted = [f"<profile>\n{harmless(profile).strip()}\n</profile>" for profile in profiles]
        fills = {
            "item": "\n".join(["<item>", *lines, "</item>"]),
            "history": "\n".join(["<history>", header, *lines, "</history>"]),
            "profile": "".join(quoted[:1]),
            "profiles": "\n".join(quoted),
        }
        return _PLACEHOLDER.sub(lambda found: fills[found.group(1)], getattr(self, part)).strip()


def load_prompt(name: str) -> Prompt:
    """Read a prompt by its name in ``properties/prompts``, or by its path.

    Raises:
        InputError: no such prompt, or the file is not as it should be.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = properties("prompts", f"{name}.yaml")
        if not path.is_file():
            known = prompt_names()
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            raise InputError(f"--prompt: no prompt {name!r}; {hint}Known: {', '.join(known)}, or the path of a .yaml")
    try:
        _, content = read_yaml(path)
    except InputError as error:
        raise InputError(f"--prompt: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"--prompt: {path} must have the keys {', '.join(_file_keys())}")
    try:
        prompt = Prompt(name=path.stem, **content)
    except (ValidationError, TypeError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else [{"loc": ("name",), "msg": str(error)}]
        text = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems)
        raise InputError(f"--prompt: {path}: {text}; the keys are {', '.join(_file_keys())}") from error
    _check_parts(prompt, path)
    return prompt


def _check_parts(prompt: Prompt, path: Path) -> None:
    """Whatever the data set has, each text is to be complete.

    Raises:
        InputError: a placeholder is missing, or a condition is not one.
    """
    for values, dates in itertools.product((True, False), repeat=2):
        fitted = prompt.fitted(values, dates)
        for part, placeholders in _NEEDED[prompt.of.name].items():
            text = getattr(fitted, part)
            for placeholder in placeholders:
                if placeholder not in text:
                    raise InputError(f"--prompt: {path}, {part}: lacks {placeholder}, where the data go")
            if mark := _MARK_OF_CONDITION.search(text):
                raise InputError(
                    f"--prompt: {path}, {part}: {mark[0]} is not understood; conditions are {{if values}}, "
                    "{if no values}, {if dates} and {if no dates}, each up to an {end}, none within another"
                )


def load_prompts(names: str, of: Entity = USERS) -> list[Prompt]:
    """Several prompts, separated by commas: one view each.

    Args:
        names: of the prompts, or their paths.
        of: whom they are to describe.

    Raises:
        InputError: as :func:`load_prompt`, one describes somebody else, or a name stands there twice.
    """
    prompts = [load_prompt(name.strip()) for name in names.split(",") if name.strip()]
    views = [prompt.name for prompt in prompts]
    if not prompts or len(set(views)) < len(views):
        raise InputError(f"--prompt: {names!r} must name each prompt once; known: {', '.join(prompt_names())}")
    if other := next((prompt for prompt in prompts if prompt.of is not of), None):
        raise InputError(f"--prompt: {other.name!r} describes {other.of.name}, not {of.name}; see --of")
    return prompts


def prompt_names() -> list[str]:
    """Names of the prompts that the package ships."""
    return sorted(path.stem for path in properties("prompts").glob("*.yaml"))


def _file_keys() -> list[str]:
    return [key for key in Prompt.model_fields if key != "name"]
