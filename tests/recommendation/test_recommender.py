"""What a checkpoint recommends is what RecBole ranks, for whoever asks, in whatever company."""

import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recbole.data.interaction import Interaction
from recbole.quick_start import load_data_and_model
from recbole.utils.case_study import full_sort_topk
from tiny_dataset import N_ITEMS

from recbole_llmdistill import Recommender
from recbole_llmdistill.compat.item_counts import count_items
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.recommendation import ranking
from recbole_llmdistill.recommendation import recommender as recommender_module
from recbole_llmdistill.recommendation.ranking import LARGEST, best, rows_at_once
from recbole_llmdistill.recommendation.sequences import UserSequence

TOLERANCE = 1e-5  # of scores: sums of a batch of another shape are added in another order

# How each kind of RecBole's sequential models reads a sequence: attention, both ways, recurrence, convolution.
SEQUENTIAL = [
    "SASRecDistill",
    "BERT4RecDistill",
    "SASRec",
    "BERT4Rec",
    "GRU4Rec",
    "NARM",
    "STAMP",
    "NextItNet",
    "SRGNN",
]
MORE = [pytest.param(name, marks=pytest.mark.slow) for name in ("SRGNN", "GCSAN", "LightSANs", "RepeatNet", "SINE")]
BERT4REC = {"transform": "mask_itemseq"}
PAIRWISE = {"train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False}, "loss_type": "BPR"}


def settings_of(model: str) -> dict:
    return {"BERT4Rec": BERT4REC, "BPR": PAIRWISE, "FPMC": PAIRWISE, "LightGCN": PAIRWISE}.get(model, {})


def test_rows(prepared) -> tuple[list[str], list[list[str]]]:
    """Users of the test part, and the sequences that the model is asked for."""
    dataset = prepared.test_data.dataset
    rows = dataset[np.arange(len(dataset))]
    users = dataset.id2token("user_id", rows["user_id"]).tolist()
    pairs = zip(rows["item_id_list"].tolist(), rows["item_length"].tolist(), strict=True)
    return users, [dataset.id2token("item_id", items[:length]).tolist() for items, length in pairs]


test_rows.__test__ = False


@pytest.mark.parametrize("name", [*SEQUENTIAL, *MORE])
def test_from_the_checkpoint_alone_as_recboles_full_sort_topk(train, tiny, name: str) -> None:
    trained = train(name, **settings_of(name))
    _, model, dataset, *_, test_data = load_data_and_model(str(trained.file))
    users, sequences = test_rows(trained.prepared)
    scores, items = full_sort_topk(dataset.token2id("user_id", users), model, test_data, k=7)
    shutil.rmtree(tiny)

    found = Recommender.load(trained.file).recommend(sequences, k=7)

    assert [r.items for r in found] == dataset.id2token("item_id", items).tolist()
    np.testing.assert_allclose([r.scores for r in found], scores.numpy(), atol=TOLERANCE)
    assert {(r.source, r.unknown_items, r.user) for r in found} == {("model", 0, None)}


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill", "GRU4Rec"])
def test_as_a_loop_over_items_says(train, name: str) -> None:
    trained = train(name)
    prepared, sequence = trained.prepared, ["i5", "i9", "i1"]
    dataset, model = prepared.test_data.dataset, prepared.model.eval()
    model.load_state_dict(torch.load(trained.file, weights_only=True)["state_dict"])
    padded = torch.zeros(1, 10, dtype=torch.int64)
    padded[0, :3] = torch.from_numpy(dataset.token2id("item_id", sequence))
    scores = {}
    for token in (f"i{n}" for n in range(N_ITEMS)):
        columns = {"item_id_list": padded, "item_length": torch.tensor([3])}
        columns["item_id"] = torch.tensor([dataset.token2id("item_id", token)])
        with torch.no_grad():
            scores[token] = float(model.predict(columns))
    for token in sequence:
        del scores[token]
    expected = sorted(scores, key=scores.get, reverse=True)

    found = Recommender.load(trained.file).recommend([sequence], k=N_ITEMS, exclude_seen=True)[0]

    assert found.items == expected
    np.testing.assert_allclose(found.scores, [scores[token] for token in expected], atol=TOLERANCE)


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill", "GRU4Rec", "NextItNet"])
def test_one_at_a_time_as_64_at_once(checkpoint, name: str) -> None:
    recommender = Recommender.load(checkpoint(name))
    random = np.random.default_rng(3)
    sequences = [[f"i{n}" for n in random.integers(0, N_ITEMS, random.integers(0, 30))] for _ in range(64)]
    together = recommender.recommend(sequences, k=9)
    for sequence, one_of_many in zip(sequences, together, strict=True):
        alone = recommender.recommend([sequence], k=9)[0]
        assert alone.items == one_of_many.items
        np.testing.assert_allclose(alone.scores, one_of_many.scores, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])
