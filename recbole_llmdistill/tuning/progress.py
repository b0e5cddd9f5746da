"""Keeps the record of a search while it runs, and shows it: a bar, a line a finished trial, a table now and then."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from ray.tune import Callback
from tabulate import tabulate
from tqdm import tqdm

from recbole_llmdistill.ray_cluster import reason_of_loss
from recbole_llmdistill.tuning.records import BEST, EPOCHS, SearchJournal, Status, Trial, TrialHistory, values_key
from recbole_llmdistill.tuning.trial import Evaluation, TrialFailed

_TABLE_SECONDS = 60


class SearchProgress(Callback):
    """Ray Tune calls it with everything that happens.

    Args:
        trials: how many there will be.
        metric: name of the validation metric.
        values: settings of what Ray has drawn.
        epochs: epochs of a trial with these settings, if nothing stops it.
        histories: what an earlier run of this search has recorded.
        journal: where to record.
        failures: folder for the tracebacks of failed trials.
        on_end: called with all trials whenever one has ended.
        time_budget: seconds after which Ray ends the search.
        heard: called whenever something has happened.
    """

    def __init__(
        self,
        trials: int,
        metric: str,
        values: Callable[[Mapping[str, Any]], dict[str, Any]],
        epochs: Callable[[Mapping[str, Any]], int],
        histories: dict[str, TrialHistory],
        journal: SearchJournal,
        failures: Path,
        on_end: Callable[[list[Trial]], None],
        time_budget: float | None,
        heard: Callable[[], None],
    ) -> None:
        self.trials: dict[str, Trial] = {}
        self._metric, self._values, self._epochs = metric, values, epochs
        self._recorded = {
            key: history.evaluations[-1]["epoch"] for key, history in histories.items() if history.evaluations
        }
        self._journal, self._failures, self._on_end, self._heard = journal, failures, on_end, heard
        self._deadline = time.monotonic() + time_budget if time_budget else float("inf")
        self._failing: list[Any] = []
        self._next_table = time.monotonic() + _TABLE_SECONDS
        self._news = False
        self._bar = tqdm(total=trials, unit="trial", desc="search", file=sys.stderr, mininterval=0.5, smoothing=0)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its callbacks down for a ``Tuner.restore``, which is not used here."""
        return {}

    def end_running(self) -> None:
        """The search is over; Ray says nothing of the trials that the end of the time budget cut off."""
        for trial in self.trials.values():
            if trial.status == "running":
                trial.status = self._why_stopped(trial)
                self._end(trial)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._bar.close()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Ray has drawn a trial and given it a worker."""
        self._ours(trial)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has reported an evaluation, or that it has come to its end."""
        self._news = True
        self._heard()
        ours = self._ours(trial)
        if result.get("ended"):
            ours.status = "finished"
            return
        evaluation = Evaluation(**{name: result[name] for name in Evaluation.model_fields}).model_dump()
        ours.evaluations.append(evaluation)
        if evaluation["epoch"] > self._recorded.get(values_key(ours.values), 0):
            self._journal.evaluated(ours, evaluation)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has come to its end, or was stopped; one that had not begun when time ran out is none of ours."""
        ours = self.trials.get(trial.trial_id)
        if ours is None:
            return
        if ours.status == "running":
            ours.status = self._why_stopped(ours)
        self._end(ours)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has failed; Ray writes down why only after this call."""
        self._failing.append(trial)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ray has handled one event."""
        for trial in [trial for trial in self._failing if trial.error_file]:
            self._failing.remove(trial)
            self._fail(trial, Path(trial.error_file).read_text(encoding="utf-8", errors="replace"))
        if time.monotonic() > self._next_table:
            self._next_table = time.monotonic() + _TABLE_SECONDS
            if self._news:  # of silence the cluster speaks
                self._print_table()
            self._news = False

    def _ours(self, trial: Any) -> Trial:
        if trial.trial_id not in self.trials:
            self.trials[trial.trial_id] = Trial(len(self.trials) + 1, self._values(trial.config))
            self._journal.started(self.trials[trial.trial_id])
        return self.trials[trial.trial_id]

    def _why_stopped(self, trial: Trial) -> Status:
        if trial.last and trial.last[EPOCHS] >= self._epochs(trial.values):
            return "finished"
        return "out of time" if time.monotonic() >= self._deadline else "stopped"

    def _fail(self, trial: Any, text: str) -> None:
        ours = self._ours(trial)
        ours.status, ours.reason = outcome_of(text)
        self._failures.mkdir(exist_ok=True)
        (self._failures / f"trial_{ours.number}.txt").write_text(text, encoding="utf-8")
        self._end(ours)

    def _end(self, trial: Trial) -> None:
        self._heard()
        self._journal.ended(trial)
        self._on_end(list(self.trials.values()))
        self._write(self.line(trial))
        self._bar.update(1)
        ended = [trial.status for trial in self.trials.values()]
        self._bar.set_postfix_str(", ".join(f"{ended.count(s)} {s}" for s in ("running", "stopped", "failed", "lost")))

    def line(self, trial: Trial) -> str:
        """What became of a trial."""
        values = " ".join(f"{key}={shown(value)}" for key, value in trial.values.items())
        if trial.status == "failed":
            return f"trial {trial.number} failed: {trial.reason}; {values}"
        if trial.status == "lost":
            return f"trial {trial.number} lost: {trial.reason}; others go on, and --resume trains it again; {values}"
        if trial.last is None:
            return f"trial {trial.number} {trial.status} before its first evaluation; {values}"
        return (
            f"trial {trial.number} {trial.status} after {trial.last[EPOCHS]} epochs: {self._metric} "
            f"{trial.last[BEST]:.4f} in epoch {trial.last['best_epoch']}, {trial.last['seconds']:.0f} s; {values}"
        )

    def _print_table(self) -> None:
        rows = [
            [trial.number, trial.last[EPOCHS] if trial.last else 0, trial.last[BEST] if trial.last else None]
            + [shown(value) for value in trial.values.values()]
            for trial in self.trials.values()
            if trial.status == "running"
        ]
        if rows:
            keys = next(iter(self.trials.values())).values
            headers = ["running trial", "epoch", f"best {self._metric}", *keys]
            self._write(tabulate(rows, headers=headers, floatfmt=".4f"))

    def _write(self, text: str) -> None:
        self._bar.write(text, file=sys.stdout)
        sys.stdout.flush()  # a file or a pipe shows it now too


def shown(value: Any) -> str:
    """A setting's value, short enough for a line."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def outcome_of(text: str) -> tuple[Literal["failed", "lost"], str]:
    """What became of a trial, and why in one line, from what Ray writes down of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    ours = [line.partition(": ")[2] for line in lines if line.partition(": ")[0].endswith(TrialFailed.__name__)]
    if ours:
        return "failed", ours[-1]
    if (loss := reason_of_loss(text)) is not None:
        return "lost", loss
    error = [line for line in lines if line.startswith("ray.exceptions.")]
    return "failed", (error or lines or ["unknown"])[-1].removeprefix("ray.exceptions.")
