"""What do item texts bring? Plain models, item knowledge in each form, and its controls, on one split.

    python benchmarks/item_knowledge.py --dataset ml-100k --vectors fields=vectors/fields --vectors llm=vectors/llm \
        --arms plain residual:fields residual:fields:permuted init:llm --seeds 10 --out results.jsonl

An arm is ``plain``, or form:vectors[:control], e.g. ``residual:fields`` or ``init:fields:permuted``;
``init:-:cooccurrence`` needs no vectors. With ``--split RS`` (default) the interactions of each user are split 80/10/10
by time, which gives ten times the test cases of leave-one-out; item texts have seen no interaction, so any split is
allowed. The best of every fifth epoch on validation is tested. Finished runs are appended to ``--out``, not repeated;
what each test case came to goes into the folder ``--out`` without its suffix. The table compares each arm with
``--against``, over all cases of all seeds together (paired, clustered by user).
"""

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np

SPLITS = {
    "RS": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "user", "mode": "full"},
    "LS": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
}


def settings_of(arm: str, vectors: dict[str, str]) -> dict[str, str]:
    """RecBole settings of an arm."""
    if arm == "plain":
        return {}
    form, name, *more = arm.split(":")
    settings = {"item_knowledge": form}
    if name != "-":
        settings["item_vectors_path"] = vectors[name]
    for one in more:
        key, equals, value = one.partition("=")
        settings |= {key: value} if equals else {"item_control": one}
    return settings


