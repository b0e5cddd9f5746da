"""What a search has seen: an append-only journal, from which a killed search goes on, and its trials in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.journal import Journal, read_journal

BEST = "best_score"
"""What schedulers and searchers compare: the validation metric of the best epoch so far, which is what a run keeps."""
EPOCHS = "epoch"
"""The time that schedulers count in: epochs trained."""

Status = Literal["running", "finished", "stopped", "out of time", "failed", "lost"]
"""``finished``: trained to its end; ``stopped``: by the scheduler; ``out of time``: by the time budget; ``failed``: by
an error of its own; ``lost``: its process or its machine ended."""


@dataclass
class TrialHistory:
    """Evaluations that were recorded of some settings.

    Attributes:
        evaluations: as reported, one an epoch that was evaluated, in order.
        ended: whether training came to its own end after them.
    """

    evaluations: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


@dataclass
class Trial:
    """A trial of this search.

    Attributes:
        number: from 1, in the order in which they were drawn.
        values: the settings that were drawn.
        evaluations: as reported.
        status: what became of it.
        reason: why it failed, in one line.
    """

    number: int
    values: dict[str, Any]
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    status: Status = "running"
    reason: str = ""

    @property
    def last(self) -> dict[str, Any] | None:
        """The last evaluation, if there was one."""
        return self.evaluations[-1] if self.evaluations else None

    @property
    def score(self) -> float:
        """The best validation score, of a trial that was evaluated."""
        return self.evaluations[-1][BEST]


def values_key(values: Mapping[str, Any]) -> str:
    """The same text for the same settings."""
    return json.dumps(values, sort_keys=True, default=str)


class SearchJournal:
    """``journal.jsonl``: a line when a trial starts, is evaluated, and ends.

    Args:
        path: the file; it is made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal: Journal | None = None

    def read(self) -> dict[str, TrialHistory]:
        """What is recorded, by :func:`values_key`.

        Raises:
            InputError: a line is no record of a search; names it.
        """
        histories: dict[str, TrialHistory] = {}
        values_of: dict[int, str] = {}
        for number, record in enumerate(read_journal(self._path, key="trial"), start=1):
            try:
                trial = record["trial"]
                if "values" in record:
                    values_of[trial] = values_key(record["values"])
                    histories.setdefault(values_of[trial], TrialHistory())
                    continue
                history = histories[values_of[trial]]
                if "evaluation" not in record:
                    history.ended |= record["end"] == "finished"
                elif not history.evaluations or record["evaluation"]["epoch"] > history.evaluations[-1]["epoch"]:
                    history.evaluations.append(record["evaluation"])
            except (KeyError, TypeError) as error:
                raise InputError(
                    f"{self._path}, line {number}: no record of a search ({error!r}); fix or remove the line"
                ) from error
        return histories

    def started(self, trial: Trial) -> None:
        """A trial has been drawn."""
        self._append({"trial": trial.number, "values": json.loads(values_key(trial.values))})

    def evaluated(self, trial: Trial, evaluation: dict[str, Any]) -> None:
        """A trial has reported."""
        self._append({"trial": trial.number, "evaluation": evaluation})

    def ended(self, trial: Trial) -> None:
        """A trial is over."""
        self._append({"trial": trial.number, "end": trial.status, "reason": trial.reason})

    def _append(self, record: dict[str, Any]) -> None:
        if self._journal is None:
            self._journal = Journal(self._path)
        self._journal.append(record)