def test_neither_padding_nor_mask_are_ever_recommended(checkpoint, name: str) -> None:
    recommender = Recommender.load(checkpoint(name))
    assert sorted(recommender.items) == sorted(f"i{n}" for n in range(N_ITEMS))
    for found in recommender.recommend([["i1"], []], k=N_ITEMS):
        assert sorted(found.items) == sorted(recommender.items)
        assert found.scores == sorted(found.scores, reverse=True)


def test_unknown_items_are_passed_over_and_counted(checkpoint) -> None:
    recommender = Recommender.load(checkpoint())
    known, mixed = recommender.recommend([["i1", "i2"], ["new", "i1", "[PAD]", "i2", "newer"]], k=5)
    assert mixed.items == known.items
    np.testing.assert_allclose(mixed.scores, known.scores, atol=TOLERANCE)
    assert (known.unknown_items, mixed.unknown_items) == (0, 3)


def test_of_long_sequences_the_newest_items_count(checkpoint) -> None:
    recommender = Recommender.load(checkpoint())  # MAX_ITEM_LIST_LENGTH is 10
    long = [f"i{n}" for n in range(25)]
    whole, window, shorter = recommender.recommend([long, long[-10:], long[-9:]], k=5)
    assert (whole.items, whole.scores) == (window.items, window.scores)
    assert whole.scores != shorter.scores


def test_a_sequence_of_nothing_known_gets_the_most_popular_items(train, tiny) -> None:
    trained = train()
    training = trained.prepared.train_data._dataset
    counts = Counter(training.id2token("item_id", training.inter_feat["item_id"]).tolist())
    number = training.field2token_id["item_id"]
    expected = sorted(number, key=lambda token: (-counts[token], number[token]))
    expected.remove("[PAD]")
    shutil.rmtree(tiny)
    empty, unknown, usual = Recommender.load(trained.file).recommend([[], ["new"], ["i1"]], k=N_ITEMS)
    assert empty.items == unknown.items == expected
    assert empty.scores == [counts[token] for token in expected]
    assert [r.source for r in (empty, unknown, usual)] == ["popularity", "popularity", "model"]
    assert (empty.unknown_items, unknown.unknown_items) == (0, 1)


def test_seen_items_are_those_of_the_whole_sequence(checkpoint) -> None:
    recommender = Recommender.load(checkpoint())
    seen = [f"i{n}" for n in range(N_ITEMS - 4)]
    found, nothing = recommender.recommend([seen, [f"i{n}" for n in range(N_ITEMS)]], k=10, exclude_seen=True)
    assert sorted(found.items) == sorted(f"i{n}" for n in range(N_ITEMS - 4, N_ITEMS))
    assert len(found.scores) == 4
    assert (nothing.items, nothing.scores, nothing.source) == ([], [], "model")


def test_candidates_are_ranked_as_among_all(checkpoint) -> None:
    recommender = Recommender.load(checkpoint("BERT4RecDistill"))
    candidates = ["i7", "i3", "i50", "i7", "i11"]
    everything, popular = recommender.recommend([["i3", "i4"], []], k=N_ITEMS)
    found, of_popular = recommender.recommend([["i3", "i4"], []], k=4, candidates=candidates)
    assert found.items == [item for item in everything.items if item in candidates]
    assert of_popular.items == [item for item in popular.items if item in candidates]
    unseen = recommender.recommend([["i3", "i4"]], k=4, candidates=candidates, exclude_seen=True)[0]
    assert unseen.items == [item for item in found.items if item != "i3"]


