"""``eval_exclude_seen`` against a loop over the lines of the file."""

from collections import defaultdict
from math import log2
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.config import Config
from recbole.quick_start import load_data_and_model, run_recbole
from recbole.utils import get_trainer
from tiny_dataset import N_ITEMS, N_USERS, SMALL

from recbole_llmdistill.errors import InputError

LEAVE_ONE_OUT = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}
SPLITS = [
    LEAVE_ONE_OUT,
    LEAVE_ONE_OUT | {"split": {"RS": [0.5, 0.2, 0.3]}},
    LEAVE_ONE_OUT | {"split": {"RS": [0.5, 0.2, 0.3]}, "group_by": None},
    LEAVE_ONE_OUT | {"split": {"TS": [0.5, 0.2, 0.3]}},
]
MODELS = ["SASRecDistill", "BERT4RecDistill", "SASRec", "GRU4Rec"]
SETTINGS = {
    "metric_decimal_place": 15,
    "valid_metric": "NDCG@5",
    "metrics": ["Recall", "NDCG"],
    "topk": [5, 20],
    "eval_batch_size": 7,
}


@pytest.fixture
def repeating(tiny) -> Path:
    """The data set ``tiny`` with users who take items again, histories three times as long as a window among them."""
    random = np.random.default_rng(3)
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    for user in range(N_USERS):
        items = random.integers(N_ITEMS, size=random.integers(4, 31))
        items[-1] = items[0] if user % 4 == 0 else items[-1]  # asked for again, long after it left the window
        start = int(random.integers(0, 1000))
        lines += [f"u{user}\ti{item}\t1\t{start + 10 * step}" for step, item in enumerate(items)]
    (tiny / "tiny.inter").write_text("\n".join([lines[0], *random.permutation(lines[1:])]) + "\n")
    return tiny


def by_loop(network: torch.nn.Module, part, file: Path, exclude: bool) -> dict[str, float]:
    """Recall and NDCG of a part, from the scores of one row at a time and the lines of the file."""
    history = defaultdict(list)
    for line in file.read_text().splitlines()[1:]:
        user, item, _, time = line.split("\t")
        history[user].append((float(time), item))
    network.eval()
    sums: dict[str, float] = defaultdict(float)
    for row in range(len(part)):
        case = part[[row]]
        user = part.field2id_token["user_id"][int(case["user_id"])]
        target, time = int(case["item_id"]), float(case["timestamp"])
        seen = {part.field2token_id["item_id"][item] for when, item in history[user] if when < time}
        scores = network.full_sort_predict(case).flatten().tolist()
        ranked = range(1, part.item_num)
        if exclude:
            ranked = [item for item in ranked if item == target or item not in seen]
        rank = sum(scores[item] > scores[target] for item in ranked) + 1
        for k in SETTINGS["topk"]:
            sums[f"recall@{k}"] += (rank <= k) / len(part)
            sums[f"ndcg@{k}"] += (1 / log2(rank + 1) if rank <= k else 0) / len(part)
    return dict(sums)


@pytest.mark.parametrize("split", SPLITS, ids=["leave-one-out", "ratio-of-user", "ratio", "time"])
@pytest.mark.parametrize("model", MODELS)
def test_what_was_seen_is_not_ranked(repeating, prepare, model: str, split: dict) -> None:
    made = prepare(model, eval_exclude_seen=True, eval_args=split, **SETTINGS)
    torch.nn.init.normal_(made.model.item_embedding.weight)  # scores far apart
    for loader in (made.valid_data, made.test_data):
        made.trainer.eval_collector.data_collect(made.train_data)
        found = made.trainer.evaluate(loader, load_best_model=False)
        expected = by_loop(made.model, loader.dataset, repeating / "tiny.inter", exclude=True)
        assert dict(found) == pytest.approx(expected, abs=1e-9)
        assert found != pytest.approx(by_loop(made.model, loader.dataset, repeating / "tiny.inter", exclude=False))


