"""``--changed-by``: write again, in a folder of profiles, those whose users' histories have grown, and new users'.

A profile stays if its user's training history still begins with the very interactions that it was written from, and
has not grown by more than was said; so whatever stays has seen nothing but training interactions of today. What a
refresh writes goes to ``refreshed.jsonl`` and takes its place in ``profiles.jsonl`` when the run ends, however it ends;
until then the older profile counts. Nothing that was paid for is thrown away: what is replaced is kept in
``outdated.jsonl``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.files.fingerprint import fingerprint_codes, token_codes
from recbole_llmdistill.files.journal import Journal, json_line, read_journal
from recbole_llmdistill.formats.entity import USERS
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.profiles.history.histories import Histories

REFRESHED, OUTDATED = "refreshed.jsonl", "outdated.jsonl"


@dataclass
class Standing:
    """How the profiles of a folder stand to today's training histories.

    Attributes:
        seen: ``[users]`` interactions that each user's profile was written from, always the history's first; -1 without
            a profile that may be used.
        other: users whose profile saw what their training history does not begin with.
        unsaid: users whose profile, of an older version, does not say what it saw.
        gone: users who have no training history any more.
        broken: lines that are no records, and count as if they were not there.
    """

    seen: np.ndarray
    other: set[str]
    unsaid: set[str]
    gone: set[str]
    broken: int = 0

    @property
    def unusable(self) -> set[str]:
        """Users whose profile must not be used."""
        return self.other | self.unsaid | self.gone


@dataclass(frozen=True)
class Refresh:
    """Which profiles are to be written again.

    Attributes:
        histories: of today.
        changed_by: growth of a history up to which its profile stays: below 1 a share of what the profile saw, else a
            number of interactions.
        skip_broken: pass over lines of ``profiles.jsonl`` that are no records.
    """

    histories: Histories
    changed_by: float
    skip_broken: bool = False

    def standing(self, folder: Path) -> Standing:
        """Hold a folder's profiles against the histories; nothing is written.

        Raises:
            InputError: a line is no record, or not one of several profiles was written from these histories.
        """
        number = {token: index for index, token in enumerate(self.histories.tokens.tolist())}
        standing = Standing(np.full(len(number), -1, dtype=np.int64), set(), set(), set())

        def broken(_line: str) -> None:
            standing.broken += 1

        for name in (USERS.texts, REFRESHED):  # the latter's are the newer ones
            for record in read_journal(folder / name, USERS.id, broken if self.skip_broken else None):
                self._judge(record, number, standing)
        if standing.unsaid and self._all_saw_the_same(folder, standing, number):
            standing.unsaid.clear()
        if (standing.other or standing.gone) and not standing.unsaid and (standing.seen < 0).all():
            raise InputError(
                f"{folder}: no profile in it was written from what these training histories begin with; look whether "
                "data set, filters and split are those of that time, or give --out another folder"
            )
        return standing

    def _judge(self, record: dict[str, Any], number: dict[str, int], standing: Standing) -> None:
        token, saw, digest = record[USERS.id], record.get("interactions"), record.get("history")
        index = number.get(token)
        for users in (standing.other, standing.unsaid, standing.gone):
            users.discard(token)
        if index is None:
            standing.gone.add(token)
        elif not isinstance(saw, int) or not isinstance(digest, str):
            standing.unsaid.add(token)
            standing.seen[index] = saw if isinstance(saw, int) else -1
        elif 0 < saw <= self.histories.lengths[index] and self.histories.digest(index, saw) == digest:
            standing.seen[index] = saw
        else:
            standing.other.add(token)
            standing.seen[index] = -1

    def _all_saw_the_same(self, folder: Path, standing: Standing, number: dict[str, int]) -> bool:
        """Whether the fingerprint of older records, which lack digests, says that all saw the first interactions.

        Where it does not, those records count as without a profile.
        """
        manifest = read_manifest(folder) or {}
        lengths = np.maximum(standing.seen, 0)
        same = (
            not (standing.other or standing.gone)
            and bool((lengths <= self.histories.lengths).all())
            and self._fingerprint(lengths) == manifest.get(USERS.fingerprint)
        )
        if not same:
            standing.seen[[number[token] for token in standing.unsaid]] = -1
        return same

    def _fingerprint(self, lengths: np.ndarray) -> str:
        """Of the users' first interactions, so many of each."""
        histories = self.histories
        index = np.arange(lengths.sum()) + np.repeat(histories.first - (np.cumsum(lengths) - lengths), lengths)
        users = np.repeat(token_codes(histories.tokens), lengths)
        return fingerprint_codes(users, histories.item_codes[histories.items[index]])

    def stays(self, seen: np.ndarray) -> np.ndarray:
        """Users whose profile stays, ``[users]`` bool."""
        growth = self.histories.lengths - seen
        return (seen >= 0) & (growth <= (self.changed_by * seen if self.changed_by < 1 else self.changed_by))

    def lines(self, standing: Standing) -> Iterator[str]:
        """What stays and what does not, for people."""
        stays = self.stays(standing.seen)
        has = standing.seen >= 0
        behind = stays & (standing.seen < self.histories.lengths)
        missed = int((self.histories.lengths - standing.seen)[behind].sum())
        yield (
            f"profiles that stay {stays.sum():,} ({behind.sum():,} of them have not seen the newest {missed:,} "
            f"interactions); histories that grew by more than {self.changed_by:g}: {(has & ~stays).sum():,}; users "
            f"without a profile: {(~has).sum():,}"
        )
        if standing.other:
            yield f"{len(standing.other):,} profiles saw what their users' training histories do not begin with"
        if standing.unsaid:
            yield f"{len(standing.unsaid):,} profiles, of an older version, do not say which interactions they saw"
        if standing.broken:
            yield f"{standing.broken:,} lines of {USERS.texts} cannot be read and are passed over (kept in {OUTDATED})"
        if standing.gone:
            yield f"{len(standing.gone):,} profiles are of users without a training history, who get none"

    def said(self, seen: np.ndarray) -> dict[str, Any]:
        """For the manifest: what the profiles did not see of the training part.

        Args:
            seen: ``[users]`` as in :class:`Standing`.
        """
        behind = (seen >= 0) & (seen < self.histories.lengths)
        return {
            "changed_by": self.changed_by,
            "profiles_behind": int(behind.sum()),
            "interactions_unseen": int((self.histories.lengths - seen)[behind].sum()),
        }


