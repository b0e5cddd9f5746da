"""How does an epoch's cost grow with users, sequence length, items and hidden size? Synthetic data, one plot each.

    pip install '.[plot]'
    python benchmarks/growth.py --figures benchmarks/results

SASRecDistill without distillation, 2 layers, batches of 128, all cores. One quantity is varied at a time around 1,000
users with 50 interactions each, 2,000 items, length 50 and hidden size 64 (inner size four times that). Items are drawn
uniformly: only their number matters for the cost. Each point is a process of its own, whose first epoch is left out;
dashed lines show growth in proportion to the quantity.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from child import machine, run_child

BASE = {"users": 1000, "length": 50, "items": 2000, "hidden size": 64}
POINTS = {
    "users": [500, 1000, 2000, 4000],
    "length": [25, 50, 100, 200],
    "items": [500, 2000, 8000, 32000],
    "hidden size": [32, 64, 128, 256],
}


def write_dataset(folder: Path, users: int, length: int, items: int) -> None:
    """An atomic file in which every user has ``length + 3`` interactions: ``length`` targets and the two held out."""
    random = np.random.default_rng(0)
    per_user = length + 3
    chosen = random.integers(items, size=users * per_user)
    chosen[:items] = np.arange(items)[: len(chosen)]  # each item occurs
    rows = zip(np.repeat(np.arange(users), per_user), chosen, np.tile(np.arange(per_user), users), strict=True)
    folder.mkdir(parents=True)
    with open(folder / f"{folder.name}.inter", "w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        file.writelines(f"{user}\t{item}\t{time}\n" for user, item, time in rows)


def measure(point: dict[str, int], epochs: int) -> dict:
    """Seconds and targets of an epoch, and the peak memory of the process."""
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder, "synthetic"), point["users"], point["length"], point["items"])
        settings = {
            "dataset": "synthetic",
            "data_path": folder,
            "MAX_ITEM_LIST_LENGTH": point["length"],
            "hidden_size": point["hidden size"],
            "inner_size": 4 * point["hidden size"],
            "distill_alpha": 0,
        }
        run = run_child("train_llmdistill.py", "--epochs", epochs, "--settings", json.dumps(settings))
    return {
        **point,
        "seconds": statistics.median(run["seconds"][1:]),
        "targets": run["targets"][-1],
        "peak_mib": run["peak_mib"],
        "threads": run["threads"],
        "versions": run["versions"],
    }


def draw(quantity: str, points: list[dict], file: Path) -> None:
    """Seconds an epoch and peak memory against the quantity, on logarithmic axes."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "fixed"  # the same figure, byte for byte, from the same results
    values = [point[quantity] for point in points]
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for panel, name, label in zip(
        panels, ("seconds", "peak_mib"), ("seconds per epoch", "peak memory, MiB"), strict=True
    ):
        measured = [point[name] for point in points]
        panel.plot(values, measured, marker="o", color="#1f6fb4")
        if name == "seconds":
            panel.plot(
                values, [measured[0] * v / values[0] for v in values], "--", color="#7f7f7f", label="in proportion"
            )
            panel.legend(frameon=False, fontsize=8)
        panel.set(xscale="log", yscale="log", xlabel=quantity, ylabel=label)
        panel.set_xticks(values, [f"{value:,}" for value in values])
        panel.minorticks_off()
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.25)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quantities", nargs="+", choices=POINTS, default=list(POINTS))
    parser.add_argument("--epochs", type=int, default=3, help="epochs a point")
    parser.add_argument("--figures", type=Path, help="folder for the plots")
    parser.add_argument("--results", type=Path, help="append what was measured to this file, as JSON lines")
    arguments = parser.parse_args()

    measured: dict[tuple, dict] = {}
    for quantity in arguments.quantities:
        points = []
        for value in POINTS[quantity]:
            point = {**BASE, quantity: value}
            if tuple(point.values()) not in measured:
                measured[tuple(point.values())] = measure(point, arguments.epochs)
                if arguments.results:
                    with open(arguments.results, "a", encoding="utf-8") as file:
                        file.write(json.dumps(measured[tuple(point.values())]) + "\n")
            points.append(measured[tuple(point.values())])
            print(f"{quantity} {value}: {points[-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
        if quantity == arguments.quantities[0]:
            print(f"{machine()}, {points[0]['threads']} threads, torch {points[0]['versions']['torch']}")
        print(f"\n| {quantity} | seconds per epoch | times the first | targets per second | peak memory, MiB |")
        print("|---|---|---|---|---|")
        for point in points:
            ratio = point["seconds"] / points[0]["seconds"]
            print(
                f"| {point[quantity]:,} | {point['seconds']:.2f} | {ratio:.1f} "
                f"| {point['targets'] / point['seconds']:,.0f} | {point['peak_mib']:,.0f} |"
            )
        if arguments.figures:
            arguments.figures.mkdir(parents=True, exist_ok=True)
            draw(quantity, points, arguments.figures / f"growth_{quantity.replace(' ', '_')}.svg")


if __name__ == "__main__":
    main()
