"""SASRecDistill in service against RecBole's plain SASRec: latency, memory, size; and how long a full evaluation takes.

    python benchmarks/inference.py --data /path/to/amazon-beauty --rounds 5

Both models have the same layers and weights. Scores of all items (``full_sort_predict``) and the ten best items
(``recbole.utils.case_study.full_sort_topk``) are timed for 1 and for 256 users, the two models in turn within one
process, and each is also measured in a process of its own for memory. Then every test user is ranked over all items by
RecBole's trainer and by ours, in turn, each in a process of its own. ``--data`` names the folder of the atomic files of
one data set (default: MovieLens-100K, which RecBole brings along).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODELS = ("SASRec", "SASRecDistill")
EVALUATIONS = ("RecBole's trainer", "ours")


def peak_mib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(model: str, data: Path | None):
    """Config, model (seeded alike for both) and the three data loaders. The rows are ours, which equal RecBole's."""
    from recbole.config import Config
    from recbole.data import data_preparation
    from recbole.utils import get_model, init_seed

    import recbole_llmdistill  # noqa: F401  (registers the models)
    from recbole_llmdistill.data.dataset import CausalSequenceDataset

    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    settings = {
        "state": "ERROR",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "train_neg_sample_args": None,
        "loss_type": "CE",
        "show_progress": False,
        # What the data set class asks for and SASRec's own settings lack.
        "sequence_training": "prefix",
        "sequence_data_cache": False,
    }
    name = "ml-100k" if data is None else data.name
    if data is not None:
        settings["data_path"] = str(data.parent)
    config = Config(model, name, config_dict=settings)
    loaders = data_preparation(config, CausalSequenceDataset(config))
    init_seed(config["seed"], config["reproducibility"])
    network = get_model(model)(config, loaders[0].dataset).to(config["device"])
    network.eval()
    return config, network, loaders


def median_ms(function, calls: int) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def measure_latency(data: Path | None, rounds: int) -> dict:
    """Milliseconds of each call, model and number of users: one figure a round, the models in turn."""
    import numpy as np
    import torch
    from recbole.utils.case_study import full_sort_topk

    made = {model: prepare(model, data) for model in MODELS}
    weights = made["SASRec"][1].state_dict()
    made["SASRecDistill"][1].load_state_dict(weights)  # which also shows that the names are the same
    milliseconds: dict[str, dict[str, list[float]]] = {}
    with torch.no_grad():
        for users, calls in ((1, 50), (256, 3)):
            for number in range(-1, rounds):  # round -1 warms up
                order = MODELS if number % 2 else MODELS[::-1]
                for model in order:
                    _, network, (_, _, test_data) = made[model]
                    batch = test_data.dataset[np.arange(users)]
                    ids = batch[test_data.dataset.uid_field].numpy()
                    timed = {
                        f"full_sort_predict, {users}": lambda n=network, b=batch: n.full_sort_predict(b),
                        f"full_sort_topk, {users}": lambda n=network, i=ids, t=test_data: full_sort_topk(i, n, t, 10),
                    }
                    for name, function in timed.items():
                        figure = median_ms(function, calls)
                        if number >= 0:
                            milliseconds.setdefault(name, {}).setdefault(model, []).append(figure)
    scores = [made[model][1].full_sort_predict(batch) for model in MODELS]
    return {"milliseconds": milliseconds, "same_scores": bool(torch.equal(*scores))}


def measure_size(model: str, data: Path | None) -> dict:
    import torch

    _, network, (_, _, test_data) = prepare(model, data)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        torch.save(network.state_dict(), Path(folder, "weights"))
        state = Path(folder, "weights").stat().st_size
        for start in range(0, 1024, 256):
            network.full_sort_predict(test_data.dataset[list(range(start, min(start + 256, len(test_data.dataset))))])
    return {"parameters": sum(p.numel() for p in network.parameters()), "state_bytes": state, "peak_mib": peak_mib()}


def measure_evaluation(whose: str, data: Path | None) -> dict:
    from recbole.trainer import Trainer

    from recbole_llmdistill.training.trainer import DistillationTrainer

    config, network, (train_data, _, test_data) = prepare("SASRecDistill", data)
    trainer = (DistillationTrainer if whose == "ours" else Trainer)(config, network)
    trainer.eval_collector.data_collect(train_data)
    before = peak_mib()
    start, processor = time.perf_counter(), time.process_time()
    result = trainer.evaluate(test_data, load_best_model=False)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return {
        "seconds": seconds,
        "processor": processor,
        "mib_more": peak_mib() - before,
        "users": len(test_data.dataset),
        "items": network.n_items,
        "result": {name: float(value) for name, value in result.items()},
    }


def run(what: str, name: str, arguments: argparse.Namespace) -> dict:
    command = [sys.executable, __file__, "--measure", what, "--name", name, "--rounds", str(arguments.rounds)]
    if arguments.data:
        command += ["--data", str(arguments.data.resolve())]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder <name> with <name>.inter")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "inference.json")
    parser.add_argument("--measure", choices=["latency", "size", "evaluation"], help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure == "latency":
        print(json.dumps(measure_latency(arguments.data, arguments.rounds)))
        return
    if arguments.measure:
        measure = measure_size if arguments.measure == "size" else measure_evaluation
        print(json.dumps(measure(arguments.name, arguments.data)))
        return

    import torch
    from recbole import __version__ as recbole_version

    latency = run("latency", "", arguments)
    sizes = {model: run("size", model, arguments) for model in MODELS}
    evaluations: dict[str, list[dict]] = {whose: [] for whose in EVALUATIONS}
    for _ in range(arguments.rounds):
        for whose in EVALUATIONS:
            evaluations[whose].append(run("evaluation", whose, arguments))
    arguments.out.write_text(
        json.dumps({"latency": latency, "sizes": sizes, "evaluations": evaluations}, indent=1) + "\n"
    )

    print(f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, RecBole {recbole_version}")
    first = evaluations["ours"][0]
    print(f"{first['users']:,} users, {first['items'] - 1:,} items; same scores: {latency['same_scores']}\n")
    print(f"| call, users | {' | '.join(MODELS)} | ratio |\n|---|---|---|---|")
    for call, figures in latency["milliseconds"].items():
        plain, distilled = (statistics.median(figures[model]) for model in MODELS)
        print(f"| {call} | {plain:.2f} ms | {distilled:.2f} ms | {distilled / plain:.2f} |")
    for key, label, scale in (
        ("parameters", "parameters", 1),
        ("state_bytes", "state_dict on disk, MiB", 2**20),
        ("peak_mib", "peak memory of the process, MiB", 1),
    ):
        plain, distilled = (sizes[model][key] / scale for model in MODELS)
        form = ",.0f" if scale == 1 else ".2f"
        print(f"| {label} | {plain:{form}} | {distilled:{form}} | {distilled / plain:.2f} |")
    print("\n| evaluation of all users | seconds (median) | processor seconds | memory on top, MiB | NDCG@10 |")
    print("|---|---|---|---|---|")
    for whose, runs in evaluations.items():
        figures = [statistics.median(r[key] for r in runs) for key in ("seconds", "processor", "mib_more")]
        cells = " | ".join(f"{figure:.2f}" for figure in figures[:2])
        print(f"| {whose} | {cells} | {figures[2]:.0f} | {runs[0]['result']['ndcg@10']} |")


if __name__ == "__main__":
    main()