def set_aside(folder: Path, standing: Standing) -> None:
    """Take what must not be used, and what cannot be read, out of ``profiles.jsonl``; ``outdated.jsonl`` keeps it."""
    if standing.unusable or standing.broken:
        _rewrite(folder, standing.unusable, [])


def take_in(folder: Path) -> None:
    """Let what a refresh has written take its place in ``profiles.jsonl``, if there is anything.

    Done again after a crash in its middle, it comes to the same.
    """
    path = folder / REFRESHED
    if not path.is_file():
        return
    users = {record[USERS.id] for record in read_journal(path, USERS.id)}
    if users:
        _rewrite(folder, users, read_journal(path, USERS.id))
    path.unlink()


def _rewrite(folder: Path, without: set[str], more: Iterable[dict[str, Any]]) -> None:
    path, outdated = folder / USERS.texts, Journal(folder / OUTDATED)

    def keep_broken(line: str) -> None:
        outdated.append({USERS.id: "", "broken": line})

    try:
        with written_atomically(path) as temporary, open(temporary, "wb") as file:
            for record in read_journal(path, USERS.id, keep_broken):
                if record[USERS.id] in without:
                    outdated.append(record)
                else:
                    file.write(json_line(record))
            for record in more:
                file.write(json_line(record))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        outdated.close()
        if not outdated.path.stat().st_size:
            outdated.path.unlink()