def test_whole_numbers_are_tokens_too(tiny, checkpoint) -> None:
    file = tiny / "tiny.inter"
    file.write_text(file.read_text().replace("\ti", "\t").replace("\ttem", "\titem"))
    recommender = Recommender.load(checkpoint("GRU4Rec"))
    found = recommender.recommend([[1, 2], ["1", "2"]], k=3, candidates=[5, 6, 7, 8])
    assert found[0] == found[1]
    assert found[0].unknown_items == 0


# Users by name


@pytest.mark.parametrize("name", ["SASRecDistill", "GRU4Rec"])
def test_a_known_user_is_asked_for_with_all_that_the_data_set_says(train, tiny, name: str) -> None:
    rows = [line.split("\t") for line in (tiny / "tiny.inter").read_text().splitlines()[1:]]
    rows.sort(key=lambda row: float(row[3]))
    recommender = Recommender.load(train(name).file)
    for user in ("u3", "u17"):
        history = [item for who, item, *_ in rows if who == user]
        by_name = recommender.recommend_users([user], k=N_ITEMS, exclude_seen=True)[0]
        by_sequence = recommender.recommend([history], k=N_ITEMS, exclude_seen=True)[0]
        assert by_name.user == user
        assert (by_name.items, by_name.scores) == (by_sequence.items, by_sequence.scores)
    everybody = recommender.recommend_users(k=1)
    assert {r.user for r in everybody} == {row[0] for row in rows}


def test_users_of_yesterdays_data_set_need_not_be_those_of_today(train, tiny) -> None:
    trained = train()
    with open(tiny / "tiny.inter", "a") as file:
        file.write("u0\tbrand-new\t1\t99999\nnobody\ti4\t1\t1\nnobody\ti5\t1\t2\n")
    found, other = Recommender.load(trained.file).recommend_users(["nobody", "u0"], k=5)
    assert found.items == Recommender.load(trained.file).recommend([["i4", "i5"]], k=5)[0].items
    assert other.unknown_items == 1


def test_a_moved_data_set_is_named(train, tiny, tmp_path) -> None:
    file = train().file
    tiny.parent.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"was trained on the data set tiny, which is not in .*--data-path"):
        Recommender.load(file).recommend_users(["u0"], k=3)
    assert Recommender.load(file, data_path=tmp_path / "elsewhere").recommend_users(["u0"], k=3)[0].user == "u0"


def test_a_general_model_scores_users_from_the_checkpoint_alone(train, tiny) -> None:
    trained = train("BPR", **PAIRWISE)
    _, model, dataset, *_, test_data = load_data_and_model(str(trained.file))
    users = ["u1", "u30", "u7"]
    _, items = full_sort_topk(dataset.token2id("user_id", users), model, test_data, k=5)
    expected = dataset.id2token("item_id", items)
    shutil.rmtree(tiny)
    recommender = Recommender.load(trained.file)
    for found, best_unseen in zip(recommender.recommend_users(users, k=N_ITEMS), expected, strict=True):
        assert [item for item in found.items if item in best_unseen] == best_unseen.tolist()
    assert len(recommender.recommend_users(k=1)) == 40
    assert recommender.recommend_users(["stranger"], k=1)[0].source == "popularity"
    with pytest.raises(InputError, match=r"BPR has weights for each user of its training, so it needs users by name"):
        recommender.recommend([["i1"]], k=3)
    with pytest.raises(InputError, match=r"which is not in .*--data-path"):
        recommender.recommend_users(users, k=3, exclude_seen=True)


def test_a_model_of_users_and_sequences(train, tiny) -> None:
    trained = train("FPMC", **PAIRWISE)
    _, model, dataset, *_, test_data = load_data_and_model(str(trained.file))
    users, sequences = test_rows(trained.prepared)
    _, items = full_sort_topk(dataset.token2id("user_id", users), model, test_data, k=5)
    shutil.rmtree(tiny)
    rows = [UserSequence(*row) for row in zip(users, sequences, strict=True)]
    found = list(Recommender.load(trained.file).stream([*rows, UserSequence("stranger", ["i1"])], k=5))
    assert [r.items for r in found[:-1]] == dataset.id2token("item_id", items).tolist()
    assert [r.source for r in found[-2:]] == ["model", "popularity"]