def train(arm: str, seed: int, given: argparse.Namespace) -> tuple[dict, dict[str, np.ndarray]]:
    """One run: its line, and what each test case came to."""
    import torch
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    import recbole_llmdistill  # noqa: F401  (registers the models)
    from recbole_llmdistill.config.recbole_config import build_config
    from recbole_llmdistill.data.item_vectors import training_matrix

    torch.set_num_threads(given.threads)
    config = build_config(
        given.model,
        given.dataset,
        [],
        {
            "seed": seed, "show_progress": False, "stopping_step": 10**6, "state": "ERROR", "eval_step": given.every,
            "eval_args": SPLITS[given.split], "epochs": given.epochs, "distill_alpha": 0.0,
            **({"data_path": given.data_path} if given.data_path else {}),
            **settings_of(arm, dict(one.split("=", 1) for one in given.vectors)),
        },
    )  # fmt: skip
    init_seed(seed, True)
    train_data, valid_data, test_data = data_preparation(config, create_dataset(config))
    init_seed(seed, True)
    network = get_model(given.model)(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], given.model)(config, network)
    popularity = np.asarray(training_matrix(train_data._dataset).sum(axis=0)).ravel()
    best = {"score": -1.0}

    @torch.no_grad()
    def cases(data) -> dict[str, np.ndarray]:
        network.eval()
        ranks, nll, users, items = [], [], [], []
        for interaction, _, _, target in data:
            scores = network.full_sort_predict(interaction)
            scores[:, 0] = -torch.inf
            own = scores.gather(1, target.unsqueeze(1))
            ranks.append((scores > own).sum(dim=1).numpy())
            nll.append(torch.nn.functional.cross_entropy(scores, target, reduction="none").numpy())
            users.append(interaction["user_id"].numpy())
            items.append(target.numpy())
        rank, item = np.concatenate(ranks), np.concatenate(items)
        ndcg = np.where(rank < 10, 1 / np.log2(rank + 2), 0.0)
        return {"ndcg": ndcg, "recall": (rank < 10).astype(float), "nll": np.concatenate(nll),
                "user": np.concatenate(users), "item": item, "popularity": popularity[item]}  # fmt: skip

    def after(epoch: int, _score: float) -> None:
        score = cases(valid_data)["ndcg"].mean()
        if score > best["score"]:
            best.update(score=float(score), epoch=epoch, test=cases(test_data))

    began = time.perf_counter()
    trainer.fit(train_data, valid_data, verbose=False, saved=False, callback_fn=after)
    test = best.pop("test")
    line = {
        "dataset": given.dataset, "split": given.split, "model": given.model, "epochs": given.epochs, "arm": arm,
        "seed": seed, "valid_ndcg@10": best["score"], "best_epoch": best["epoch"], "cases": len(test["ndcg"]),
        **{f"test_{name}": float(test[name].mean()) for name in ("ndcg", "recall", "nll")},
        "test_ndcg_rare": float(test["ndcg"][rare_cases(test)].mean()),
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    return line, test


def rare_cases(test: dict[str, np.ndarray]) -> np.ndarray:
    """Cases whose item is of the lowest quarter of the test items by popularity in training."""
    _, first = np.unique(test["item"], return_index=True)
    bound = np.quantile(test["popularity"][first], 0.25)
    return test["popularity"] <= bound


def against(ours: list[dict], theirs: list[dict]) -> tuple[float, float, float]:
    """Relative gain in NDCG@10, its 95 % half width, and t: means of seeds per case, clustered by user."""
    mine, other = (np.mean([case["ndcg"] for case in cases], axis=0) for cases in (ours, theirs))
    users = ours[0]["user"]
    _, number = np.unique(users, return_inverse=True)
    sums, sizes = np.bincount(number, mine - other), np.bincount(number)
    mean = sums.sum() / sizes.sum()
    error = math.sqrt(((sums - mean * sizes) ** 2).sum()) / sizes.sum()
    return mean / other.mean(), 1.96 * error / other.mean(), mean / error


def report(out: Path, arms: list[str], against_arms: list[str]) -> None:
    """Print the table of all runs in a file, each arm beside those of ``against_arms``."""
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    lines.sort(key=lambda line: line["seed"])
    of_arm = {arm: [line for line in lines if line["arm"] == arm] for arm in arms}
    cases = {
        arm: {line["seed"]: dict(np.load(out.with_suffix("") / f"{file_name(arm, line['seed'])}.npz")) for line in runs}
        for arm, runs in of_arm.items()
    }

    def compared(arm: str, other: str) -> str:
        seeds = sorted(cases[arm].keys() & cases[other].keys())
        if arm == other or not seeds:
            return ""
        gain, width, t = against([cases[arm][seed] for seed in seeds], [cases[other][seed] for seed in seeds])
        return f"{gain:+.1%} ± {width:.1%} (t {t:.1f}, {len(seeds)} seeds)"

    print("| arm | NDCG@10 | Recall@10 | NLL | rare items |" + "".join(f" against {arm} |" for arm in against_arms))
    print("|---|---|---|---|---|" + "---|" * len(against_arms))
    for arm, runs in of_arm.items():
        if runs:
            values = [
                f"{np.mean(found):.4f} ± {np.std(found, ddof=1) if len(found) > 1 else 0:.4f}"
                for name in ("test_ndcg", "test_recall", "test_nll", "test_ndcg_rare")
                if (found := [run[name] for run in runs])
            ]
            values += [compared(arm, other) for other in against_arms]
            print(f"| {arm} | {' | '.join(values)} |")


def file_name(arm: str, seed: int) -> str:
    """Of a run's cases."""
    return f"{arm.replace(':', '_').replace('/', '_')}-{seed}"


def main() -> None:
    """Make the missing runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--data-path", help="folder of the data set's folder")
    parser.add_argument("--model", default="SASRecDistill")
    parser.add_argument("--split", choices=SPLITS, default="RS")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=5, help="epochs between evaluations")
    parser.add_argument("--vectors", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--arms", nargs="+", default=["plain"])
    parser.add_argument("--against", nargs="+", default=["plain"], help="arms of this call that the others meet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one number N: seeds 0 to N-1; or several")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line
    os.environ.setdefault("OMP_NUM_THREADS", str(given.threads))
    seeds = range(given.seeds[0]) if len(given.seeds) == 1 else given.seeds
    folder = given.out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for arm in given.arms:
            file = folder / f"{file_name(arm, seed)}.npz"
            if file.is_file():
                continue
            line, test = train(arm, seed, given)
            with open(given.out, "a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")
            np.savez_compressed(file, **test)
            print(f"{arm} seed {seed}: NDCG@10 {line['test_ndcg']:.4f}, NLL {line['test_nll']:.3f}, rare "
                  f"{line['test_ndcg_rare']:.4f}, {line['seconds']} s", file=sys.stderr, flush=True)  # fmt: skip
    report(given.out, given.arms, given.against)


if __name__ == "__main__":
    main()
