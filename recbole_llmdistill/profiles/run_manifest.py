"""What ``llmdistill generate`` writes into ``manifest.json``: what profiles were written from, by whom and how."""

import difflib
import json
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.manifest import write_json
from recbole_llmdistill.profiles.history.history_lines import DATE_LABEL, REPEATS_LABEL
from recbole_llmdistill.profiles.history.item_text import CELL
from recbole_llmdistill.profiles.prompts import Prompt

# Keys in which a run may differ from the one that began the folder. A profile that was finished within fewer tokens is
# none the worse for it, so a run may raise the limit for the users who need it.
_FREE_KEYS = ("created", "versions", "base_url", "max_tokens", "refresh")
_OF_HISTORIES = (USERS.name, USERS.fingerprint)  # which a refresh is for
_FREE_PROMPT_KEYS = ("hash", "description", "max_tokens", "expected_tokens")
_PACKAGES = ("recbole-llmdistill", "recbole", "torch", "openai", "transformers")


def describe_prompts(prompts: list[Prompt]) -> dict[str, dict[str, Any]]:
    """Text and hash of each prompt, by name."""
    return {prompt.name: {"hash": prompt.hash, **prompt.model_dump(exclude={"name"})} for prompt in prompts}


def versions() -> dict[str, str]:
    """Of Python and of the packages that had a part in it."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_manifest(folder: Path, of: Entity, content: dict[str, Any], then: dict[str, Any] | None = None) -> None:
    """Write the manifest of users or items atomically, with versions added, and the time of the first run.

    Args:
        folder: where to.
        of: users or items.
        content: of this run.
        then: what stands there already.

    Raises:
        InputError: the folder cannot be written.
    """
    created = (then or {}).get("created") or datetime.now(UTC).isoformat(timespec="seconds")
    content = {**content, "created": created, "versions": versions()}
    write_json(folder / of.manifest, content)


def check_same(
    folder: Path, of: Entity, then: dict[str, Any], now: dict[str, Any], of_other_histories: bool = False
) -> None:
    """Refuse to mix texts that were made differently in one folder.

    Args:
        folder: where they are.
        of: users or items.
        then: its manifest.
        now: that of this run.
        of_other_histories: users and their training histories may be others, and with them what their lines are marked
            with.

    Raises:
        InputError: with every difference.
    """
    free = (*_FREE_KEYS, *_OF_HISTORIES) if of_other_histories else _FREE_KEYS
    if of_other_histories:
        then, now = ({**manifest, "columns": _without_marks(manifest.get("columns", ""))} for manifest in (then, now))
    differing = {key: found for key in now if key not in free and (found := _differences(key, then.get(key), now[key]))}
    texts = [text for found in differing.values() for text in found]
    if texts:
        grown = of is USERS and differing.keys() <= set(_OF_HISTORIES)
        raise InputError(
            f"{folder} holds {of.text}s that were made otherwise ({'; '.join(texts)}); give "
            "--out another folder, or go back to the same settings"
            + (", or, if the data have grown, write again what has changed by --changed-by" if grown else "")
        )


def _without_marks(columns: str) -> str:
    """Header of a history without the marks of repeats and dates, which the first such interactions bring along."""
    *labels, last = columns.split(CELL)
    return CELL.join(labels) if last.startswith((REPEATS_LABEL, DATE_LABEL)) else columns


def _differences(name: str, then: Any, now: Any) -> list[str]:
    now = json.loads(json.dumps(now))
    if then == now:
        return []
    if isinstance(then, dict) and isinstance(now, dict):
        keys = list(dict.fromkeys([*then, *now]))
        return [
            text
            for key in keys
            if key not in _FREE_PROMPT_KEYS
            for text in _differences(f"{name}.{key}", then.get(key), now.get(key))
        ]
    if isinstance(then, str) and isinstance(now, str) and "\n" in then + now:
        changed = [line for line in difflib.ndiff(then.splitlines(), now.splitlines()) if line[0] in "+-"]
        return [f"{name}: " + " / ".join(line.strip() for line in changed[:4])]
    return [f"{name}: {_short(then)} then, {_short(now)} now"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
