"""Read ``profiles.jsonl``: one line a user, with one profile text or several.

One: ``{"user_id": "7", "profile": "..."}``. Several, by the name of the view:
``{"user_id": "7", "profiles": {"tastes": "...", "habits": "..."}}``. Further keys are allowed.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.formats.answer_text import without_thought

TEXTS = "profiles.jsonl"
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPECTED = '{"user_id": "...", "profile": "..."} or {"user_id": "...", "profiles": {"VIEW": "...", ...}}'


@dataclass(frozen=True)
class ProfileTexts:
    """Profile texts of many users; equal texts are held once.

    Attributes:
        path: the file.
        user_tokens: the ``U`` users, in the order of the file.
        views: names of the ``K`` profiles a user; ``("profile",)`` where there is one.
        texts: the different texts, in the order of the file.
        text_of: ``[U, K]`` index into ``texts``, -1 where a user lacks that profile.
        empty: users without any text, who are left out of ``user_tokens``.
        thoughts: users in whose line a model's thought stood, which is no part of ``texts``.
    """

    path: Path
    user_tokens: list[str]
    views: tuple[str, ...]
    texts: list[str]
    text_of: np.ndarray
    empty: tuple[str, ...]
    thoughts: tuple[str, ...] = ()

    def warnings(self) -> Iterator[str]:
        """What the user should know of the file, for people."""
        if self.thoughts:
            yield (
                f"{self.path}: the texts of {len(self.thoughts):,} users hold a model's thought (the first is that of "
                f"{self.thoughts[0]!r}), which was left out here; who has nothing but a thought gets no vector: to "
                "have them written again, remove their lines and start the same `llmdistill generate` again"
            )
        if self.empty:
            yield (
                f"{self.path}: {len(self.empty)} users have an empty text (the first is {self.empty[0]!r}) and get no "
                "vector"
            )

    def digest(self) -> str:
        """SHA-256 of the different texts in their order."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(len(text).to_bytes(8, "little") + text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def joined(self, user: int) -> str:
        """All texts of the user in row ``user``, views one after another."""
        return "\n\n".join(self.texts[index] for index in self.text_of[user] if index >= 0)


def find_profile_texts(path: Path) -> Path:
    """The ``profiles.jsonl`` that ``path`` is, or that lies in the folder ``path``.

    Raises:
        InputError: there is none.
    """
    file = path / TEXTS if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file} does not exist; give a {TEXTS} or the folder that `llmdistill generate` wrote")
    return file


def read_profile_texts(path: Path) -> ProfileTexts:
    """Read a ``profiles.jsonl``. A text of white space counts as lacking; halves of surrogate pairs, as
    an LLM's answer that was cut within an emoji leaves, become U+FFFD.

    Thoughts of the model, which older versions wrote as they came, are left out; a text that is nothing else counts as
    lacking.

    Raises:
        InputError: a line is no JSON object of that form, a user stands there twice, or no user has a text.
    """
    rows: dict[str, list[int]] = {}  # user -> [view number, text number, ...]
    views: dict[str, int] = {}
    texts: dict[str, int] = {}
    empty, thoughts = [], []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                user, given = _parse(path, number, line)
                if user in rows:
                    raise InputError(
                        f"{path}, line {number}: user {user!r} has a profile already; keep one line a user"
                    )
                row: list[int] = []
                rows[user] = row
                profiles = {view: without_thought(text) for view, text in given.items()}
                if profiles != given:
                    thoughts.append(user)
                for view, text in profiles.items():
                    if text.strip():
                        row += views.setdefault(view, len(views)), texts.setdefault(text, len(texts))
                if not row:
                    empty.append(user)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    for user in empty:
        del rows[user]
    if not rows:
        kind = "empty or thoughts" if thoughts else "empty"
        raise InputError(
            f"{path}: no profiles in this file" + (f"; all {len(empty)} texts are {kind}" if empty else "")
        )
    text_of = np.full((len(rows), len(views)), -1, dtype=np.int64)
    for target, row in zip(text_of, rows.values(), strict=True):
        target[row[::2]] = row[1::2]
    return ProfileTexts(path, list(rows), tuple(views), list(texts), text_of, tuple(empty), tuple(thoughts))


def _parse(path: Path, number: int, line: str) -> tuple[str, dict[str, str]]:
    """User and view -> text of one line."""
    try:
        record = parse_json(line)
        user = record["user_id"]
        profiles = record["profiles"] if "profiles" in record else {"profile": record["profile"]}
        if (
            not isinstance(user, str)
            or not _is_unicode(user)
            or not all(isinstance(text, str) for text in profiles.values())
        ):
            raise TypeError("user_id and profiles must be strings of Unicode text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}, line {number}: expected {_EXPECTED} ({error!r})") from error
    if not _is_unicode("".join(profiles.values())) or not _is_unicode("".join(profiles)):
        profiles = {_mended(view): _mended(text) for view, text in profiles.items()}
    return user, profiles


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which no file in UTF-8 and no encoder takes."""
    return text.isascii() or not _SURROGATE.search(text)


def _mended(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
