"""Read ``profiles.jsonl``: one line a user, ``{"user_id": "...", "profile": "..."}``, further keys allowed."""

import json
from pathlib import Path

from recbole_llmdistill.errors import InputError


def read_profile_texts(path: Path) -> dict[str, str]:
    """Profile text of each user, in the order of the file.

    Raises:
        InputError: a line is no JSON object with both keys, a user stands there twice, or the file is empty.
    """
    texts: dict[str, str] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                user, text = record["user_id"], record["profile"]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f'{path}, line {number}: expected {{"user_id": "...", "profile": "..."}} ({error!r})'
                ) from error
            if user in texts:
                raise InputError(f"{path}, line {number}: user {user!r} has a profile already; keep one line a user")
            texts[user] = text
    if not texts:
        raise InputError(f"{path}: no profiles in this file")
    return texts
