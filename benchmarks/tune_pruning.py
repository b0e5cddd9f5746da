"""Does the scheduler of `llmdistill tune` prune without losing the winner? ASHA against none, on the same trials.

Both searches draw the same trials from the same seed, one after the other. The first lets all of them train to their
end; the second decides by ASHA. Training is deterministic, so what the first has recorded of a trial is reported to
the second from its journal instead of being trained twice. An interrupted run goes on when it is started again.

    python benchmarks/tune_pruning.py                        # 20 trials of 25 epochs: about 25 minutes on one core
    timeout -s INT 400 python benchmarks/tune_pruning.py     # a part of it

Prints a table, and writes the validation metric of every trial and epoch to `benchmarks/results/`.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

from recbole_llmdistill.tuning.folder import SearchFolder
from recbole_llmdistill.tuning.records import BEST, EPOCHS

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run both searches, or what is left of them, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--model", default="SASRecDistill")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--work", type=Path, default=Path("tune_pruning"), help="folder of the searches")
    arguments = parser.parse_args()
    folders = {scheduler: SearchFolder(arguments.work / scheduler) for scheduler in ("none", "asha")}
    search(arguments, "none", folders["none"])
    if not folders["asha"].identity.is_file():
        folders["asha"].path.mkdir(parents=True, exist_ok=True)
        shutil.copy(folders["none"].path / "journal.jsonl", folders["asha"].path / "journal.jsonl")
    search(arguments, "asha", folders["asha"])
    recorded = recorded_trials(folders["none"])
    rows = {scheduler: summary(folder, recorded) for scheduler, folder in folders.items()}
    result = {**{key: vars(arguments)[key] for key in ("dataset", "model", "trials", "epochs", "seed")}, **rows}
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"tune_pruning_{arguments.model}_{arguments.dataset}_{arguments.seed}.json"
    file.write_text(json.dumps({**result, "curves": recorded}) + "\n")
    print(f"\n{'scheduler':<10}{'best valid':>12}{'epochs':>8}{'training':>11}{'stopped':>9}{'winner':>8}")
    for scheduler, row in rows.items():
        print(
            f"{scheduler:<10}{row['best_score']:>12.4f}{row['epochs']:>8}{row['seconds']:>9.0f} s"
            f"{row['stopped']:>9}{row['winner']:>8}"
        )
    print(f"epochs: {rows['asha']['epochs'] / rows['none']['epochs']:.0%}; wrote {file}")
    return 0


def search(arguments: argparse.Namespace, scheduler: str, folder: SearchFolder) -> None:
    """One search by the command that users run."""
    command = [
        *(sys.executable, "-m", "recbole_llmdistill.cli.run_hyper"),
        *(f"--model={arguments.model}", f"--dataset={arguments.dataset}", f"--trials={arguments.trials}"),
        *(f"--epochs={arguments.epochs}", f"--seed={arguments.seed}", f"--scheduler={scheduler}", "--concurrency=1"),
        *(f"--out={folder.path}", f"--checkpoint_dir={folder.path / 'saved'}", "--resume"),
    ]
    subprocess.run(command, check=True)


def recorded_trials(folder: SearchFolder) -> dict[str, list[list[float]]]:
    """Settings of a trial, as JSON -> [epoch, validation metric, seconds so far] of each evaluation."""
    return {
        key: [[evaluation[EPOCHS], evaluation["score"], evaluation["seconds"]] for evaluation in history.evaluations]
        for key, history in folder.journal.read().items()
    }


def summary(folder: SearchFolder, recorded: dict[str, list[list[float]]]) -> dict[str, float]:
    """What a search cost and found, from its csv; seconds of training from the records of the full search."""
    with open(folder.trials, encoding="utf-8") as file:
        trials = list(csv.DictReader(file))
    best = json.loads(folder.best_result.read_text())
    epochs = [int(trial["epochs"]) for trial in trials]
    seconds = [curve[:count][-1][2] for curve, count in zip(recorded.values(), epochs, strict=True) if count]
    return {
        BEST: best["score_in_search"],
        "epochs": sum(epochs),
        "seconds": round(sum(seconds), 1),
        "stopped": sum(trial["status"] == "stopped" for trial in trials),
        "winner": best["trial"],
        "test_result": best["test_result"],
    }


if __name__ == "__main__":
    sys.exit(main())
