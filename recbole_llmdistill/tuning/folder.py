"""The folder of a search: what lies in it, and that it is the same search that goes on there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import write_text_atomically
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.tuning.records import SearchJournal


class SearchFolder:
    """Paths in the folder that ``--out`` names.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity = path / "search.json"
        self.trials = path / "trials.csv"
        self.best_settings = path / "best.yaml"
        self.best_result = path / "best.json"
        self.page = path / "search.html"
        self.failures = path / "failures"
        self.journal = SearchJournal(path / "journal.jsonl")

    def open(self, identity: Mapping[str, Any], resume: bool) -> None:
        """Make the folder the place of the search that ``identity`` describes.

        Args:
            identity: everything that decides what the trials are and how they are measured.
            resume: whether an interrupted search may lie there.

        Raises:
            InputError: the folder holds another search, or this one without ``resume``.
        """
        now = json.loads(json.dumps(identity, default=str))
        if self.identity.is_file():
            then = self._read(self.identity)
            differing = [
                f"{key} {_short(then.get(key))} there, {_short(now.get(key))} here"
                for key in sorted(then.keys() | now.keys())
                if then.get(key) != now.get(key)
            ]
            if differing:
                raise InputError(f"--out={self.path} holds another search ({'; '.join(differing)}); choose another")
            if not resume:
                raise InputError(f"--out={self.path} holds this search already; --resume goes on with it")
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--out={self.path}: cannot be made ({error.strerror or error})") from error
        write_text_atomically(self.identity, json.dumps(now, indent=2) + "\n")

    def read_best(self) -> dict[str, Any] | None:
        """What the winner reached, if it has been tested."""
        return self._read(self.best_result) if self.best_result.is_file() else None

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            content = parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}); give another folder by --out") from error
        if not isinstance(content, dict):
            raise InputError(f"{path}: does not describe a search; give another folder by --out")
        return content


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
