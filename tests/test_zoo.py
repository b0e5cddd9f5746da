"""RecBole's own models through our ``run_recbole`` on the tested versions: train, save, load the best, test."""

from pathlib import Path

import numpy as np
import pytest
from recbole.quick_start import load_data_and_model, run_recbole
from recbole.utils import get_trainer
from tiny_dataset import N_ITEMS, SMALL, write_tiny_dataset

from recbole_llmdistill.config.model_names import model_names
from recbole_llmdistill.model.zoo import STUDENTS

# Without this package they stop alike: the first two at an `assert False` in their predict(), which RecBole calls to
# count FLOPs; KSR where it multiplies float32 by the float64 that RecBole preloads.
BROKEN_IN_RECBOLE = {"GRU4RecCPR", "SASRecCPR", "KSR"}
SEQUENTIAL = sorted(
    name
    for name in model_names("sequential_recommender")
    if name not in BROKEN_IN_RECBOLE and (name not in STUDENTS or name in ("SASRecDistill", "BERT4RecDistill"))
)
# One of each kind of checkpoint: plain weights, a module, arrays and sparse matrices; a graph; a loss of its own.
QUICK = ("GRU4Rec", "SASRecF", "DIN", "FPMC", "ItemKNN", "EASE", "LightGCN")

CROSS_ENTROPY = {"loss_type": "CE", "train_neg_sample_args": None}
PAIRWISE = {"train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False}}
LEAVE_ONE_OUT = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user"}
LABELED = {"threshold": {"rating": 3}, "eval_args": LEAVE_ONE_OUT | {"mode": "labeled"}}  # RecBole's default samples
KNOWLEDGE = {
    "load_col": {
        "inter": ["user_id", "item_id", "rating", "timestamp"],
        "kg": ["head_id", "relation_id", "tail_id"],
        "link": ["item_id", "entity_id"],
        "ent": ["ent_id", "ent_emb"],
        "rel": ["rel_id", "rel_emb"],
    },
    "eval_args": LEAVE_ONE_OUT | {"mode": "full"},
    "additional_feat_suffix": ["ent", "rel"],
    "alias_of_entity_id": ["ent_id"],
    "alias_of_relation_id": ["rel_id"],
    "preload_weight": {"ent_id": "ent_emb", "rel_id": "rel_emb"},
}
NEEDS = {
    "DIN": LABELED | PAIRWISE,
    "DIEN": LABELED | PAIRWISE,
    "FPMC": PAIRWISE | {"loss_type": "BPR"},
    "TransRec": PAIRWISE | {"loss_type": "BPR"},
    "LightGCN": PAIRWISE,
    "ItemKNN": {"train_neg_sample_args": None},
    "EASE": {"train_neg_sample_args": None},
    "S3Rec": CROSS_ENTROPY | {"train_stage": "pretrain", "pretrain_epochs": 1, "save_step": 1},
    "GRU4RecKG": CROSS_ENTROPY | KNOWLEDGE,
}


@pytest.fixture
def rich_dataset(tmp_path) -> Path:
    """The data set ``tiny`` with item features and a knowledge graph."""
    folder = tmp_path / "dataset" / "tiny"
    folder.mkdir(parents=True)
    write_tiny_dataset(folder)
    random = np.random.default_rng(0)

    def vector() -> str:
        return " ".join(map(str, random.normal(size=64).round(3)))

    items = range(N_ITEMS)
    files = {
        "item": ["item_id:token\tclass:token_seq", *(f"i{i}\tc{i % 5} d{i % 3}" for i in items)],
        "link": ["item_id:token\tentity_id:token", *(f"i{i}\te{i}" for i in items)],
        "kg": [
            "head_id:token\trelation_id:token\ttail_id:token",
            *(f"e{i}\tr{i % 3}\te{(i + 1) % N_ITEMS}" for i in items),
        ],
        "ent": ["ent_id:token\tent_emb:float_seq", *(f"e{i}\t{vector()}" for i in items)],
        "rel": ["rel_id:token\trel_emb:float_seq", *(f"r{i}\t{vector()}" for i in range(3))],
    }
    for suffix, lines in files.items():
        (folder / f"tiny.{suffix}").write_text("\n".join(lines) + "\n")
    return folder


def run_and_load(folder: Path, name: str) -> None:
    settings = {
        "data_path": str(folder.parent),
        "epochs": 1,
        "embedding_size": 64,
        "selected_features": ["class"],
        **{key: SMALL[key] for key in ("MAX_ITEM_LIST_LENGTH", "show_progress", "state")},
        "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "class"]},
        **NEEDS.get(name, CROSS_ENTROPY),
    }
    result = run_recbole(model=name, dataset="tiny", config_dict=settings)

    newest = max(Path("saved").glob(f"{name}-*.pth"), key=lambda path: path.stat().st_mtime)
    config, model, _, train_data, _, test_data = load_data_and_model(str(newest))
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
    trainer.eval_collector.data_collect(train_data)
    assert trainer.evaluate(test_data, load_best_model=False) == result["test_result"]


@pytest.mark.parametrize("name", QUICK)
def test_one_model_of_each_kind(rich_dataset, name: str) -> None:
    run_and_load(rich_dataset, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SEQUENTIAL if name not in QUICK])
def test_every_sequential_model(rich_dataset, name: str) -> None:
    run_and_load(rich_dataset, name)
