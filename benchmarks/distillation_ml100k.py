"""Does distillation help on MovieLens-100K? Plain, distilled, and distilled with profiles shuffled between users.

    python benchmarks/distillation_ml100k.py --model SASRecDistill --seeds 5

Every arm is trained with every seed for all its epochs (no early stopping), and the validation and the test item are
ranked after each epoch. Two readings a run: the epoch that is best on validation, which is what a user of
``run_recbole`` gets, and the mean over the last two fifths of the epochs, which does not depend on picking one. NLL
is the mean negative log-likelihood of the held-out item, at its best epoch on validation. Finished runs are appended to
``--results`` and not repeated. Further ``--key=value`` arguments are RecBole settings of all arms.
"""

import argparse
import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

ARMS = {
    "plain": {"distill_alpha": 0.0},
    "distilled": {},
    "shuffled": {"vectors_control": "shuffled"},
}
METRICS = ("ndcg@10", "recall@10", "nll")


def train(model: str, arm: str, seed: int, settings: dict[str, str]) -> dict:
    """One run; returns its settings and, for every epoch, validation and test metrics."""
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    import recbole_llmdistill  # noqa: F401  (registers the models)

    fixed = {
        "seed": seed,
        "show_progress": False,
        "stopping_step": 10**6,
        "state": "ERROR",
        "metrics": ["NDCG", "Recall"],
    }
    config = Config(model=model, dataset="ml-100k", config_dict={**fixed, **settings, **ARMS[arm]})
    init_seed(config["seed"], config["reproducibility"])
    train_data, valid_data, test_data = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    network = get_model(model)(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], model)(config, network)
    epochs = []

    @torch.no_grad()
    def nll(data) -> float:
        total = count = 0
        for interaction, _, _, target in data:
            scores = network.full_sort_predict(interaction)
            scores[:, 0] = -torch.inf
            total += torch.nn.functional.cross_entropy(scores, target, reduction="sum").item()
            count += len(target)
        return total / count

    def after_epoch(_epoch: int, _score: float) -> None:
        parts = {}
        for part, data in (("valid", valid_data), ("test", test_data)):
            result = trainer.evaluate(data, load_best_model=False)
            parts[part] = {**{name: float(value) for name, value in result.items()}, "nll": nll(data)}
        epochs.append(parts)

    trainer.fit(train_data, valid_data, verbose=False, saved=False, callback_fn=after_epoch)
    return {"model": model, "arm": arm, "seed": seed, "settings": settings, "epochs": epochs}


def readings(epochs: list[dict]) -> dict[tuple[str, str, str], float]:
    """(reading, part, metric) -> value of one run."""
    best = max(range(len(epochs)), key=lambda e: epochs[e]["valid"]["ndcg@10"])
    calmest = min(range(len(epochs)), key=lambda e: epochs[e]["valid"]["nll"])
    tail = epochs[round(0.6 * len(epochs)) :]
    values = {}
    for part in ("valid", "test"):
        for metric in METRICS[:2]:
            values["best epoch", part, metric] = epochs[best][part][metric]
            values["mean of last epochs", part, metric] = statistics.fmean(epoch[part][metric] for epoch in tail)
        values["best epoch", part, "nll"] = epochs[calmest][part]["nll"]
    return values


def table(runs: list[dict]) -> str:
    """Markdown: mean and standard deviation over seeds, one line per arm."""
    lines = []
    for reading, metrics in (("best epoch", METRICS), ("mean of last epochs", METRICS[:2])):
        lines += ["", f"| {reading} | " + " | ".join(f"{m} valid | {m} test" for m in metrics) + " | seeds |"]
        lines.append("|" + "---|" * (2 * len(metrics) + 2))
        for arm in ARMS:
            per_seed = [readings(run["epochs"]) for run in runs if run["arm"] == arm]
            cells = []
            for metric in metrics:
                for part in ("valid", "test"):
                    values = [reading_of[reading, part, metric] for reading_of in per_seed]
                    spread = statistics.stdev(values) if len(values) > 1 else 0.0
                    digits = 3 if metric == "nll" else 4
                    cells.append(f"{statistics.fmean(values):.{digits}f} ± {spread:.{digits}f}" if values else "")
            lines.append(f"| {arm} | " + " | ".join(cells) + f" | {len(per_seed)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="SASRecDistill")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs side by side, each on one thread")
    parser.add_argument("--results", type=Path, default=Path("distillation_ml100k.jsonl"))
    arguments, rest = parser.parse_known_args()
    settings = dict(item.removeprefix("--").split("=", 1) for item in rest)

    def key(run: dict) -> tuple:
        return run["model"], run["arm"], run["seed"], json.dumps(run["settings"], sort_keys=True)

    wanted = [
        {"model": arguments.model, "arm": arm, "seed": seed, "settings": settings}
        for seed in range(arguments.seeds)
        for arm in arguments.arms
    ]
    lines = arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results.exists() else []
    done = [json.loads(line) for line in lines]
    finished = {key(run) for run in done}
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(train, **run) for run in wanted if key(run) not in finished]
        for number, future in enumerate(as_completed(futures), start=1):
            run = future.result()
            done.append(run)
            with open(arguments.results, "a") as file:
                file.write(json.dumps(run) + "\n")
            print(f"{number}/{len(futures)} {run['arm']} seed {run['seed']}", file=sys.stderr)
    wanted_keys = {key(run) for run in wanted}
    print(table([run for run in done if key(run) in wanted_keys]))


if __name__ == "__main__":
    main()
