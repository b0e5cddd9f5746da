"""How fast is an epoch, against RecBole, RecTools and RePlay, and against what this machine's matrix products allow?

    python benchmarks/peer_speed.py --rectools-python environments/rectools/bin/python \\
        --replay-python environments/replay/bin/python

SASRec and BERT4Rec on MovieLens-100K, or on ``--dataset``, at the same sizes: 2 layers, 2 heads, hidden size 64, inner
size 256, length 50, batches of 128 sequences (RecBole: its default of 2048 rows, each with one target), dropout 0.5 and
0.2, cross-entropy over all items, Adam. Each measurement is a process of its own in the environment of its library
(``peers/README.md``), on all cores, and rounds are interleaved; a process trains several epochs and its first, which
warms up, is left out (RecBole's is not: it takes minutes). Seconds are of training alone, the peak resident memory is
of the whole process. RecTools' SASRec is measured with its own layers, whose inner size is 64, and with its pre-norm
ones of inner size 256. RecBole is stock RecBole: its process does not import this package. Ours trains with the
distillation loss on, for which data sets other than MovieLens-100K need ``--profile-path``.

Targets are positions with a loss, counted while training. RecTools and RePlay use each user's last 50 interactions;
RecBole's SASRec and ours use every training interaction once per epoch. RecBole's BERT4Rec masks every prefix again, so
that an epoch of it visits an interaction many times: compare its targets per second, too.

The last table is the share of the machine: the rate of the model's own matrix products, forward and backward
(``peers/matmul_rate.py``), and what share of it training reaches (``step_flop.py`` says what is counted).
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

from child import machine, run_child
from peers.interactions import from_recbole
from peers.sizes import SIZES
from step_flop import epoch_flop

PROGRAMS = {
    "recbole": "train_recbole.py",
    "rectools": "train_rectools.py",
    "rectools-wide": "train_rectools.py",
    "replay": "train_replay.py",
    "ours": "train_llmdistill.py",
    "ours-float32": "train_llmdistill.py",
    "ours-no-overlap": "train_llmdistill.py",
}
OURS = {"distill_epochs": 10**6}
SETTINGS = {
    "rectools-wide": {"wide": True},
    "ours": OURS,
    "ours-float32": {**OURS, "sequence_precision": "float32"},
    "ours-no-overlap": {**OURS, "sequence_window_overlap": 0.0},
}
REMARKS = {
    "rectools-wide": ", inner size 256",
    "ours-float32": ", sequence_precision=float32",
    "ours-no-overlap": ", sequence_window_overlap=0",
}
# BERT4Rec's layers in RecTools are wide anyway, and its windows here do not overlap anyway.
SASREC_ALONE = ("rectools-wide", "ours-no-overlap")


def summary(runs: list[dict]) -> dict:
    """Of all rounds of one library: seconds of the median epoch, fastest and slowest, targets, memory."""
    seconds = [run["seconds"][1:] or run["seconds"] for run in runs]
    return {
        "seconds": statistics.median(statistics.median(of_run) for of_run in seconds),
        "spread": (min(map(min, seconds)), max(map(max, seconds))),
        "targets": statistics.median(target for run in runs for target in run["targets"]),
        "peak": statistics.median(run["peak_mib"] for run in runs),
    }


def speed_table(model: str, runs: dict[str, list[dict]]) -> str:
    """Markdown; ratios are ours to theirs."""
    ours = summary(runs["ours"])
    lines = [
        f"| {model} | seconds per epoch (median; min to max) | ours is faster | targets per epoch | targets per second "
        "| ours has more per second | peak memory, MiB | rounds |",
        "|" + "---|" * 8,
    ]
    for library, of_library in runs.items():
        one = summary(of_library)
        low, high = one["spread"]
        name = of_library[0]["versions"]["library"] + REMARKS.get(library, "")
        rate = one["targets"] / one["seconds"]
        faster, more = one["seconds"] / ours["seconds"], ours["targets"] / ours["seconds"] / rate
        lines.append(
            f"| {name} | {one['seconds']:.2f} ({low:.2f} to {high:.2f}) | {faster:.1f}x "
            f"| {one['targets']:,.0f} | {rate:,.0f} | {more:.1f}x | {one['peak']:,.0f} | {len(of_library)} |"
        )
    return "\n".join(lines)


def matmul_rate(run: dict) -> float:
    """Floating-point operations a second of the products of a mean step of ``run``."""
    sizes = run["sizes"]
    steps = math.ceil(sizes["sequences"] / sizes["rows"])
    options = ["--rows", round(sizes["sequences"] / steps), "--length", round(sizes["positions"] / sizes["sequences"])]
    options += ["--targets", round(run["targets"][-1] / steps), "--items", sizes["items"], "--sizes", json.dumps(SIZES)]
    return run_child("matmul_rate.py", *options)["flop_per_second"]


def flop_of(model: str, run: dict) -> int:
    """What an epoch of ``run`` needs."""
    sizes = run["sizes"]
    causal = (sizes["squares"] + sizes["positions"]) // 2
    return epoch_flop(
        positions=sizes["positions"],
        pairs=causal if model == "SASRec" else sizes["squares"],
        targets=round(statistics.fmean(run["targets"])),
        n_items=sizes["items"],
        layers=SIZES["layers"],
        hidden=SIZES["hidden"],
        inner=SIZES["inner"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--data-path", help="RecBole's data_path, the folder above the data set's")
    parser.add_argument("--profile-path", help="profile vectors of the data set's users")
    parser.add_argument("--models", nargs="+", choices=["SASRec", "BERT4Rec"], default=["SASRec", "BERT4Rec"])
    parser.add_argument("--libraries", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--rounds", type=int, default=5, help="processes a library, in turn")
    parser.add_argument("--recbole-rounds", type=int, default=1, help="of these with RecBole, which takes minutes")
    parser.add_argument("--epochs", type=int, default=4, help="epochs per process; RecBole's trains one")
    parser.add_argument("--threads", type=int, help="default: as many as PyTorch takes")
    parser.add_argument("--recbole-python", default=sys.executable, help="it needs RecBole on NumPy 1, pandas 2")
    parser.add_argument("--rectools-python", default=sys.executable)
    parser.add_argument("--replay-python", default=sys.executable)
    parser.add_argument("--results", type=Path, help="append what was measured to this file, as JSON lines")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    libraries = [name for name in PROGRAMS if name in {*arguments.libraries, "ours"}]
    data = {"dataset": arguments.dataset, **({"data_path": arguments.data_path} if arguments.data_path else {})}
    profiles = {"vectors_path": arguments.vectors_path} if arguments.vectors_path else {}
    given = {"train_recbole.py": data, "train_llmdistill.py": {**data, **profiles}}
    pythons = {name: getattr(arguments, f"{name.partition('-')[0]}_python", sys.executable) for name in libraries}

    with tempfile.TemporaryDirectory() as folder:
        interactions = Path(folder, "interactions.npz")
        from_recbole(arguments.dataset, data).write(interactions)
        print(machine())
        for model in arguments.models:
            runs: dict[str, list[dict]] = {name: [] for name in libraries}
            rates = []
            for number in range(arguments.rounds):
                for library in libraries:
                    if library == "recbole" and number >= arguments.recbole_rounds:
                        continue
                    if library in SASREC_ALONE and model == "BERT4Rec":
                        continue
                    options = ["--interactions", interactions, "--model", model]
                    options += ["--epochs", 1 if library == "recbole" else arguments.epochs]
                    settings = {**given.get(PROGRAMS[library], {}), **SETTINGS.get(library, {})}
                    options += ["--settings", json.dumps(settings)]
                    run = run_child(PROGRAMS[library], *options, python=pythons[library], threads=arguments.threads)
                    runs[library].append(run)
                    line = {"dataset": arguments.dataset, "model": model, "library": library, **run}
                    if arguments.results:
                        with open(arguments.results, "a", encoding="utf-8") as file:
                            file.write(json.dumps(line) + "\n")
                    print(f"round {number + 1}: {model} {library} {run['seconds']}", file=sys.stderr, flush=True)
                rates.append(matmul_rate(runs["ours"][-1]))
            measured = {name: of_library for name, of_library in runs.items() if of_library}
            ours, rate = summary(runs["ours"]), statistics.median(rates)
            flop = flop_of(model, runs["ours"][-1])
            versions = {name: of_library[0]["versions"]["torch"] for name, of_library in measured.items()}
            print(f"\n{runs['ours'][0]['threads']} threads; torch {versions}\n")
            print(speed_table(model, measured))
            reached = flop / ours["seconds"]
            print(
                f"\n{flop / 1e9:.0f} GFLOP an epoch ({flop / ours['targets'] / 1e6:.2f} MFLOP a target); the products "
                f"alone run at {rate / 1e9:.0f} GFLOP/s (median of {len(rates)}), so they take {flop / rate:.2f} s; "
                f"training reaches {reached / 1e9:.0f} GFLOP/s, {reached / rate:.0%} of that rate."
            )


if __name__ == "__main__":
    main()