def test_a_model_that_is_built_from_interactions_says_so_or_finds_them(train, tiny) -> None:
    trained = train("LightGCN", **PAIRWISE)
    found = Recommender.load(trained.file).recommend_users(["u1", "u2"], k=4, exclude_seen=True)
    assert [len(r.items) for r in found] == [4, 4]
    shutil.rmtree(tiny)
    with pytest.raises(InputError, match=r"LightGCN is built from more of its data set \(inter_matrix\)"):
        Recommender.load(trained.file)


@pytest.mark.parametrize(
    ("name", "message"),
    [("FM", "FM scores rows of features, and neither users"), ("NeuMF", "NeuMF scores single pairs of a user and")],
)
def test_models_that_rank_no_catalogue_say_so(train, name: str, message: str) -> None:
    labels = {"threshold": {"rating": 3}, "metrics": ["AUC"], "valid_metric": "AUC", "train_neg_sample_args": None}
    labels["eval_args"] = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "labeled"}
    file = train(name, **(labels if name == "FM" else PAIRWISE | {"loss_type": None})).file
    with pytest.raises(InputError, match=message):
        Recommender.load(file)


# Memory and order


def test_a_stream_holds_a_bounded_number_of_rows_and_scores(checkpoint, monkeypatch) -> None:
    recommender = Recommender.load(checkpoint())
    monkeypatch.setattr(recommender_module, "MOST_ROWS", 16)
    monkeypatch.setattr(recommender_module, "rows_at_once", lambda n_items: 5)
    taken, blocks, ask = 0, [], recommender._model.scores

    def scores(sequences, users):
        blocks.append(len(sequences))
        return ask(sequences, users)

    def source():
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield UserSequence(f"n{number}", [f"i{number % N_ITEMS}"] * (number % 3))

    monkeypatch.setattr(recommender._model, "scores", scores)
    stream = recommender.stream(source(), k=2)
    assert taken == 0
    for given, found in enumerate(stream):
        assert found.user == f"n{given}"
        assert (found.source == "popularity") == (given % 3 == 0)
        assert taken - given <= 16
    assert given == 999
    assert max(blocks) == 5


@pytest.mark.parametrize("n_items", [10, 1_683, 10_000, 131_073, 1_000_000, LARGEST, 10 * LARGEST])
def test_a_block_of_scores_is_bounded_whatever_the_catalogue(n_items: int) -> None:
    rows = rows_at_once(n_items)
    assert rows == 1 or rows * n_items <= LARGEST


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_of_equal_scores_the_first_items_are_taken(k: int) -> None:
    random = np.random.default_rng(1)
    scores = torch.from_numpy(random.integers(0, 3, (200, 8)).astype(np.float32))
    scores[::7, ::3] = -torch.inf
    values, columns = best(scores.clone(), k)
    for row, got_values, got_columns in zip(scores.tolist(), values.tolist(), columns.tolist(), strict=True):
        order = sorted(range(8), key=lambda column: (-row[column], column))[:k]
        assert got_columns == order
        assert got_values == [row[column] for column in order]


@pytest.mark.parametrize("values", [3, 100, 10**6])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_long_rows_are_ranked_as_a_sort_ranks_them(monkeypatch, k: int, values: int) -> None:
    monkeypatch.setattr(ranking, "STRETCH", 5)
    random = np.random.default_rng(2)
    scores = torch.from_numpy(random.integers(0, values, (50, 1_003)).astype(np.float32))
    scores[::3, ::2] = -torch.inf
    expected = scores.sort(dim=1, descending=True, stable=True)
    found, columns = best(scores, k)
    assert torch.equal(found, expected.values[:, :k])
    assert torch.equal(columns, expected.indices[:, :k])


# What a checkpoint carries


