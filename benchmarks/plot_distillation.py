"""Draw what ``distillation_ml100k.py`` measured: the validation NDCG@10 after each epoch, mean over seeds and spread.

pip install '.[plot]'
python benchmarks/plot_distillation.py distillation_ml100k.jsonl docs/distillation_ml100k.svg
"""

import argparse
import json
import statistics
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

COLORS = {"plain": "#7f7f7f", "shuffled": "#d98c3f", "distilled": "#1f6fb4"}
LABELS = {"plain": "plain", "shuffled": "distilled, profiles shuffled between users", "distilled": "distilled"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--model", default="SASRecDistill")
    arguments = parser.parse_args()
    runs = [json.loads(line) for line in arguments.results.read_text(encoding="utf-8").splitlines()]
    runs = [run for run in runs if run["model"] == arguments.model]

    mpl.rcParams["svg.hashsalt"] = "fixed"  # the same figure, byte for byte, from the same results
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for panel, part in zip(axes, ("valid", "test"), strict=True):
        for arm in COLORS:
            of_arm = [[epoch[part]["ndcg@10"] for epoch in run["epochs"]] for run in runs if run["arm"] == arm]
            by_epoch = list(zip(*of_arm, strict=True))
            mean = [statistics.fmean(values) for values in by_epoch]
            spread = [statistics.stdev(values) if len(values) > 1 else 0 for values in by_epoch]
            epochs = range(len(mean))
            panel.plot(epochs, mean, color=COLORS[arm], label=f"{LABELS[arm]} ({len(of_arm)} seeds)")
            low, high = ([m + sign * s for m, s in zip(mean, spread, strict=True)] for sign in (-1, 1))
            panel.fill_between(epochs, low, high, color=COLORS[arm], alpha=0.15, linewidth=0)
        panel.set_title({"valid": "validation item", "test": "test item"}[part], fontsize=10)
        panel.set_xlabel("epoch")
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", alpha=0.25)
    axes[0].set_ylabel(f"NDCG@10 of {arguments.model}, MovieLens-100K")
    axes[1].legend(loc="lower right", fontsize=8, frameon=False)
    arguments.figure.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.figure, metadata={"Date": None})


if __name__ == "__main__":
    main()
