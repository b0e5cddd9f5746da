"""Read ``profiles.jsonl``: one line per user, with one profile text or several; and ``items.jsonl``, one line per item.

One: ``{"user_id": "7", "profile": "..."}``. Several, by the name of the view:
``{"user_id": "7", "profiles": {"tastes": "...", "habits": "..."}}``. Of items: ``{"item_id": "7", "text": "..."}`` or
``{"item_id": "7", "texts": {...}}``. Further keys are allowed.
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
from recbole_llmdistill.formats.entity import USERS, Entity

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class ProfileTexts:
    """Texts of many users (or items); equal texts are held once.

    Attributes:
        path: the file.
        tokens: the ``U`` users, in the order of the file.
        views: names of the ``K`` profiles per user; ``("profile",)`` (``("text",)``) where there is one.
        texts: the different texts, in the order of the file.
        text_of: ``[U, K]`` index into ``texts``, -1 where a user lacks that profile.
        empty: users without any text, who are left out of ``tokens``.
        thoughts: users in whose line a model's thought stood, which is no part of ``texts``.
        of: users or items.
    """

    path: Path
    tokens: list[str]
    views: tuple[str, ...]
    texts: list[str]
    text_of: np.ndarray
    empty: tuple[str, ...]
    thoughts: tuple[str, ...] = ()
    of: Entity = USERS

    def warnings(self) -> Iterator[str]:
        """What the user should know of the file, for people."""
        if self.thoughts:
            yield (
                f"{self.path}: the texts of {len(self.thoughts):,} {self.of.name} hold a model's thought (the first "
                f"is that of {self.thoughts[0]!r}), which was left out here; who has nothing but a thought gets no "
                "vector: to have them written again, remove their lines and start the same `llmdistill generate` "
                "again"
            )
        if self.empty:
            yield (
                f"{self.path}: {len(self.empty)} {self.of.name} have an empty text (the first is {self.empty[0]!r}) "
                "and get no vector"
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


def find_profile_texts(path: Path, of: Entity = USERS) -> Path:
    """The ``profiles.jsonl`` (``items.jsonl``) that ``path`` is, or that lies in the folder ``path``.

    Raises:
        InputError: there is none.
    """
    file = path / of.texts if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file} does not exist; give a {of.texts} or the folder that `llmdistill generate` wrote")
    return file


def read_profile_texts(path: Path, of: Entity = USERS) -> ProfileTexts:
    """Read a ``profiles.jsonl`` or ``items.jsonl``. A text of white space counts as lacking; halves of surrogate pairs,
    as an LLM's answer that was cut within an emoji leaves, become U+FFFD.

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
                user, given = _parse(path, number, line, of)
                if user in rows:
                    raise InputError(
                        f"{path}, line {number}: {of.noun} {user!r} has a {of.text} already; keep one line per "
                        f"{of.noun}"
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
            f"{path}: no {of.text}s in this file" + (f"; all {len(empty)} texts are {kind}" if empty else "")
        )
    text_of = np.full((len(rows), len(views)), -1, dtype=np.int64)
    for target, row in zip(text_of, rows.values(), strict=True):
        target[row[::2]] = row[1::2]
    return ProfileTexts(path, list(rows), tuple(views), list(texts), text_of, tuple(empty), tuple(thoughts), of)


def _parse(path: Path, number: int, line: str, of: Entity) -> tuple[str, dict[str, str]]:
    """User (or item) and view -> text of one line."""
    one, several = of.text, f"{of.text}s"
    try:
        record = parse_json(line)
        user = record[of.id]
        profiles = record[several] if several in record else {one: record[one]}
        if (
            not isinstance(user, str)
            or not _is_unicode(user)
            or not all(isinstance(text, str) for text in profiles.values())
        ):
            raise TypeError(f"{of.id} and {several} must be strings of Unicode text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        expected = f'{{"{of.id}": "...", "{one}": "..."}} or {{"{of.id}": "...", "{several}": {{"VIEW": "...", ...}}}}'
        raise InputError(f"{path}, line {number}: expected {expected} ({error!r})") from error
    if not _is_unicode("".join(profiles.values())) or not _is_unicode("".join(profiles)):
        profiles = {_mended(view): _mended(text) for view, text in profiles.items()}
    return user, profiles


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which no file in UTF-8 and no encoder takes."""
    return text.isascii() or not _SURROGATE.search(text)


def _mended(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
