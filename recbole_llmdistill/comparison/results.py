"""What came out of the runs: a folder with one line a run in an append-only file, and the cases' values beside it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.journal import Journal, read_journal

RESULTS = "results.jsonl"
_CASES, _SCRATCH, _LOGS = "cases", "scratch", "logs"


@dataclass(frozen=True)
class Run:
    """A run that is to be made or was made.

    Attributes:
        label: of its arm.
        identity: of its settings.
        seed: its seed.
    """

    label: str
    identity: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its files."""
        words = "".join(letter if letter.isalnum() else "-" for letter in self.label)
        return f"{'-'.join(filter(None, words.split('-')))}-seed{self.seed}-{self.identity}"


class Results:
    """What a folder of results holds, to be read by anybody.

    Args:
        path: the folder.

    Raises:
        InputError: its file of results is broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = list(read_journal(path / RESULTS, key="identity"))

    def done(self, run: Run) -> dict[str, Any] | None:
        """The record of a run that succeeded, with its cases' values; None if it has to be made."""
        for record in reversed(self.records):
            same = record["identity"] == run.identity and record["seed"] == run.seed
            if same and record["status"] == "done" and (self.path / record["cases"]).is_file():
                return record
        return None

    def failure(self, run: Run) -> str | None:
        """Why the last attempt at a run failed; None if there was none."""
        for record in reversed(self.records):
            if record["identity"] == run.identity and record["seed"] == run.seed:
                return record.get("reason")
        return None

    def values(self, record: Mapping[str, Any], metric: str) -> np.ndarray | None:
        """``[R]`` values of a metric for each test case; None if the run has none."""
        with np.load(self.path / record["cases"], allow_pickle=False) as file:
            return file[metric].astype(np.float64) if metric in file.files else None


class ResultsFolder(Results):
    """The folder of a comparison, which one process at a time may add to.

    Args:
        path: the folder; made if it does not exist.
        dataset: name of the data set.
        fingerprints: of its training and test part.

    Raises:
        InputError: it cannot be written, another process adds to it, or it holds results of other data.
    """

    def __init__(self, path: Path, dataset: str, fingerprints: Mapping[str, str]) -> None:
        self.dataset, self.fingerprints = dataset, dict(fingerprints)
        self._lock = lock_output(path)
        try:
            for folder in (_CASES, _SCRATCH, _LOGS):
                (path / folder).mkdir(exist_ok=True)
            super().__init__(path)
            self._check()
        except InputError:
            self._lock.release()
            raise
        except OSError as error:
            self._lock.release()
            raise InputError(f"--out={path}: cannot be written ({error.strerror})") from error
        shutil.rmtree(path / _SCRATCH)  # of runs that were killed
        self._journal = Journal(path / RESULTS)

    def _check(self) -> None:
        for number, record in enumerate(self.records, start=1):
            data = record.get("data", {})
            if data.get("dataset") != self.dataset or data.get("fingerprints") != self.fingerprints:
                other = data.get("dataset")
                what = f"of the data set {other!r}" if other != self.dataset else f"of another split of {other!r}"
                raise InputError(
                    f"{self.path / RESULTS}, line {number}: results {what} (other filters, eval_args or files); "
                    "give another --out"
                )

    def scratch(self, run: Run) -> Path:
        """An empty folder for a run to work in."""
        folder = self.path / _SCRATCH / run.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def log_file(self, run: Run) -> Path:
        """Where a run's log goes."""
        return self.path / _LOGS / f"{run.name}.log"

    def add(self, run: Run, result: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
        """Keep what a run left behind: the cases' values first, so that a line in the file has them."""
        record = {"label": run.label, "identity": run.identity, "seed": run.seed, **facts}
        record["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        record |= {"data": {"dataset": self.dataset, "fingerprints": self.fingerprints}, **result}
        scratch = self.path / _SCRATCH / run.name
        if result["status"] == "done":
            record["cases"] = f"{_CASES}/{run.name}.npz"
            (scratch / "cases.npz").replace(self.path / record["cases"])
        self._journal.append(record)
        self.records.append(json.loads(json.dumps(record)))
        shutil.rmtree(scratch, ignore_errors=True)
        return record

    def close(self) -> None:
        """Bring everything to the disk and let others add."""
        self._journal.close()
        shutil.rmtree(self.path / _SCRATCH, ignore_errors=True)
        self._lock.release()

    def __enter__(self) -> "ResultsFolder":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def code_versions(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The different commits, or versions, that made these records."""
    states = []
    for record in records:
        code = record.get("code", {})
        git = code.get("git")
        states.append(
            f"{git['commit'][:12]}{' with changes' if git['changed'] else ''}"
            if git
            else f"version {code.get('recbole-llmdistill')}"
        )
    return sorted(set(states))
