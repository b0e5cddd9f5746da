"""Prompts: one file each, below ``properties/prompts`` or anywhere; a new prompt is a new file.

Item texts and earlier answers are data. They stand between ``<history>`` or ``<profile>`` tags, their angle brackets
are replaced by look-alikes, and placeholders are filled in one pass, so that nothing in them is taken for a
placeholder, a tag or a turn of the conversation.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.resources import properties

Part = Literal["create", "update", "merge"]

_NEEDED: dict[str, tuple[str, ...]] = {
    "create": ("{history}",),
    "update": ("{profile}", "{history}"),
    "merge": ("{profiles}",),
}
_PLACEHOLDER = re.compile(r"\{(history|profile|profiles)\}")
_BRACKETS = str.maketrans("<>", "‹›")


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
    """Text that asks for a profile of a history; has ``{history}``."""
    update: str
    """Text that asks to revise a profile in the light of later history; has ``{profile}`` and ``{history}``."""
    merge: str
    """Text that asks to join the profiles of consecutive parts of a history; has ``{profiles}``."""

    @property
    def hash(self) -> str:
        """Of the texts, and of what is accepted as an answer."""
        content = self.model_dump(exclude={"name", "description", "max_tokens", "expected_tokens"})
        return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def render(self, part: Part, header: str = "", lines: Sequence[str] = (), profiles: Sequence[str] = ()) -> str:
        """The text that is sent.

        Args:
            part: which of the three texts.
            header: names of the cells of a line.
            lines: interactions, oldest first.
            profiles: the profile to be revised, or those to be merged, oldest first.
        """
        quoted = [f"<profile>\n{profile.translate(_BRACKETS).strip()}\n</profile>" for profile in profiles]
        fills = {
            "history": "\n".join(["<history>", header.translate(_BRACKETS), *lines, "</history>"]),
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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--prompt: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--prompt: {path} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        raise InputError(f"--prompt: {path} is no yaml: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"--prompt: {path} must have the keys {', '.join(_file_keys())}")
    try:
        prompt = Prompt(name=path.stem, **content)
    except (ValidationError, TypeError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else [{"loc": ("name",), "msg": str(error)}]
        text = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems)
        raise InputError(f"--prompt: {path}: {text}; the keys are {', '.join(_file_keys())}") from error
    for part, placeholders in _NEEDED.items():
        for placeholder in placeholders:
            if placeholder not in getattr(prompt, part):
                raise InputError(f"--prompt: {path}, {part}: lacks {placeholder}, where the data go")
    return prompt


def load_prompts(names: str) -> list[Prompt]:
    """Several prompts, separated by commas: one view of the user each.

    Raises:
        InputError: as :func:`load_prompt`, or a name stands there twice.
    """
    prompts = [load_prompt(name.strip()) for name in names.split(",") if name.strip()]
    views = [prompt.name for prompt in prompts]
    if not prompts or len(set(views)) < len(views):
        raise InputError(f"--prompt: {names!r} must name each prompt once; known: {', '.join(prompt_names())}")
    return prompts


def prompt_names() -> list[str]:
    """Names of the prompts that the package ships."""
    return sorted(path.stem for path in properties("prompts").glob("*.yaml"))


def _file_keys() -> list[str]:
    return [key for key in Prompt.model_fields if key != "name"]
