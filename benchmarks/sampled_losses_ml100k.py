"""What do sampled losses cost in quality? MovieLens-100K, where the softmax over all items is affordable.

    python benchmarks/sampled_losses_ml100k.py --seeds 2 --epochs 30

Plain SASRecDistill (no distillation) with each loss, all else equal; readings as in ``distillation_ml100k.py``, whose
training function this script uses. Finished runs are appended to ``--results`` and not repeated.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from distillation_ml100k import readings, train

LOSSES = {
    "softmax": {},
    "sampled_softmax, 64": {"sequence_loss": "sampled_softmax", "sequence_negatives": 64},
    "sampled_softmax, 1024": {"sequence_loss": "sampled_softmax", "sequence_negatives": 1024},
    "gbce, 64": {"sequence_loss": "gbce", "sequence_negatives": 64},
    "gbce, 256": {"sequence_loss": "gbce", "sequence_negatives": 256},
    "gbce, 256, t = 0 (BCE)": {
        "sequence_loss": "gbce",
        "sequence_negatives": 256,
        "sequence_gbce_calibration": 0.0,
    },
    "softmax, smoothed by .1": {"sequence_popularity_smoothing": 0.1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--seeds", type=int, default=2, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--results", type=Path, default=Path("sampled_losses_ml100k.jsonl"))
    arguments = parser.parse_args()
    lines = arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results.exists() else []
    done = [json.loads(line) for line in lines]
    print("| loss | best epoch: NDCG@10 valid / test | NLL valid / test | seeds |\n|---|---|---|---|")
    for name in arguments.losses:
        settings = {"epochs": arguments.epochs, **LOSSES[name]}
        runs = [run for run in done if run["settings"] == settings and run["seed"] < arguments.seeds]
        for seed in set(range(arguments.seeds)) - {run["seed"] for run in runs}:
            start = time.perf_counter()
            runs.append(train("SASRecDistill", "plain", seed, settings))
            with open(arguments.results, "a", encoding="utf-8") as file:
                file.write(json.dumps(runs[-1]) + "\n")
            print(f"{name}, seed {seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        values = [readings(run["epochs"]) for run in runs]

        def mean(part: str, metric: str, values: list[dict] = values) -> float:
            return statistics.fmean(value["best epoch", part, metric] for value in values)

        print(
            f"| {name} | {mean('valid', 'ndcg@10'):.4f} / {mean('test', 'ndcg@10'):.4f} "
            f"| {mean('valid', 'nll'):.3f} / {mean('test', 'nll'):.3f} | {len(values)} |"
        )


if __name__ == "__main__":
    main()
