"""Histories and splits follow the time as it was read; each expectation is worked out from the rows of the file."""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.config import Config
from recbole.data import create_dataset

from recbole_llmdistill.data.fast import cache
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.history.histories import load_histories

SPLITS = {
    "LS": {"split": {"LS": "valid_and_test"}, "group_by": "user"},
    "RS by user": {"split": {"RS": [0.6, 0.2, 0.2]}, "group_by": "user"},
    "RS of all": {"split": {"RS": [0.7, 0.2, 0.1]}, "group_by": "none"},
    "TS": {"split": {"TS": [0.6, 0.2, 0.2]}, "group_by": "user"},
}
MODELS = ["SASRecDistill", "BERT4RecDistill", "SASRec", "BPR"]
UNITS = {"seconds": 1, "milliseconds": 1000}
NOW = 1_700_000_000
SAYS = (
    r"histories of (\d+) of (\d+) users in another order .* another item in (\d+) places of the validation part and "
    r"(\d+) of the test part"
)

Row = tuple[str, str, float]


@pytest.fixture
def rows() -> list[Row]:
    """User, item and seconds, in no order; sittings of some minutes, with interactions at the very same second."""
    random = np.random.default_rng(11)
    seconds = NOW + random.integers(0, 3, 400) * 3600 + random.integers(0, 200, 400)
    return [
        (f"u{user}", f"i{item}", int(time))
        for user, item, time in zip(random.integers(0, 25, 400), random.permutation(400) % 150, seconds, strict=True)
    ]


def write(rows: list[Row], times: list) -> None:
    folder = Path("dataset", "own")
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{user}\t{item}\t{time}" for (user, item, _), time in zip(rows, times, strict=True)]
    (folder / "own.inter").write_text("\n".join(["user_id:token\titem_id:token\ttimestamp:float", *lines]) + "\n")


def configure(model: str = "SASRecDistill", split: str = "LS", **settings) -> Config:
    base = {"state": "CRITICAL", "load_col": {"inter": "*"}, "MAX_ITEM_LIST_LENGTH": 8}
    if model == "SASRec":
        base["train_neg_sample_args"] = None
    if model.endswith("Distill"):
        base["sequence_training"] = "prefix"
    evaluation = {"order": "TO", "mode": "full", **SPLITS[split]}
    return Config(model, "own", config_dict={"data_path": "dataset", **base, "eval_args": evaluation, **settings})


def parts_of(config: Config) -> list[list[dict]]:
    """Rows of each part, without the time itself; item lists as tokens."""
    dataset = create_dataset(config)
    users, items = dataset.field2id_token["user_id"], dataset.field2id_token["item_id"]
    parts = []
    for part in dataset.build():
        batch = part[np.arange(len(part))] if len(part) else part.inter_feat
        assert all(batch[name].dtype != torch.float64 for name in batch.columns)
        lists = batch["item_id_list"].tolist() if "item_id_list" in batch.columns else [None] * len(part)
        ids = zip(batch["user_id"].tolist(), batch["item_id"].tolist(), lists, strict=True)
        parts.append([(users[user], items[item], items[row].tolist() if row else None) for user, item, row in ids])
    return parts


def histories(rows: list[Row], narrow: bool = False) -> dict[str, list[str]]:
    """Items of every user by time and then by place in the file."""

    def key(row: Row) -> float:
        return float(np.float32(row[2])) if narrow else row[2]

    of_user = defaultdict(list)
    for user, item, _ in sorted(rows, key=key):
        of_user[user].append(item)
    return of_user


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("unit", UNITS)
def test_leave_one_out_holds_out_the_last_two(rows, model, unit) -> None:
    write(rows, [row[2] * UNITS[unit] + (7 if unit == "milliseconds" else 0) for row in rows])
    train, valid, test = parts_of(configure(model))
    expected = histories(rows)
    assert {user: item for user, item, _ in test} == {user: items[-1] for user, items in expected.items()}
    assert {user: item for user, item, _ in valid} == {user: items[-2] for user, items in expected.items()}
    of_user = defaultdict(list)
    for user, item, before in train:
        of_user[user].append(item)
        if before:
            place = len(of_user[user])
            assert [i for i in before if i != "[PAD]"] == expected[user][max(0, place - 8) : place]
    skipped = 0 if model == "BPR" else 1  # a sequence's first item is no target
    assert of_user == {user: items[skipped:-2] for user, items in expected.items()}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec", "BPR"])
def test_every_split_is_that_of_times_which_float32_holds(rows, model, split) -> None:
    """RecBole itself, given the rank of each moment instead of the moment, has nothing to lose."""
    write(rows, [row[2] for row in rows])
    found = parts_of(configure(model, split))
    ranks = {time: rank for rank, time in enumerate(sorted({row[2] for row in rows}))}
    write(rows, [ranks[row[2]] for row in rows])
    assert found == parts_of(configure(model, split, sequence_order="recbole"))
    write(rows, [row[2] for row in rows])
    assert found != parts_of(configure(model, split, sequence_order="recbole"))


