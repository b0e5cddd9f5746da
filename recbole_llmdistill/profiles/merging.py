"""Join the folders of ``llmdistill generate --shard i/n`` into one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.files.folder_lock import FolderLock, lock_output
from recbole_llmdistill.files.journal import json_line, read_journal
from recbole_llmdistill.formats.answer_text import without_thought
from recbole_llmdistill.formats.entity import ENTITIES, USERS, Entity
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.profiles.ledger import FAILURES
from recbole_llmdistill.profiles.run_manifest import check_same, write_manifest
from recbole_llmdistill.profiles.selection import Shard


@dataclass(frozen=True)
class Merged:
    """What came of it.

    Attributes:
        of: users or items.
        texts: users with a profile (or items with a text).
        failures: those without one, who failed in some shard.
        all: those of the data set who can have one.
        thoughts: texts that hold a model's thought, which older versions did not take out.
    """

    of: Entity
    texts: int
    failures: int
    all: int
    thoughts: int


def merge_shards(folders: list[Path], out: Path, report: Callable[[int], None] = lambda users: None) -> Merged:
    """Write the texts, failures and manifest of all shards, of users or of items, into ``out``.

    Args:
        folders: of all n shards, in any order.
        out: a folder without texts.
        report: called with 1 after each text.

    Raises:
        InputError: shards are missing, of other settings, still being written, or have a user (or item) in common.
    """
    of = next((kind for kind in ENTITIES.values() if (folders[0] / kind.manifest).is_file()), USERS)
    if (out / of.texts).exists():
        raise InputError(f"--out: {out} has a {of.texts} already; give an empty folder")
    manifests = [_manifest(folder, of) for folder in folders]
    _check_complete(folders, manifests)
    for manifest in manifests[1:]:
        check_same(folders[0], of, {**manifests[0], "shard": None}, {**manifest, "shard": None})
    manifest = {key: value for key, value in manifests[0].items() if key not in ("created", "versions")}
    if refreshes := [one["refresh"] for one in manifests if "refresh" in one]:
        counts = {key: sum(one[key] for one in refreshes) for key in ("profiles_behind", "interactions_unseen")}
        manifest["refresh"] = {**refreshes[0], **counts}
    seen: set[str] = set()
    thoughts = 0
    with lock_output(out), ExitStack() as locks:
        for folder in folders:
            locks.enter_context(_locked(folder))
        with _written_atomically(out / of.texts) as texts:
            for folder in folders:
                for record in read_journal(folder / of.texts, of.id):
                    if record[of.id] in seen:
                        raise InputError(
                            f"{folder / of.texts}: {of.noun} {record[of.id]!r} stands in another shard too"
                        )
                    seen.add(record[of.id])
                    thoughts += _has_thought(record, of)
                    texts(record)
                    report(1)
            failed = _failures(folders, seen, of)
            with _written_atomically(out / FAILURES) as failures:
                for record in failed.values():
                    failures(record)
            # The texts come last: their being there says that all is.
            write_manifest(out, of, {**manifest, "shard": None})
    return Merged(of, len(seen), len(failed), manifests[0].get(of.name, len(seen)), thoughts)


def _failures(folders: list[Path], done: set[str], of: Entity) -> dict[str, dict[str, Any]]:
    """The last failure of each who has no text."""
    failed: dict[str, dict[str, Any]] = {}
    for folder in folders:
        for record in read_journal(folder / FAILURES, of.id):
            if record[of.id] not in done:
                failed[record[of.id]] = record
    return failed


def _has_thought(record: dict[str, Any], of: Entity) -> bool:
    texts = [record.get(of.text), *dict(record.get(f"{of.text}s") or {}).values()]
    return any(isinstance(text, str) and without_thought(text) != text for text in texts)


def _manifest(folder: Path, of: Entity) -> dict[str, Any]:
    manifest = read_manifest(folder, of)
    if manifest is None:
        raise InputError(f"{folder}: no {of.manifest}, so no folder of `llmdistill generate`")
    if not manifest.get("shard"):
        raise InputError(f"{folder}: was not made with --shard; nothing is to be joined")
    return manifest


def _check_complete(folders: list[Path], manifests: list[dict[str, Any]]) -> None:
    shards = [Shard.parse(manifest["shard"]) for manifest in manifests]
    counts = {shard.count for shard in shards}
    if len(counts) > 1:
        given = ", ".join(f"{folder} is {shard}" for folder, shard in zip(folders, shards, strict=True))
        raise InputError(f"these are parts of different wholes: {given}")
    numbers = [shard.number for shard in shards]
    count = counts.pop()
    if missing := sorted(set(range(1, count + 1)) - set(numbers)):
        raise InputError(f"shard {', '.join(f'{number}/{count}' for number in missing)} is missing; give all {count}")
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        raise InputError(f"shard {twice[0]}/{count} is given twice")


def _locked(folder: Path) -> FolderLock:
    """While no run writes into the folder."""
    try:
        return FolderLock(folder)
    except BlockingIOError as error:
        raise InputError(f"{folder}: a run is writing there; wait for it") from error


@contextmanager
def _written_atomically(path: Path) -> Iterator[Callable[[dict[str, Any]], int]]:
    """Gives a function that writes a record; the file is there when all are written."""
    try:
        with written_atomically(path) as temporary, open(temporary, "wb") as file:
            yield lambda record: file.write(json_line(record))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
