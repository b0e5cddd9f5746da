"""What a search leaves: a csv with a line per trial, and RecBole's text of the same."""

import csv
import io
from collections.abc import Iterable

from recbole_llmdistill.tuning.records import BEST, EPOCHS, Trial


def best_trial(trials: Iterable[Trial], bigger: bool) -> Trial | None:
    """The trial with the best validation metric; the earlier of two that are equal. Failed and lost ones do not count.

    Args:
        trials: of the search.
        bigger: whether a bigger metric is better.
    """
    evaluated = [trial for trial in trials if trial.last and trial.status not in ("failed", "lost")]
    return min(evaluated, key=lambda trial: (trial.score * (-1 if bigger else 1), trial.number), default=None)


def trials_csv(trials: list[Trial], metric: str) -> str:
    """A header, and a line a trial that has ended, in the order of their numbers.

    Args:
        trials: of the search.
        metric: name of the metric that selects; it has a column of its own.
    """
    keys = list(trials[0].values) if trials else []
    metrics = next((list(trial.last["metrics"]) for trial in trials if trial.last), [])
    fields = ["trial", "status", "epochs", "best_epoch", f"valid {metric}", "seconds", *keys]
    fields += [f"valid {name}" for name in metrics] + ["reason"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(fields)
    for trial in trials:
        if trial.status == "running":
            continue
        last = trial.last or {}
        row = [trial.number, trial.status, last.get(EPOCHS, 0), last.get("best_epoch"), last.get(BEST)]
        row += [last.get("seconds"), *(trial.values[key] for key in keys)]
        row += [last["metrics"].get(name) if last else None for name in metrics]
        writer.writerow([*row, trial.reason])
    return stream.getvalue()


def recbole_text(trials: Iterable[Trial], best: Trial, test_result: dict[str, float]) -> str:
    """The text that RecBole's ``run_hyper`` writes by ``--output_file``; test metrics of the winner alone."""
    paragraphs = []
    for trial in trials:
        if trial.last:
            lines = [", ".join(f"{key}:{value}" for key, value in trial.values.items()), "Valid result:"]
            lines.append(_metrics(trial.last["metrics"]))
            lines += ["Test result:", _metrics(test_result)] if trial is best else []
            paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs) + "\n"


def _metrics(result: dict[str, float]) -> str:
    return "    ".join(f"{name} : {value}" for name, value in result.items())
