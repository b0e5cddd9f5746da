"""What does a warm start buy when the data have grown, and what does a new item start from? MovieLens-100K.

    python benchmarks/refresh.py --new time     # before: the first 90 % of the interactions by time
    python benchmarks/refresh.py --new items    # before: without a random fifth of the items

Plain SASRecDistill (no distillation, d = 32) is trained on the data of before; then on all of it, leave-one-out, from
nothing and from the weights of before, with the ways of giving new items their first rows. Full ranking, read after
every epoch and before the first; the best epoch is chosen on validation. With ``--new items`` nothing is trained after
the warm start. Finished runs are appended to ``--results`` and not repeated.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

NOTHING, USUAL, NEAREST, MAP = "from nothing", "usual rows", "mean of 10 nearest in text", "map of texts"
ARMS = {"time": (NOTHING, NEAREST), "items": (USUAL, NEAREST, MAP)}
SETTINGS = {
    **{"distill_alpha": 0, "hidden_size": 32, "inner_size": 64},
    **{"sequence_window_overlap": 0.0, "sequence_order": "exact"},
}


def write_data(folder: Path, new: str, seed: int) -> set[str]:
    """Data set ``films`` in ``then`` and ``now``; the items that ``then`` lacks."""
    import recbole

    from recbole_llmdistill.files.resources import properties

    source = Path(recbole.__file__).parent / "dataset_example" / "ml-100k"
    header, *rows = (source / "ml-100k.inter").read_text(encoding="utf-8").splitlines()
    rows.sort(key=lambda row: float(row.split("\t")[3]))
    items = sorted({row.split("\t")[1] for row in rows})
    if new == "time":
        before = rows[: len(rows) * 9 // 10]
    else:
        left_out = set(np.random.default_rng(seed).choice(items, len(items) // 5, replace=False).tolist())
        before = [row for row in rows if row.split("\t")[1] not in left_out]
    for name, kept in (("then", before), ("now", rows)):
        data = folder / name / "films"
        data.mkdir(parents=True)
        (data / "films.inter").write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
        vectors = properties("profiles", "ml-100k") / "ml-100k.itememb.npz"
        (data / "films.itememb.npz").write_bytes(vectors.read_bytes())
    return set(items) - {row.split("\t")[1] for row in before}


def train(folder: Path, seed: int, epochs: int, new_items: set[str], start: str | None = None) -> dict:
    """One run; NDCG@10 of validation, test and the test cases of new items after each epoch, and its checkpoint."""
    import torch

    torch.set_num_threads(1)
    from recbole.config import Config

    import recbole_llmdistill  # noqa: F401  (registers the models)
    from recbole_llmdistill.training.preparation import seeded_loaders, seeded_model, trainer_of

    fixed = {"seed": seed, "epochs": epochs, "stopping_step": 10**6, "show_progress": False, "state": "ERROR"}
    places = {"data_path": str(folder), "checkpoint_dir": str(folder / "saved")}
    config = Config("SASRecDistill", "films", config_dict=SETTINGS | fixed | places | {"distill_warm_start": start})
    train_data, valid_data, test_data = seeded_loaders(config)
    network = seeded_model(config, train_data)
    trainer = trainer_of(config, network)
    numbers = train_data._dataset.field2token_id["item_id"]
    are_new = np.isin(np.arange(len(numbers)), [numbers[token] for token in new_items if token in numbers])

    @torch.no_grad()
    def cases(data) -> tuple[np.ndarray, ...]:
        """Gain, negative log-likelihood and target of each case."""
        network.eval()
        found = []
        for interaction, _, _, target in data:
            scores = network.full_sort_predict(interaction)
            scores[:, 0] = -torch.inf
            rank = (scores > scores.gather(1, target.unsqueeze(1))).sum(dim=1) + 1
            gain = torch.where(rank <= 10, 1 / torch.log2(rank + 1.0), 0.0)
            nll = torch.nn.functional.cross_entropy(scores, target, reduction="none")
            found.append([gain.numpy(), nll.numpy(), target.numpy()])
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    def read() -> dict[str, float]:
        valid, test = cases(valid_data), cases(test_data)
        gain, nll, target = (np.concatenate(parts) for parts in zip(valid, test, strict=True))
        new = are_new[target]
        values = {"valid": valid[0], "test": test[0], "all": gain, "new": gain[new], "new nll": nll[new]}
        means = {name: float(value.mean()) if len(value) else 0.0 for name, value in values.items()}
        return means | {"new cases": int(new.sum())}

    readings, clock = [read()], time.perf_counter()
    if epochs:
        trainer.fit(train_data, valid_data, False, True, False, lambda *_: readings.append(read()))
    return {"readings": readings, "seconds": time.perf_counter() - clock, "checkpoint": trainer.saved_model_file}


def nearest_in_text(vectors, known, rows, new):
    """Rows for new items: the mean of those of the ten known items whose vectors have the largest cosine."""
    import torch

    unit = torch.nn.functional.normalize(vectors, dim=1)
    return rows[(unit[new] @ unit[known].T).topk(10, dim=1).indices].mean(dim=1)


def by(arm: str) -> contextlib.AbstractContextManager:
    """Context in which new items get their first rows so."""
    from recbole_llmdistill.training import warm_start

    if arm == USUAL:
        return mock.patch.object(warm_start, "_fill", return_value=0)
    if arm == NEAREST:
        return mock.patch.object(warm_start, "mapped_from_text", nearest_in_text)
    return contextlib.nullcontext()


def best(readings: list[dict]) -> int:
    """Number of epochs after which validation is best."""
    return max(range(len(readings)), key=lambda epoch: readings[epoch]["valid"])


def mean(runs: list[dict], epoch: Callable[[list[dict]], int], what: str) -> str:
    """Of one reading of each run, with the standard deviation over seeds."""
    values = [run["readings"][epoch(run["readings"])][what] for run in runs]
    return f"{statistics.fmean(values):.4f}" + (f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else "")


def table_of_time(runs: list[dict]) -> list[str]:
    """How good, and after how many epochs."""
    lines = ["| start | test NDCG@10 untrained | at the best epoch | which | as good as from nothing after |"]
    lines.append("|---|---|---|---|---|")
    wanted = {run["seed"]: max(one["valid"] for one in run["readings"]) for run in runs if run["arm"] == NOTHING}
    for arm in ARMS["time"]:
        mine = [run for run in runs if run["arm"] == arm]
        reached = [
            next((str(n) for n, one in enumerate(run["readings"]) if one["valid"] >= wanted[run["seed"]]), "never")
            for run in mine
        ]
        epochs = ", ".join(str(best(run["readings"])) for run in mine)
        means = f"{mean(mine, lambda _: 0, 'test')} | {mean(mine, best, 'test')}"
        lines.append(f"| {arm} | {means} | {epochs} | {', '.join(reached)} |")
    return lines


def table_of_items(runs: list[dict]) -> list[str]:
    """What new items get before any training with them, by the way of their first rows."""
    lines = ["| new items start from | their cases: NDCG@10 | NLL | all cases: NDCG@10 |", "|---|---|---|---|"]
    for arm in ARMS["items"]:
        mine = [run for run in runs if run["arm"] == arm]
        cells = [mean(mine, lambda _: 0, what) for what in ("new", "new nll", "all")]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new", choices=ARMS, default="time")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--epochs", type=int, default=20, help="of a training from nothing")
    parser.add_argument("--warm-epochs", type=int, default=8)
    parser.add_argument("--results", type=Path, default=Path("refresh.jsonl"))
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    lines = arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results.exists() else []
    done = [json.loads(line) for line in lines]
    lengths = [arguments.epochs, arguments.warm_epochs]
    runs = [run for run in done if run["new"] == arguments.new and run["epochs"] == lengths]
    for seed in range(arguments.seeds):
        arms = [arm for arm in ARMS[arguments.new] if not any(r["arm"] == arm and r["seed"] == seed for r in runs)]
        if not arms:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            new_items = write_data(folder, arguments.new, seed)
            before = train(folder / "then", seed, arguments.epochs, set())["checkpoint"]
            for arm in arms:
                start = None if arm == NOTHING else before
                warm_epochs = arguments.warm_epochs if arguments.new == "time" else 0
                epochs = arguments.epochs if arm == NOTHING else warm_epochs
                with by(arm):
                    run = train(folder / "now", seed, epochs, new_items, start)
                del run["checkpoint"]
                what = {"new": arguments.new, "arm": arm, "seed": seed, "epochs": lengths, "items": len(new_items)}
                runs.append(what | run)
                with open(arguments.results, "a", encoding="utf-8") as file:
                    file.write(json.dumps(runs[-1]) + "\n")
                print(f"seed {seed}, {arm}: {run['seconds']:.0f} s", file=sys.stderr)
    table = table_of_items if arguments.new == "items" else table_of_time
    print("\n".join(table([run for run in runs if run["seed"] < arguments.seeds])))


if __name__ == "__main__":
    main()
