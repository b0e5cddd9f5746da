"""The order that RecBole reads back is the true one, and the paper's split is cut where the paper cuts it."""

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from recbole.config import Config
from recbole.data.dataset import SequentialDataset
from recbole_readback import raw_rows, read_with_recbole, sequential_parts

import recbole_llmdistill.dataset_converters.time_order as time_order
from recbole_llmdistill.data.dataset import CausalSequenceDataset
from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError


def random_log(seed: int, users: int, items: int, rows: int, span: int) -> list[tuple[str, str, int]]:
    """(user, item, second) in no order, as dense in time as clicks of one minute are."""
    draw = random.Random(seed)
    return [
        (f"u{draw.randrange(users)}", f"i{draw.randrange(items)}", 1_569_888_000 + draw.randrange(span))
        for _ in range(rows)
    ]


def run(log, **options) -> Path:
    raw = Path("raw")
    raw.mkdir(exist_ok=True)
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    pl.DataFrame(log, schema=schema, orient="row").write_parquet(raw / "interactions.parquet")
    return convert(Tables(), raw, Path("dataset/own"), **options).resolve()


def true_histories(log) -> dict[str, list[str]]:
    histories = defaultdict(list)
    for user, item, _ in sorted(log, key=lambda row: row[2]):  # stable
        histories[user].append(item)
    return histories


def test_the_order_that_recbole_reads_back_is_the_true_one() -> None:
    log = random_log(seed=1, users=5, items=40, rows=400, span=90)
    seconds = np.array([row[2] for row in log])
    assert len(np.unique(seconds.astype(np.float32))) < 5 < len(np.unique(seconds))  # what float32 would do to them
    dataset = read_with_recbole(run(log), all_fields=False)
    dataset._change_feat_format()  # where RecBole turns numbers into float32
    dataset.sort(by=["user_id", "time_rank"])
    found = defaultdict(list)
    users, items = dataset.inter_feat["user_id"].numpy(), dataset.inter_feat["item_id"].numpy()
    for user, item in zip(dataset.id2token("user_id", users), dataset.id2token("item_id", items), strict=True):
        found[str(user)].append(str(item))
    assert found == true_histories(log)


def test_equal_ranks_are_equal_seconds_and_no_others() -> None:
    log = random_log(seed=2, users=5, items=40, rows=300, span=200)
    ranks = defaultdict(set)
    for row in raw_rows(run(log) / "own.inter"):
        ranks[int(row["timestamp"])].add(int(row["time_rank"]))
    assert [ranks[second] for second in sorted(ranks)] == [{rank} for rank in range(len(ranks))]


def test_more_moments_than_float32_holds_keep_their_order(monkeypatch) -> None:
    monkeypatch.setattr(time_order, "EXACT_IN_FLOAT32", 16)
    seconds = pl.Series("timestamp", sorted(random.Random(3).sample(range(1000), 100)))
    ranked, meaning = time_order.add_time_rank(pl.DataFrame([seconds]))
    ranks = ranked["time_rank"].to_list()
    assert ranks == sorted(ranks)
    assert set(ranks) == set(range(16))
    assert "100" in meaning


def papers_split(log, share):
    """By the definition: (user, item, number of items before it) of training, validation and test."""
    in_time = sorted(log, key=lambda row: row[2])
    cut = in_time[round(share * len(log)) - 1][2]
    warm_users = {user for user, _, second in log if second <= cut}
    warm_items = {item for _, item, second in log if second <= cut}
    warm = [row for row in in_time if row[0] in warm_users and row[1] in warm_items]
    last = {user: place for place, (user, _, _) in enumerate(warm)}
    parts, seen = (set(), set(), set()), defaultdict(int)
    for place, (user, item, second) in enumerate(warm):
        part = 0 if second <= cut else 2 if last[user] == place else 1
        if seen[user]:
            parts[part].add((user, item, seen[user]))
        seen[user] += 1
    return parts


@pytest.mark.parametrize("seed", range(4))
def test_recbole_cuts_the_papers_split(seed) -> None:
    log = random_log(seed=seed, users=40, items=60, rows=500, span=100_000)
    log += [("cold", "i1", 1_569_988_000), ("cold", "i2", 1_569_988_001), ("u1", "cold item", 1_569_988_002)]
    folder = run(log, global_time_split=0.8)
    for part, expected in zip(sequential_parts(folder), papers_split(log, 0.8), strict=True):
        rows = part.inter_feat
        users = part.id2token("user_id", rows["user_id"].numpy())
        items = part.id2token("item_id", rows["item_id"].numpy())
        lengths = rows["item_length"].numpy()
        found = {(str(user), str(item), int(length)) for user, item, length in zip(users, items, lengths, strict=True)}
        assert found == expected


def test_our_training_sees_the_training_part_alone() -> None:
    log = random_log(seed=9, users=40, items=60, rows=500, span=100_000)
    folder = run(log, global_time_split=0.8)
    config = Config(model="SASRecDistill", dataset="own", config_dict={"data_path": str(folder.parent)})
    train, _, test = CausalSequenceDataset(config).build()
    cut = sorted(second for _, _, second in log)[round(0.8 * len(log)) - 1]
    seen = set(zip(*(map(str, tokens) for tokens in train.training_interactions()), strict=True))
    of_two = defaultdict(int)  # RecBole makes no row of a user with one training interaction
    for user, _, second in log:
        of_two[user] += second <= cut
    assert seen == {(user, item) for user, item, second in log if second <= cut and of_two[user] > 1}
    assert len(test) == len(papers_split(log, 0.8)[2])


def test_split_rows_are_recboles_whatever_the_model() -> None:
    log = random_log(seed=5, users=30, items=50, rows=400, span=100_000)
    folder = run(log, global_time_split=0.7)
    config = Config(model="SASRecDistill", dataset="own", config_dict={"data_path": str(folder.parent)})
    ours = [len(part.inter_feat) for part in CausalSequenceDataset(config).build()]
    assert ours == [len(part.inter_feat) for part in SequentialDataset(config).build()]


def test_a_split_without_times_or_out_of_range() -> None:
    Path("log.csv").write_text("user_id,item_id\nu,i\n")
    with pytest.raises(InputError, match="has no times"):
        convert(Tables(), "log.csv", "dataset/own", global_time_split=0.8)
    log = random_log(seed=5, users=30, items=50, rows=400, span=100)
    with pytest.raises(InputError, match="between 0 and 1"):
        run(log, global_time_split=80)
    with pytest.raises(InputError, match="targets; take another share"):
        run(log, global_time_split=0.999)
