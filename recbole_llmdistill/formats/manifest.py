"""``manifest.json`` beside profiles and vectors: which training interactions they saw, and how they were made.

Training compares ``training_fingerprint`` with its own split, so encoding, reducing and importing carry it along. Where
the source has no manifest none is written: training then warns that it cannot check.

Texts of items saw no interaction, so nothing is to be checked: their ``items.manifest.json`` is written in any case.
"""

import json
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import write_text_atomically
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.formats.entity import ITEMS, USERS, Entity


def read_manifest(folder: Path, of: Entity = USERS) -> dict[str, Any] | None:
    """The manifest of users or items in a folder; None where there is none.

    Raises:
        InputError: it is no JSON object.
    """
    path = folder / of.manifest
    if not path.is_file():
        return None
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(manifest).__name__}")
    return manifest


def check_output_folder(folder: Path, source: Path, dataset: str, of: Entity = USERS) -> None:
    """Refuse, before any work, an output folder whose manifest speaks of something else.

    Args:
        folder: where vectors shall go.
        source: folder that they are made from.
        dataset: name of the data set.
        of: users or items.

    Raises:
        InputError: the folder holds other texts of them, or vectors of another data set, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out={folder} is a file; name a folder")
    if folder.resolve() == source.resolve():
        return
    if (folder / of.texts).exists():
        raise InputError(
            f"--out={folder} holds other {of.text}s ({of.texts}), whose {of.manifest} would be lost; choose another"
        )
    manifest = read_manifest(folder, of)
    if manifest is not None and manifest.get("dataset", dataset) != dataset:
        raise InputError(
            f"--out={folder} holds vectors of the data set {manifest['dataset']!r}, not of {dataset!r}; choose another"
        )


def carry_manifest(
    manifest: dict[str, Any] | None, folder: Path, dataset: str, of: Entity = USERS, **steps: dict[str, Any]
) -> bool:
    """Write the manifest of what was worked on, with these steps added, into ``folder``, atomically.

    Args:
        manifest: of the texts or vectors that were worked on; None where there is none.
        folder: where to.
        dataset: name of the data set.
        of: users or items.
        steps: what was done, by the name of the step.

    Returns:
        Whether there is one, that is, of users, whether training can check the split.
    """
    path = folder / of.manifest
    if of is ITEMS:
        manifest = {"of": of.name, **(manifest or {})}
    elif manifest is None or of.fingerprint not in manifest:
        path.unlink(missing_ok=True)  # it spoke of vectors that are no longer there
        return False
    if "encoder" in steps:
        manifest = {key: value for key, value in manifest.items() if key != "reducer"}
    write_json(path, {**manifest, "dataset": dataset, **steps})
    return True


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file.

    Raises:
        InputError: it cannot be written.
    """
    write_text_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
