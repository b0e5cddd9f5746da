"""From ``.inter`` to the first training batch: seconds and peak memory, RecBole's and ours, as the data grow.

    python benchmarks/load_scale.py --shares 0.01 0.05 0.1 1 --repeats 3

A file of the shape of MovieLens 20M (138,493 users, 26,744 items, 20,000,263 interactions with rating and time, rows by
user and item) is generated for each share of its users. Then SASRec by RecBole, SASRecDistill without a cache, and
SASRecDistill with the cache that an earlier start left are started in turn, each in a process of its own; what RecBole
would need more memory for than ``--memory`` GiB, by its last two sizes, is left out. Raw results go to ``--out``.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

USERS, ITEMS, ROWS, LEAST = 138_493, 26_744, 20_000_263, 20
KINDS = ("RecBole", "ours", "ours, cached")


def generate(folder: Path, share: float) -> str:
    """Write the data set of this share of users, unless it is there, and return its name."""
    import polars as pl
    from convert_scale import draw_interactions, sittings
    from numpy.random import default_rng

    name = f"shape-{share:g}"
    file = folder / name / f"{name}.inter"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = int(ROWS * share)
        user, item = draw_interactions(int(USERS * share), min(ITEMS, int(ITEMS * share * 4)), rows, LEAST)
        generator = default_rng(1)
        columns = {
            "user_id:token": user,
            "item_id:token": item,
            "rating:float": generator.integers(1, 11, rows) / 2,
            "timestamp:float": sittings(user, generator),
        }
        table = pl.DataFrame(columns).sort("user_id:token", "item_id:token")
        table.write_csv(file.with_suffix(".partial"), separator="\t")
        file.with_suffix(".partial").rename(file)
    return name


def measure(kind: str, folder: str, name: str) -> None:
    """Load in this process and print, as JSON, seconds by stage and the peak resident memory in GiB."""
    import resource
    import time

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    import recbole_llmdistill  # noqa: F401  (registers the models)

    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    model = "SASRec" if kind == "RecBole" else "SASRecDistill"
    settings = {
        "data_path": folder,
        "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
        "state": "ERROR",
        "train_neg_sample_args": None,
    }
    if kind != "RecBole":
        settings["sequence_data_cache"] = str(Path(folder, "kept")) if kind == "ours, cached" else False
    config = Config(model, name, config_dict=settings)
    seconds, start, processor = {}, time.perf_counter(), time.process_time()

    def stage(label: str) -> None:
        seconds[label] = time.perf_counter() - start - sum(seconds.values())

    dataset = create_dataset(config)
    stage("read, filter, number")
    train_data, _, _ = data_preparation(config, dataset)
    stage("rows and split")
    next(iter(train_data))
    stage("first batch")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "processor": time.process_time() - processor, "peak_gib": peak}))


def run(kind: str, folder: Path, name: str) -> dict:
    command = [sys.executable, __file__, "--measure", kind, "--folder", str(folder), "--name", name]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def expected_peak(results: list[dict], rows: int) -> float:
    """Peak memory of RecBole at this size, by the line through its last two sizes; unknown (0) before there are two."""
    peaks = {r["rows"]: r["peak_gib"] for r in results if r["kind"] == "RecBole"}
    if len(peaks) < 2:
        return 0
    (x0, y0), (x1, y1) = list(peaks.items())[-2:]
    return y1 + (y1 - y0) / (x1 - x0) * (rows - x1)


def print_table(results: list[dict], left_out: list[tuple]) -> None:
    import pandas
    import polars
    import torch
    from recbole import __version__ as recbole_version

    print(
        f"{os.cpu_count()} cores, {platform.machine()}, RecBole {recbole_version}, pandas {pandas.__version__}, "
        f"polars {polars.__version__}, torch {torch.__version__}\n"
    )
    stages = list(results[0]["seconds"])
    print(f"| interactions | loader | seconds (median) | {' | '.join(stages)} | processor seconds | peak memory, GiB |")
    print("|---" * (5 + len(stages)) + "|")
    for rows, kind in dict.fromkeys((r["rows"], r["kind"]) for r in results):
        runs = [r for r in results if (r["rows"], r["kind"]) == (rows, kind)]
        by_stage = [statistics.median(r["seconds"][stage] for r in runs) for stage in stages]
        total = statistics.median(sum(r["seconds"].values()) for r in runs)
        peak = statistics.median(r["peak_gib"] for r in runs)
        cells = " | ".join(f"{seconds:.2f}" for seconds in [*by_stage, statistics.median(r["processor"] for r in runs)])
        print(f"| {rows:,} | {kind} | {total:.1f} | {cells} | {peak:.2f} |")
    for rows, peak in left_out:
        print(f"| {rows:,} | RecBole | left out | {' | '.join('' for _ in stages)} | | {peak:.0f} by its line |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.05, 0.1, 1.0], help="of the users")
    parser.add_argument("--repeats", type=int, default=3, help="starts of ours at each size, in turn; RecBole's once")
    parser.add_argument("--memory", type=float, default=12, help="GiB that RecBole may need")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--folder", type=Path, default=Path("/tmp/load_scale"), help="where the files are made")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "load_scale.jsonl")
    parser.add_argument("--measure", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, str(arguments.folder), arguments.name)
        return
    results: list[dict] = []
    left_out = []
    for share in sorted(arguments.shares):
        rows, name = int(ROWS * share), generate(arguments.folder, share)
        shutil.rmtree(arguments.folder / "kept", ignore_errors=True)
        if "ours, cached" in arguments.kinds:
            run("ours, cached", arguments.folder, name)  # leaves the cache behind
        for repeat in range(arguments.repeats):
            for kind in arguments.kinds:
                if kind == "RecBole" and (repeat or (peak := expected_peak(results, rows)) > arguments.memory):
                    left_out += [(rows, peak)] if not repeat else []
                    continue
                results.append({"rows": rows, "kind": kind, **run(kind, arguments.folder, name)})
                print(results[-1], file=sys.stderr)
    arguments.out.write_text("".join(json.dumps(result) + "\n" for result in results))
    print_table(results, left_out)


if __name__ == "__main__":
    main()
