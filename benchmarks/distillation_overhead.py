"""What does distillation cost in training? An epoch with the distillation loss against one without, in turn.

    python benchmarks/distillation_overhead.py

MovieLens-100K with the profiles that ship with the package, all cores. A process trains one model for some epochs, the
first of which is left out; processes with and without distillation alternate. The claim: at most 10 % more.
"""

import argparse
import json
import statistics
import sys

from child import machine, run_child

ARMS = {"without": {"distill_alpha": 0}, "with": {"distill_epochs": 10**6}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=["SASRec", "BERT4Rec"], default=["SASRec", "BERT4Rec"])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of processes")
    parser.add_argument("--epochs", type=int, default=6, help="epochs per process")
    arguments = parser.parse_args()

    print(machine(), "\n")
    print("| model | seconds per epoch without | with | with / without (median of rounds; range) | peak memory, MiB |")
    print("|---|---|---|---|---|")
    for model in arguments.models:
        seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
        peaks: dict[str, list[float]] = {arm: [] for arm in ARMS}
        for number in range(arguments.rounds):
            for arm in list(ARMS)[:: 1 if number % 2 else -1]:  # neither is always first
                options = ["--model", model, "--epochs", arguments.epochs]
                run = run_child("train_llmdistill.py", *options, "--settings", json.dumps(ARMS[arm]))
                seconds[arm].append(statistics.median(run["seconds"][1:]))
                peaks[arm].append(run["peak_mib"])
                print(f"round {number + 1}: {model} {arm} {run['seconds']}", file=sys.stderr, flush=True)
        ratios = [b / a for a, b in zip(seconds["without"], seconds["with"], strict=True)]
        without, distilling = (statistics.median(seconds[arm]) for arm in ARMS)
        print(
            f"| {model}Distill | {without:.3f} | {distilling:.3f} "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) "
            f"| {statistics.median(peaks['without']):.0f}, {statistics.median(peaks['with']):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
