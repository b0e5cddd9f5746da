"""Items that training never sees: what their texts are worth.

    python benchmarks/cold_items.py --vectors vectors/fields --seeds 0 1

MovieLens-100K without all interactions of every tenth film, drawn by the seed; those films are in the catalogue, with a
text and no interaction. SASRec is trained on the rest (leave-one-out by time), plain, with ``item_knowledge=residual``
and with ``frozen``. Each held-out interaction is a case: the user's earlier films are the sequence, the cold film is to
be ranked among all films that are not in it. Beside the models: plain with random rows for the cold films (as training
leaves them), with the mean of the rows of the ten films nearest in text, and the map from texts to rows of a ridge
regression, both made afterwards.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import recbole
import torch

DATA = Path(recbole.__file__).parent / "dataset_example" / "ml-100k"
MOST = 50  # items of a sequence
NEAREST = 10


def write_without(folder: Path, cold: set[str]) -> None:
    """The data set ``warm``: MovieLens-100K without the interactions of some items, which keep their line of fields."""
    folder.mkdir(parents=True)
    header, *lines = (DATA / "ml-100k.inter").read_text().splitlines()
    kept = [line for line in lines if line.split("\t")[1] not in cold]
    (folder / "warm.inter").write_text("\n".join([header, *kept]) + "\n")
    shutil.copy(DATA / "ml-100k.item", folder / "warm.item")


def cases(cold: set[str]) -> list[tuple[list[str], str]]:
    """Of each interaction with a cold item: the user's warm items before it, oldest first, and the item."""
    histories: dict[str, list[tuple[float, str]]] = {}
    for line in (DATA / "ml-100k.inter").read_text().splitlines()[1:]:
        user, item, _, when = line.split("\t")
        histories.setdefault(user, []).append((float(when), item))
    found = []
    for history in histories.values():
        before: list[str] = []
        for _, item in sorted(history):
            if item not in cold:
                before.append(item)
            elif before:
                found.append((before[-MOST:], item))
    return found


def train(folder: Path, seed: int, epochs: int, vectors: str, knowledge: str):
    """A trained model, and its training part."""
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    import recbole_llmdistill  # noqa: F401  (registers the models)
    from recbole_llmdistill.config.recbole_config import build_config

    config = build_config(
        "SASRecDistill",
        "warm",
        [],
        {
            "data_path": str(folder.parent), "seed": seed, "epochs": epochs, "distill_alpha": 0.0, "state": "ERROR",
            "show_progress": False, "item_knowledge": knowledge, "item_vectors_path": vectors,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id"]},
        },
    )  # fmt: skip
    init_seed(seed, True)
    train_data, valid_data, _ = data_preparation(config, create_dataset(config))
    init_seed(seed, True)
    model = get_model("SASRecDistill")(config, train_data._dataset)
    trainer = get_trainer(config["MODEL_TYPE"], "SASRecDistill")(config, model)
    trainer.fit(train_data, valid_data, verbose=False, saved=False)
    return model.eval(), train_data._dataset


@torch.no_grad()
def ndcg(model, dataset, found: list[tuple[list[str], str]]) -> tuple[float, float]:
    """Mean NDCG@10 and Recall@10 of the cases."""
    from recbole.data.interaction import Interaction

    number = dataset.field2token_id["item_id"]
    values = []
    for start in range(0, len(found), 512):
        part = found[start : start + 512]
        sequences = torch.zeros(len(part), MOST, dtype=torch.long)
        for row, (before, _) in enumerate(part):
            sequences[row, : len(before)] = torch.tensor([number[item] for item in before])
        lengths = (sequences > 0).sum(dim=1)
        rows = Interaction({"item_id_list": sequences, "item_length": lengths, "user_id": lengths})
        scores = model.full_sort_predict(rows).scatter(1, sequences, -torch.inf)
        scores[:, 0] = -torch.inf
        target = torch.tensor([number[item] for _, item in part]).unsqueeze(1)
        rank = (scores > scores.gather(1, target)).sum(dim=1).numpy()
        values.append(np.where(rank < 10, 1 / np.log2(rank + 2), 0.0))
    gains = np.concatenate(values)
    return float(gains.mean()), float((gains > 0).mean())


def nearest(vectors: torch.Tensor, known: torch.Tensor, rows: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Of each new item, the mean of the rows of the known ones whose vectors have the largest cosine."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    return rows[(unit[new] @ unit[known].T).topk(NEAREST, dim=1).indices].mean(dim=1)


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True, help="file or folder of item vectors named warm.itememb")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line
    tokens = [line.split("\t")[0] for line in (DATA / "ml-100k.item").read_text(encoding="utf-8").splitlines()[1:]]
    results: dict[str, list[tuple[float, float]]] = {}
    for seed in given.seeds:
        from recbole_llmdistill.data.item_vectors import load_item_vectors
        from recbole_llmdistill.model.item_knowledge import mapped_from_text

        cold = set(np.random.default_rng(seed).permutation(tokens)[: len(tokens) // 10].tolist())
        found = cases(cold)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary, "warm")
            write_without(folder, cold)
            for knowledge in ("none", "residual", "frozen"):
                model, dataset = train(folder, seed, given.epochs, given.vectors, knowledge)
                name = "plain, random rows" if knowledge == "none" else f"item_knowledge={knowledge}"
                results.setdefault(name, []).append(ndcg(model, dataset, found))
                if knowledge != "none":
                    continue
                texts = load_item_vectors(dataset, model.settings)
                number = dataset.field2token_id["item_id"]
                new = torch.tensor(sorted(number[item] for item in cold))
                counts = torch.bincount(torch.from_numpy(dataset.training_ids()[1]), minlength=dataset.item_num)
                known = (texts.present & (counts > 0)).nonzero().squeeze(1)
                rows = model.item_embedding.weight.data
                for label, fill in (
                    ("10 nearest in text", nearest),
                    ("map of texts to rows", mapped_from_text),
                ):
                    rows[new] = fill(texts.vectors, known, rows[known], new)
                    results.setdefault(f"plain, {label}", []).append(ndcg(model, dataset, found))
    print(f"{len(found):,} cases of {len(cold)} cold films (last seed)\n\n| | NDCG@10 | Recall@10 |\n|---|---|---|")
    for name, values in results.items():
        cells = [f"{np.mean(one):.4f} ± {np.std(one):.4f}" for one in zip(*values, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
