"""``manifest.json`` beside profiles and vectors: which training interactions they saw, and how they were made.

Training compares ``training_fingerprint`` with its own split, so encoding, reducing and importing carry it along. Where
the source has no manifest none is written: training then warns that it cannot check.
"""

import json
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import write_text_atomically
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.formats.profile_texts import TEXTS
from recbole_llmdistill.formats.vectors import MANIFEST


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest in a folder; None where there is none.

    Raises:
        InputError: it is no JSON object.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(manifest).__name__}")
    return manifest


def check_output_folder(folder: Path, source: Path, dataset: str) -> None:
    """Refuse, before any work, an output folder whose manifest speaks of something else.

    Args:
        folder: where vectors shall go.
        source: folder that they are made from.
        dataset: name of the data set.

    Raises:
        InputError: the folder holds other profile texts, or vectors of another data set, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out={folder} is a file; name a folder")
    if folder.resolve() == source.resolve():
        return
    if (folder / TEXTS).exists():
        raise InputError(
            f"--out={folder} holds other profiles ({TEXTS}), whose {MANIFEST} would be lost; choose another"
        )
    manifest = read_manifest(folder)
    if manifest is not None and manifest.get("dataset", dataset) != dataset:
        raise InputError(
            f"--out={folder} holds vectors of the data set {manifest['dataset']!r}, not of {dataset!r}; choose another"
        )


def carry_manifest(source: Path, folder: Path, dataset: str, **steps: dict[str, Any]) -> bool:
    """Write the manifest of ``source`` with these steps added into ``folder``, atomically.

    Returns:
        Whether there is one, that is, whether training can check the split.
    """
    manifest = read_manifest(source)
    path = folder / MANIFEST
    if manifest is None or "training_fingerprint" not in manifest:
        path.unlink(missing_ok=True)  # it spoke of vectors that are no longer there
        return False
    if "encoder" in steps:
        manifest.pop("reducer", None)
    write_json(path, {**manifest, "dataset": dataset, **steps})
    return True


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file.

    Raises:
        InputError: it cannot be written.
    """
    write_text_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