@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec", "BPR"])
def test_the_order_of_recbole_is_told(rows, model, caplog) -> None:
    write(rows, [row[2] for row in rows])
    parts_of(configure(model, sequence_order="recbole"))
    (told,) = [re.search(SAYS, record.message) for record in caplog.records if "sequence_order" in record.message]
    true, narrow = histories(rows), histories(rows, narrow=True)
    expected = [
        sum(true[user] != narrow[user] for user in true),
        len(true),
        sum(true[user][-2] != narrow[user][-2] for user in true),
        sum(true[user][-1] != narrow[user][-1] for user in true),
    ]
    assert min(expected) > 0
    assert [int(number) for number in told.groups()] == expected


def test_nothing_is_told_where_nothing_is_lost(rows, caplog) -> None:
    write(rows, [row[2] for row in rows])
    parts_of(configure())
    write(sorted(rows, key=lambda row: row[2]), sorted(row[2] for row in rows))  # the file's own order is right
    parts_of(configure(sequence_order="recbole"))
    write(rows, [row[2] - NOW for row in rows])
    parts_of(configure(sequence_order="recbole"))
    assert not [record for record in caplog.records if "sequence_order" in record.message]


def test_ml_100k_has_recboles_order_for_every_model(caplog) -> None:
    """83 of 943 histories and 4 test items, as counted from the file alone."""
    load = {"load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "state": "CRITICAL"}
    config = Config("SASRecDistill", "ml-100k", config_dict=load)
    assert config["sequence_order"] == Config("BPR", "ml-100k")["sequence_order"] == "recbole"
    create_dataset(config).build()
    text = Path(config["data_path"], "ml-100k.inter").read_text()
    cells = [line.split("\t") for line in text.splitlines()[1:]]
    times = np.array([int(time) for *_, time in cells])
    times = (times - times.min()) / (times.max() - times.min())  # normalize_all, as RecBole sets it for this data set
    rows = [(user, item, time) for (user, item, *_), time in zip(cells, times.tolist(), strict=True)]
    true, narrow = histories(rows), histories(rows, narrow=True)
    assert sum(true[user] != narrow[user] for user in true) == 83
    assert sum(true[user][-1] != narrow[user][-1] for user in true) == 4
    (told,) = [re.search(SAYS, record.message) for record in caplog.records if "sequence_order" in record.message]
    assert told.group(1, 2, 4) == ("83", "943", "4")


def test_the_first_of_duplicates_is_the_first_by_time(rows) -> None:
    again = [(user, item, time) for user, item, time in rows for item in ("x", item)]
    write(again, [row[2] for row in again])
    found = parts_of(configure("BPR", rm_dup_inter="first"))
    kept, expected = set(), []
    for user, item, time in sorted(again, key=lambda row: row[2]):
        if (user, item) not in kept:
            kept.add((user, item))
            expected.append((user, item, time))
    assert sorted(row[:2] for part in found for row in part) == sorted(row[:2] for row in expected)
    assert {user: item for user, item, _ in found[2]} == {u: items[-1] for u, items in histories(expected).items()}


def test_histories_for_an_llm_and_their_fingerprint_have_the_same_order(rows) -> None:
    write(rows, [row[2] for row in rows])
    Path("dataset/own/own.item").write_text(
        "item_id:token\ttitle:token\n" + "".join(f"i{number}\ttitle {number}\n" for number in range(150))
    )
    found = load_histories(configure())
    expected = histories(rows)
    for index in range(len(found)):
        history = found[index]
        titles = [found.catalogue.title(item) for item in history.items]
        assert titles == [f"title {item[1:]}" for item in expected[history.token][:-2]]
    assert found.training_fingerprint != load_histories(configure(sequence_order="recbole")).training_fingerprint


def test_one_kept_data_set_serves_both_orders(rows, monkeypatch) -> None:
    monkeypatch.setattr(cache, "LEAST_BYTES", 0)
    write(rows, [row[2] for row in rows])
    orders = ("exact", "recbole")
    first = [parts_of(configure(sequence_order=order)) for order in orders]
    assert len(list(Path("saved").glob("*" + cache.SUFFIX))) == 1
    assert first == [parts_of(configure(sequence_order=order)) for order in orders]
    assert first[0] != first[1]


def test_a_config_from_before_the_setting_keeps_the_order_it_was_trained_with(rows) -> None:
    write(rows, [row[2] for row in rows])
    config = configure()
    del config.final_config_dict["sequence_order"]
    assert parts_of(config) == parts_of(configure(sequence_order="recbole"))


@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec", "BPR"])
def test_a_time_of_another_type_is_one_line(rows, model) -> None:
    write(rows, [row[2] for row in rows])
    file = Path("dataset/own/own.inter")
    file.write_text(file.read_text().replace("timestamp:float", "timestamp:token"))
    with pytest.raises(
        InputError,
        match=r"timestamp \(TIME_FIELD\) is (of type token; it must be float|a token column, which has no order)",
    ):
        parts_of(configure(model))


def test_interactions_without_a_time_are_counted(rows, caplog) -> None:
    write(rows, ["" if number in (5, 70, 71) else row[2] for number, row in enumerate(rows)])
    parts_of(configure())
    assert any("3 of 400 interactions have no timestamp" in record.message for record in caplog.records)


@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec"])
def test_another_order_is_refused(rows, model) -> None:
    write(rows, [row[2] for row in rows])
    with pytest.raises(InputError, match="sequence_order='file'"):
        configure(model, sequence_order="file")
    assert configure(model)["sequence_order"] == "exact"
