"""The folder of a run: finished profiles, failures, answers to parts, and which users are done."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.journal import Journal, read_journal
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.run_manifest import check_same, write_manifest

PROFILES, FAILURES, PARTS = "profiles.jsonl", "failures.jsonl", "parts.jsonl"

_BYTES_PER_PROFILE = 3000
"""For the check of the disk before the start: a long profile with its record."""
_CHUNK = 10_000


class Ledger:
    """Where a run writes, open for one process at a time.

    Args:
        folder: made if it does not exist.
        manifest: what this run is; a folder whose manifest says otherwise is refused.
        users: tokens of all users who can have a profile.

    Raises:
        InputError: another run works there, the folder holds other profiles, or it cannot be written.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], users: np.ndarray) -> None:
        self.folder = folder
        then = read_manifest(folder)
        if then is not None:
            check_same(folder, then, manifest)
        elif (folder / PROFILES).is_file():
            raise InputError(f"{folder} has a {PROFILES} and no manifest.json: not a folder of this command; see --out")
        self._lock = lock_output(folder)
        write_manifest(folder, manifest, then)
        self._profiles, self._failures, self._parts = (Journal(folder / name) for name in (PROFILES, FAILURES, PARTS))
        self.done = self._done(users)
        self._answers = self._read_parts(users)

    def check_disk(self, profiles: int) -> None:
        """Stop before the start if so many further profiles do not fit on the disk."""
        free = shutil.disk_usage(self.folder).free
        if free < profiles * _BYTES_PER_PROFILE:
            raise InputError(
                f"{self.folder}: {free / 1e9:.1f} GB are free, {profiles:,} profiles take up to "
                f"{profiles * _BYTES_PER_PROFILE / 1e9:.1f} GB; make room, or give --out another disk"
            )

    def add_profile(self, record: dict[str, Any]) -> None:
        """Write a finished user."""
        self._profiles.append(record)

    def add_failure(self, record: dict[str, Any]) -> None:
        """Write a user without a profile; the next run tries again."""
        self._failures.append(record)

    def add_part(self, user_id: str, text: str, answer: Answer) -> None:
        """Write the answer to one of several requests for a user, so that it is not asked and paid again."""
        record = {
            "user_id": user_id,
            "request": _request_hash(text),
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
        }
        self._parts.append(record)

    def part(self, user_id: str, text: str) -> Answer | None:
        """The answer to such a request, if an earlier run has got it; each is given once."""
        return self._answers.pop((user_id, _request_hash(text)), None)

    def close(self) -> None:
        """Bring all to the disk and let others in."""
        for journal in (self._profiles, self._failures, self._parts):
            journal.close()
        self._lock.release()

    def _done(self, users: np.ndarray) -> np.ndarray:
        """Of each user, whether there is a profile."""
        order = np.argsort(users)
        sorted_users = users[order]
        done = np.zeros(len(users), dtype=bool)
        for chunk in _chunks(record["user_id"] for record in read_journal(self.folder / PROFILES)):
            found = np.array(chunk, dtype=str)
            position = np.minimum(np.searchsorted(sorted_users, found), len(users) - 1)
            done[order[position[sorted_users[position] == found]]] = True
        return done

    def _read_parts(self, users: np.ndarray) -> dict[tuple[str, str], Answer]:
        """Answers for users who are not done."""
        open_users = None
        answers = {}
        for record in read_journal(self.folder / PARTS):
            if open_users is None:
                open_users = set(users[~self.done].tolist())
            if record["user_id"] in open_users:
                answers[record["user_id"], record["request"]] = Answer(
                    record["answer"], record["finish_reason"], record["prompt_tokens"], record["completion_tokens"]
                )
        return answers


def measured_answer_tokens(folder: Path, least: int = 20) -> float | None:
    """Mean length of the answers of a folder's profiles, for an estimate; None below ``least`` profiles."""
    profiles = tokens = requests = 0
    for record in read_journal(folder / PROFILES):
        profiles += 1
        tokens += record.get("completion_tokens", 0)
        requests += record.get("requests", 1)
    return tokens / requests if profiles >= least and tokens else None


def _request_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    chunk = []
    for value in values:
        chunk.append(value)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