def test_item_counts_are_small_and_read_without_this_package(train) -> None:
    trained = train()
    state = torch.load(trained.file, weights_only=True)
    counts = state["item_counts"]
    assert counts["version"] == 1
    assert (counts["counts"].dtype, counts["counts"].shape) == (torch.int32, (N_ITEMS + 1,))
    training = trained.prepared.train_data._dataset
    assert counts["counts"].tolist() == np.bincount(training.inter_feat["item_id"], minlength=N_ITEMS + 1).tolist()
    del state["item_counts"]
    without = trained.file.with_name("without.pth")
    torch.save(state, without)
    assert trained.file.stat().st_size - without.stat().st_size < 4 * N_ITEMS + 1024


def test_a_data_set_without_items_has_no_counts() -> None:
    rows = Interaction({"label": torch.ones(3)})
    for dataset in (SimpleNamespace(), SimpleNamespace(inter_feat=rows, iid_field="item_id")):
        assert count_items(dataset) is None


def rewritten(file: Path, change) -> Path:
    state = torch.load(file, weights_only=True)
    change(state)
    torch.save(state, file)
    return file


def test_without_counts_only_what_needs_them_is_refused(checkpoint) -> None:
    recommender = Recommender.load(rewritten(checkpoint(), lambda state: state.pop("item_counts")))
    assert recommender.recommend([["i1"]], k=3)[0].source == "model"
    with pytest.raises(InputError, match=r"does not hold how popular its items are"):
        recommender.recommend([["i1"], []], k=3)


def test_without_tokens_the_data_set_is_asked_for_by_name(train, tiny) -> None:
    trained = train()
    expected = Recommender.load(trained.file).recommend([["i1"], []], k=3)
    file = rewritten(trained.file, lambda state: [state.pop(key) for key in ("item_counts", "token_tables")])
    with pytest.raises(InputError, match=r"does not hold the tokens of its items .*--data-path .* data set tiny"):
        Recommender.load(file)
    assert Recommender.load(file, data_path=tiny.parent).recommend([["i1"], []], k=3) == expected


def set_nan(state: dict) -> None:
    state["state_dict"]["item_embedding.weight"][3, 3] = torch.nan


def set_huge(state: dict) -> None:
    state["state_dict"]["item_embedding.weight"][3:] = 3e38


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_nan, r"the weight item_embedding\.weight holds NaN"),
        (set_huge, r"NaN"),
        (lambda state: state["token_tables"].update(version=2), "token_tables have version 2, known here is 1; update"),
        (lambda state: state["item_counts"].update(version=2), "item_counts have version 2, known here is 1; update"),
        (lambda state: state["item_counts"].update(counts=torch.zeros(3)), "item_counts are damaged"),
        (lambda state: state.update(item_counts=3), "item_counts are damaged"),
        (lambda state: state["token_tables"]["tables"].clear(), r"token_tables are damaged \(no items\)"),
        (lambda state: state["state_dict"].popitem(), "cannot be rebuilt"),
        (lambda state: state.pop("state_dict"), "holds no weights"),
        (lambda state: state.pop("config"), "holds no RecBole config"),
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_is_told_in_one_line(checkpoint, change, message: str) -> None:
    file = rewritten(checkpoint(), change)
    with pytest.raises(InputError, match=message) as caught:
        Recommender.load(file).recommend([["i1", "i2"]], k=3)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": N_ITEMS + 1}, r"--topk=61: must be from 1 to the 60 items in the catalogue"),
        ({"k": 0}, r"--topk=0: must be from 1"),
        ({"k": 3, "candidates": ["i1", "i2"]}, r"to the 2 candidates"),
        ({"k": 1, "candidates": []}, r"to the 0 candidates"),
        ({"k": 1, "candidates": ["i1", "x", "y"]}, r"2 of 3 candidates are no items of .*the first is 'x'"),
        ({"k": 1, "candidates": ["[PAD]"]}, r"1 of 1 candidates are no items"),
    ],
)
def test_what_cannot_be_asked_for(checkpoint, arguments: dict, message: str) -> None:
    recommender = Recommender.load(checkpoint())
    with pytest.raises(InputError, match=message):
        recommender.recommend([["i1"]], **arguments)
    with pytest.raises(InputError, match="a sequence is a list of item tokens, and 'i1' is a text"):
        recommender.recommend(["i1"], k=1)
