"""The folder of a run: finished texts, failures, answers to parts, and who is done."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.journal import Journal, read_journal
from recbole_llmdistill.formats.entity import ENTITIES, Entity
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.refresh import REFRESHED, Refresh, set_aside, take_in
from recbole_llmdistill.profiles.run_manifest import check_same, write_manifest

FAILURES, PARTS = "failures.jsonl", "parts.jsonl"

_BYTES_PER_TEXT = 3000
"""For the check of the disk before the start: a long text with its record."""
_CHUNK = 10_000


class Ledger:
    """Where a run writes, open for one process at a time.

    Args:
        folder: made if it does not exist; of users alone or of items alone.
        of: users or items.
        manifest: what this run is; a folder whose manifest says otherwise is refused.
        tokens: of all who can have a text.
        refresh: which texts of the folder are to be written again, though they were made from other histories; None:
            none.

    Raises:
        InputError: another run works there, the folder holds other texts, or it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        of: Entity,
        manifest: dict[str, Any],
        tokens: np.ndarray,
        refresh: Refresh | None = None,
    ) -> None:
        self.folder, self.of, self._manifest, self._refresh = folder, of, manifest, refresh
        then = read_manifest(folder, of)
        if then is not None:
            check_same(folder, of, then, manifest, refresh is not None)
        elif (folder / of.texts).is_file():
            raise InputError(f"{folder} has a {of.texts} and no {of.manifest}: not a folder of this command; see --out")
        if other := next(
            (kind for kind in ENTITIES.values() if kind is not of and (folder / kind.texts).is_file()), None
        ):
            raise InputError(f"{folder} holds {other.text}s of {other.name} ({other.texts}); give --out another folder")
        self._lock = lock_output(folder)
        take_in(folder)
        if refresh is None:
            self.done = self._done(tokens)
        else:
            standing = refresh.standing(folder)
            set_aside(folder, standing)
            self.done, self._seen = refresh.stays(standing.seen), standing.seen
            self._number = {token: index for index, token in enumerate(tokens.tolist())}
        self._write_manifest(then)
        names = (of.texts if refresh is None else REFRESHED, FAILURES, PARTS)
        self._texts, self._failures, self._parts = (Journal(folder / name) for name in names)
        self._answers = self._read_parts(tokens)

    def check_disk(self, texts: int) -> None:
        """Stop before the start if so many further texts do not fit on the disk."""
        free = shutil.disk_usage(self.folder).free
        if free < texts * _BYTES_PER_TEXT:
            raise InputError(
                f"{self.folder}: {free / 1e9:.1f} GB are free, {texts:,} {self.of.text}s take up to "
                f"{texts * _BYTES_PER_TEXT / 1e9:.1f} GB; make room, or give --out another disk"
            )

    def add_profile(self, record: dict[str, Any]) -> None:
        """Write a finished text."""
        self._texts.append(record)
        if self._refresh is not None:
            self._seen[self._number[record[self.of.id]]] = record["interactions"]

    def add_failure(self, record: dict[str, Any]) -> None:
        """Write who got no text; the next run tries again."""
        self._failures.append(record)

    def add_part(self, token: str, text: str, answer: Answer) -> None:
        """Write the answer to one of several requests for one, so that it is not asked and paid again."""
        record = {
            self.of.id: token,
            "request": _request_hash(text),
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
        }
        self._parts.append(record)

    def part(self, token: str, text: str) -> Answer | None:
        """The answer to such a request, if an earlier run has got it; each is given once."""
        return self._answers.pop((token, _request_hash(text)), None)

    def close(self) -> None:
        """Bring all to the disk and let others in."""
        for journal in (self._texts, self._failures, self._parts):
            journal.close()
        try:
            if self._refresh is not None:
                take_in(self.folder)
                self._write_manifest(read_manifest(self.folder, self.of))
        finally:
            self._lock.release()

    def _write_manifest(self, then: dict[str, Any] | None) -> None:
        content = self._manifest
        if self._refresh is not None:
            content = {**content, "refresh": self._refresh.said(self._seen)}
        elif then is not None and "refresh" in then:  # what an earlier run left unseen is so still
            content = {**content, "refresh": then["refresh"]}
        write_manifest(self.folder, self.of, content, then)

    def _done(self, tokens: np.ndarray) -> np.ndarray:
        """Of each, whether there is a text."""
        order = np.argsort(tokens)
        in_order = tokens[order]
        done = np.zeros(len(tokens), dtype=bool)
        records = read_journal(self.folder / self.of.texts, self.of.id)
        for chunk in _chunks(record[self.of.id] for record in records):
            found = np.array(chunk, dtype=str)
            position = np.minimum(np.searchsorted(in_order, found), len(tokens) - 1)
            done[order[position[in_order[position] == found]]] = True
        return done

    def _read_parts(self, tokens: np.ndarray) -> dict[tuple[str, str], Answer]:
        """Answers for those who are not done."""
        remaining = None
        answers = {}
        for record in read_journal(self.folder / PARTS, self.of.id):
            if remaining is None:
                remaining = set(tokens[~self.done].tolist())
            if record[self.of.id] in remaining:
                answers[record[self.of.id], record["request"]] = Answer(
                    record["answer"], record["finish_reason"], record["prompt_tokens"], record["completion_tokens"]
                )
        return answers


def measured_answer_tokens(folder: Path, of: Entity, least: int = 20) -> float | None:
    """Mean length of the answers of a folder's texts, for an estimate; None below ``least`` texts."""
    texts = tokens = requests = 0
    for record in read_journal(folder / of.texts, of.id):
        texts += 1
        tokens += record.get("completion_tokens", 0)
        requests += record.get("requests", 1)
    return tokens / requests if texts >= least and tokens else None


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