@pytest.mark.parametrize("model", MODELS)
def test_by_default_all_is_ranked(repeating, prepare, model: str) -> None:
    made = prepare(model, **SETTINGS)
    torch.nn.init.normal_(made.model.item_embedding.weight)
    found = made.trainer.evaluate(made.test_data, load_best_model=False)
    expected = by_loop(made.model, made.test_data.dataset, repeating / "tiny.inter", exclude=False)
    assert dict(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec"])
def test_from_run_recbole_to_the_loaded_checkpoint(repeating, model: str) -> None:
    loss = {"loss_type": "CE", "train_neg_sample_args": None}
    given = {**SMALL, **SETTINGS, **loss, "data_path": str(repeating.parent), "epochs": 1, "distill_epochs": 1}
    result = run_recbole(model, "tiny", config_dict=given | {"eval_exclude_seen": True})
    (file,) = [path for path in Path("saved").glob("*.pth") if path.is_file()]
    config, network, _, _, valid_data, test_data = load_data_and_model(str(file))
    trainer = get_trainer(config["MODEL_TYPE"], model)(config, network)
    for loader, name in ((valid_data, "best_valid_result"), (test_data, "test_result")):
        found = trainer.evaluate(loader, load_best_model=False)
        assert dict(found) == pytest.approx(dict(result[name]), abs=1e-9)
        expected = by_loop(network, loader.dataset, repeating / "tiny.inter", exclude=True)
        assert dict(found) == pytest.approx(expected, abs=1e-9)


def test_of_ready_made_lists_the_lists_are_what_was_seen(tiny, prepare) -> None:
    for part in ("train", "valid", "test"):
        lines = ["user_id:token\titem_id:token\ttimestamp:float\titem_id_list:token_seq"]
        lines += [f"u{user}\ti{user % 7}\t1\ti7 i8 i{user % 5}" for user in range(20)]
        (tiny / f"tiny.{part}.inter").write_text("\n".join(lines) + "\n")
    for model in ("SASRec", "SASRecDistill"):
        settings = {
            **{"benchmark_filename": ["train", "valid", "test"], "alias_of_item_id": ["item_id_list"]},
            **{"load_col": {"inter": ["user_id", "item_id", "timestamp", "item_id_list"]}, "eval_exclude_seen": True},
        }
        if model == "SASRecDistill":
            settings["sequence_training"] = "prefix"
        made = prepare(model, **settings)
        interaction, (rows, items), _, targets = next(iter(made.test_data))
        tokens = made.test_data.dataset.field2id_token["item_id"]
        for row, target in enumerate(tokens[targets.numpy()]):
            user = int(made.test_data.dataset.field2id_token["user_id"][int(interaction["user_id"][row])][1:])
            expected = {"i7", "i8", f"i{user % 5}"} - {target}
            assert set(tokens[items[rows == row].numpy()]) == expected


@pytest.mark.parametrize("mode", ["uni20", {"valid": "full", "test": "pop5"}])
@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec"])
def test_sampled_items_are_refused(configure, model: str, mode) -> None:
    arguments = LEAVE_ONE_OUT | {"mode": mode}
    with pytest.raises(InputError, match=r"eval_exclude_seen=True: eval_args has mode '(uni20|pop5)'"):
        configure(model, eval_exclude_seen=True, eval_args=arguments)
    assert configure(model, eval_args=arguments)["eval_exclude_seen"] is False


def test_every_model_has_the_setting(configure) -> None:
    assert Config("BPR", "ml-100k")["eval_exclude_seen"] is False
    assert configure("GRU4Rec", eval_exclude_seen="yes")["eval_exclude_seen"] is True
    with pytest.raises(InputError, match="eval_exclude_seen='perhaps'"):
        configure("GRU4Rec", eval_exclude_seen="perhaps")


def test_general_models_are_measured_as_ever(prepare) -> None:
    results = []
    for exclude in (False, True):
        made = prepare("ItemKNN", eval_exclude_seen=exclude, **SETTINGS)
        made.trainer.eval_collector.data_collect(made.train_data)
        results.append(dict(made.trainer.evaluate(made.test_data, load_best_model=False)))
    assert results[0] == results[1]
