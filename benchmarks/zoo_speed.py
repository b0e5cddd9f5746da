"""An epoch of RecBole's sequential models and of the distilled ones, in seconds, and the memory it takes.

    python benchmarks/zoo_speed.py --batches 5

MovieLens-100K, RecBole's settings of each model, batches of 2,048 prefixes there and this package's defaults here; each
model in a process of its own, in turn, one library after the other. An epoch is the mean of the timed batches times the
number of batches.
"""

import argparse
import json
from pathlib import Path

from child import machine, run_child

MODELS = ("SASRec", "BERT4Rec", "GRU4Rec", "NARM", "STAMP", "NextItNet", "Caser", "CORE", "LightSANs", "SASRecF")


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", type=int, default=5, help="timed batches of an epoch")
    parser.add_argument("--out", type=Path, help="append each measurement to this file")
    given = parser.parse_args()
    print(machine())
    print(
        "\n| model | RecBole: epoch, s | peak, MiB | here: epoch, s | peak, MiB | times faster |"
        "\n|---|---|---|---|---|---|"
    )
    for model in given.models:
        runs = []
        for name in (model, f"{model}Distill"):
            run = run_child("train_batches.py", "--model", name, "--batches", given.batches)
            runs.append(run)
            if given.out:
                with given.out.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"model": name, **run}) + "\n")
        theirs, ours = runs
        cells = [f"{run['epoch_seconds']:.1f} | {run['peak_mib']:,.0f}" for run in runs]
        print(f"| {model} | {' | '.join(cells)} | {theirs['epoch_seconds'] / ours['epoch_seconds']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
