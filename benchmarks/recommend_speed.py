"""Users per second and peak memory of ``llmdistill recommend``, by the size of the catalogue.

    python benchmarks/recommend_speed.py --rectools envs/rectools/bin/python --replay envs/replay/bin/python

An untrained SASRecDistill (two layers, d = 64, windows of 50) and sequences of 20 items; 20 others for each user.
One thread, and seconds are those that the processor worked, so that a busy machine hardly matters.
What one user takes, which is starting and reading the checkpoint, is taken off. RecTools' SASRec of these sizes, after
a single training step, and RePlay's (``peers/create_environments.sh``) recommend as much in one call; their memory is
that of the call, with the model and the data set that the call needs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from child import machine, run_child

LENGTH, TOPK = 20, 20


def write_checkpoint(file: Path, n_items: int) -> None:
    """A checkpoint of an untrained model with items ``i0``, ``i1`` ..."""
    import torch
    from recbole.config import Config
    from recbole.utils import get_model, init_seed

    import recbole_llmdistill  # noqa: F401  (registers the models)
    from recbole_llmdistill.compat import checkpoints, item_counts
    from recbole_llmdistill.compat.token_tables import KEY, TokenTables
    from recbole_llmdistill.recommendation.checkpoint_model import _StandIn

    config = Config("SASRecDistill", "synthetic", config_dict={"state": "ERROR"})
    tables = TokenTables({"item_id": ["[PAD]", *(f"i{item}" for item in range(n_items))]}, "item_id", "user_id")
    init_seed(0, True)
    model = get_model("SASRecDistill")(config, _StandIn(config, tables))
    counts = torch.ones(n_items + 1, dtype=torch.int32)
    state = {"config": config, "state_dict": model.state_dict(), "other_parameter": None}
    kept = {KEY: tables.to_plain(["item_id"]), item_counts.KEY: item_counts.to_plain(counts)}
    checkpoints.write_checkpoint(state | kept, file)


def write_sequences(file: Path, users: int, n_items: int) -> None:
    """Random sequences as JSON lines."""
    random = np.random.default_rng(0)
    with open(file, "w", encoding="utf-8") as output:
        for user in range(users):
            items = [f"i{item}" for item in random.integers(n_items, size=LENGTH).tolist()]
            output.write(json.dumps({"user_id": f"u{user}", "item_ids": items}) + "\n")


def recommend(folder: Path, users: int, n_items: int) -> tuple[float, float]:
    """Seconds of work of the command, and its peak memory in MiB."""
    write_sequences(folder / "sequences.jsonl", users, n_items)
    command = [sys.executable, "-c", "from recbole_llmdistill.cli.llmdistill import main; raise SystemExit(main())"]
    command += ["recommend", "--checkpoint", "model.pth", "--sequences", "sequences.jsonl", "--topk", str(TOPK)]
    command += ["--exclude-seen", "--out", "recommendations.parquet", "--overwrite"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"llmdistill recommend ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--users", type=int, nargs="+", default=[20_000, 300], help="for each number of items")
    parser.add_argument("--rectools", help="Python of an environment with RecTools")
    parser.add_argument("--replay", help="Python of an environment with RePlay")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    print(f"{machine()}\n")
    print("| items | users | | users per second of one core | peak memory, MiB | start, s |\n|---|---|---|---|---|---|")
    for n_items, users in zip(arguments.items, arguments.users, strict=True):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_checkpoint(folder / "model.pth", n_items)
            start, _ = recommend(folder, 1, n_items)
            seconds, memory = recommend(folder, users, n_items)
        row = f"{(users - 1) / (seconds - start):,.0f} | {memory:,.0f} | {start:.1f} |"
        print(f"| {n_items:,} | {users:,} | `llmdistill recommend` | {row}", flush=True)
        for peer, python in (("RecTools", arguments.rectools), ("RePlay", arguments.replay)):
            if not python:
                continue
            options = ["--items", n_items, "--users", users, "--length", LENGTH, "--topk", TOPK]
            found = run_child(f"recommend_{peer.lower()}.py", *options, python=python, threads=1)
            row = f"{users / found['seconds']:,.0f} | {found['memory']:,.0f} | |"
            print(f"| {n_items:,} | {users:,} | {peer} {found['version']} | {row}", flush=True)


if __name__ == "__main__":
    main()
