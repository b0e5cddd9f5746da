"""RecBole's own data sets on the current NumPy and pandas: what they hold is worked out here from the files' texts."""

import warnings
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from recbole.config import Config
from recbole.data.dataset import Dataset, KnowledgeBasedDataset, SequentialDataset
from recbole.utils import init_seed

from recbole_llmdistill.data.dataset import CausalSequenceDataset
from recbole_llmdistill.errors import InputError

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
ALL = {"inter": "*", "user": "*", "item": "*"}
KINDS = [Dataset, SequentialDataset, CausalSequenceDataset]
LEAVE_ONE_OUT = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}


@pytest.fixture
def load(tmp_path) -> Callable:
    """Function (kind, files, settings) -> the data set of such files, loaded but not split."""

    def make(kind: type, files: dict[str, str | list[str]], **settings) -> Dataset:
        folder = tmp_path / "dataset" / "own"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, lines in files.items():
            text = lines if isinstance(lines, str) else "\n".join(lines) + "\n"
            (folder / f"own.{suffix}").write_text(text, encoding="utf-8")
        model = {Dataset: "BPR", KnowledgeBasedDataset: "CFKG", CausalSequenceDataset: "SASRecDistill"}
        base = {"data_path": str(folder.parent), "state": "WARNING", "load_col": ALL, "eval_args": LEAVE_ONE_OUT}
        if kind is SequentialDataset:
            base["train_neg_sample_args"] = None
        with warnings.catch_warnings():  # what pandas is about to take away is used no more
            warnings.simplefilter("error", FutureWarning)
            warnings.simplefilter("error", DeprecationWarning)
            config = Config(model.get(kind, "SASRec"), "own", config_dict={**base, **settings})
            init_seed(0, True)
            return kind(config)

    return make


def rows_of(dataset: Dataset, *fields: str) -> list[tuple]:
    """The interactions as loaded, tokens by their text (None: missing), numbers as they are."""
    columns = []
    for field in fields:
        values = dataset.inter_feat[field].tolist()
        if field in dataset.field2id_token:
            tokens = dataset.field2id_token[field]
            values = [str(tokens[value]) if value else None for value in values]
        columns.append(values)
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_user_and_rows_without_an_item(load, kind, caplog) -> None:
    """240 rows; lines 2 and 3 lack the user, line 101 the item, and so do some near the end."""
    lines = [[f"u{row % 12}", f"i{row}", str(row % 5 + 1), str(row)] for row in range(240)]
    for line in (2, 3, 240):
        lines[line - 2][0] = ""
    for line in (101, 239, 241):
        lines[line - 2][1] = ""
    dataset = load(kind, {"inter": [INTER, *("\t".join(line) for line in lines)]})
    kept = [(user, item, float(time)) for user, item, _, time in lines if user and item]
    assert rows_of(dataset, "user_id", "item_id", "timestamp") == kept
    assert (dataset.user_num, dataset.item_num) == (13, 235)
    told = [record.message for record in caplog.records if "left out" in record.message]
    assert told == [
        "own.inter: 6 of 240 rows have no user_id or no item_id and are left out (lines 2, 3, 101, 239, 240, ...)"
    ]


def test_ready_made_parts_with_rows_that_lack_an_item(load, caplog) -> None:
    header = "user_id:token\titem_id_list:token_seq\titem_id:token"
    parts = {
        "train.inter": [header, "u1\ta b\tc", "u1\ta\t", "u2\ta b c\td"],
        "valid.inter": [header, "\ta\tb", "u2\tb\ta"],
        "test.inter": [header, "u1\ta b c d\ta"],
    }
    settings = {"benchmark_filename": ["train", "valid", "test"], "alias_of_item_id": ["item_id_list"]}
    dataset = load(SequentialDataset, parts, **settings)
    items = dataset.field2id_token["item_id"]
    found = [
        (*items[part.inter_feat["item_id_list"].numpy()].tolist(), items[part.inter_feat["item_id"].numpy()].tolist())
        for part in dataset.build()
    ]
    pad = "[PAD]"
    assert found == [
        (["a", "b", pad, pad], ["a", "b", "c", pad], ["c", "d"]),
        (["b", pad, pad, pad], ["a"]),
        (["a", "b", "c", "d"], ["a"]),
    ]
    assert dataset.inter_feat["item_length"].tolist() == [2, 3, 1, 4]
    assert sum("left out (line" in record.message for record in caplog.records) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_words_for_nothing_are_ids(load, kind) -> None:
    """Somebody is called null: in a column of tokens an empty cell alone is missing."""
    names = ["nan", "None", "NA", "null", "N/A", "NaN", "#N/A", "<NA>", "n/a", "-nan"]
    rows = [f"{user}\t{item}\t3\t{row}" for row, (user, item) in enumerate(zip(names, reversed(names), strict=True))]
    more = [f"{user}\t{item}\t3\t{row}" for row, (user, item) in enumerate(zip(names, names, strict=True), 20)]
    files = {
        "inter": [INTER, *rows, *more],
        "user": ["user_id:token\tsex:token\tage:float", *(f"{name}\tNA\tNA" for name in names)],
        "item": ["item_id:token\twords:token_seq", *(f"{name}\t{name} null" for name in names[1:]), "nan\t"],
    }
    dataset = load(kind, files)
    assert rows_of(dataset, "user_id", "item_id") == [
        *zip(names, reversed(names), strict=True),
        *zip(names, names, strict=True),
    ]
    assert dataset.user_feat["sex"].tolist() == [0] + [1] * 10
    assert dataset.field2id_token["sex"].tolist() == ["[PAD]", "NA"]
    assert dataset.user_feat["age"].tolist() == [0] * 11  # NA is no number, and there is none
    words, ids = dataset.field2id_token["words"], dataset.field2token_id["item_id"]
    for name in names:
        expected = [] if name == "nan" else [name, "null"]
        assert words[np.asarray(dataset.item_feat["words"][ids[name]], dtype=int)].tolist() == expected


def test_missing_values_become_the_mean_the_padding_and_empty_sequences(load) -> None:
    files = {
        "inter": [INTER, "a\tx\t1\t1", "a\ty\t\t2", "b\tx\t4\t3", "c\tx\t\t3"],
        "user": [
            "user_id:token\tage:float\tsex:token\ttags:token_seq\tvector:float_seq",
            "b\t30\t\tp q\t1 2 3",
            "c\t20",
        ],
    }
    dataset = load(Dataset, files, filter_inter_by_user_or_item=False)
    assert dataset.inter_feat["rating"].tolist() == [1.0, 2.5, 4.0, 2.5]
    ids = dataset.field2token_id["user_id"]
    dataset._change_feat_format()
    users = dataset.user_feat
    assert users["age"].tolist() == [
        25.0 if number not in (ids["b"], ids["c"]) else 30 - 10 * (number == ids["c"]) for number in range(4)
    ]
    assert users["sex"].tolist() == [0, 0, 0, 0]
    assert users["tags"][ids["b"]].tolist() == [1, 2]
    assert users["tags"].sum() == 3
    assert users["vector"][ids["b"]].tolist() == [1.0, 2.0, 3.0]
    assert users["vector"].sum() == 6


SEQUENCES = [
    INTER + "\ttags:token_seq\tvector:float_seq",
    "a\tx\t1\t1\tp q\t1 2",
    "a\ty\t3\t2\t\t",
    "b\tx\t5\t3\tq\t-3 5 9",
    "b\tz\t2\t4\tr p q\t4",
]
VECTORS = [[1.0, 2.0], [], [-3.0, 5.0, 9.0], [4.0]]


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_are_numbered_and_scaled_row_by_row(load, kind) -> None:
    dataset = load(kind, {"inter": SEQUENCES}, normalize_field=["vector", "rating"])
    tags = dataset.field2id_token["tags"]
    assert tags.tolist() == ["[PAD]", "p", "q", "r"]
    assert [tags[row].tolist() for row in dataset.inter_feat["tags"]] == [["p", "q"], [], ["q"], ["r", "p", "q"]]
    for found, row in zip(dataset.inter_feat["vector"], VECTORS, strict=True):
        np.testing.assert_allclose(found, [(value + 3) / 12 for value in row])
    np.testing.assert_allclose(dataset.inter_feat["rating"], [0, 0.5, 1, 0.25])
    assert dataset.field2seqlen["tags"] == dataset.field2seqlen["vector"] == 3


def test_scaling_equal_numbers_gives_ones(load) -> None:
    lines = [SEQUENCES[0], "a\tx\t2\t1\tp\t7 7", "a\ty\t2\t2\tp\t7"]
    dataset = load(Dataset, {"inter": lines}, normalize_all=True)
    assert [row.tolist() for row in dataset.inter_feat["vector"]] == [[1, 1], [1]]
    assert dataset.inter_feat["rating"].tolist() == [1, 1]


def test_sequences_are_cut_to_seq_len(load) -> None:
    dataset = load(Dataset, {"inter": SEQUENCES}, seq_len={"tags": 1, "vector": 2})
    assert [len(row) for row in dataset.inter_feat["tags"]] == [1, 0, 1, 1]
    assert dataset.field2seqlen["tags"] == 1
    assert dataset.field2seqlen["vector"] == 2
    dataset._change_feat_format()
    assert dataset.inter_feat["vector"].tolist() == [[1, 2], [0, 0], [-3, 5], [4, 0]]


def test_numbers_are_put_into_buckets(load) -> None:
    """ED: floor((x - least) * buckets / (most - least + 1e-9) + 1). LD: ranks, large numbers as log(x)^2."""
    divided = {"rating": {"method": "ED", "bucket": 2}, "vector": {"method": "LD"}}
    numerical = ["rating", "vector", "timestamp", "tags"]  # tags holds no numbers, so it stays as it is
    dataset = load(Dataset, {"inter": SEQUENCES}, numerical_features=numerical, discretization=divided)
    dataset._change_feat_format()
    assert dataset.inter_feat["rating"].tolist() == [[1, 1], [1, 1 + (2 * 2 / (4 + 1e-9) >= 1)], [1, 2], [1, 1]]
    assert dataset.inter_feat["timestamp"].tolist() == [[1, 1], [2, 1], [3, 1], [4, 1]]
    # -3, 1 and 2 stay; 4, 5 and 9 become floor(log(x)^2 + 1) = 2, 3 and 5.
    rank = {-3: 0, 1: 1, 2: 2, 4: 2, 5: 3, 9: 4}
    for found, row in zip(dataset.inter_feat["vector"].tolist(), VECTORS, strict=True):
        assert found == [[1, rank[value]] for value in row] + [[0, 0]] * (3 - len(row))
    assert dataset.field2bucketnum["rating"] == 3
    assert dataset.field2bucketnum["vector"] == 5


@pytest.mark.parametrize("kind", KINDS)
def test_filters_leave_what_a_search_by_hand_leaves(load, kind) -> None:
    """Users and items with at least 3 interactions of at least 2 stars, where the user and the item have a row."""
    random = np.random.default_rng(4)
    rows = [
        (f"u{u}", f"i{i}", int(random.integers(1, 6)), t) for t, (u, i) in enumerate(random.integers(0, 14, (160, 2)))
    ]
    files = {
        "inter": [INTER, *("\t".join(map(str, row)) for row in rows)],
        "user": ["user_id:token", *(f"u{number}" for number in range(2, 20))],
        "item": ["item_id:token", *(f"i{number}" for number in range(1, 20))],
    }
    dataset = load(
        kind,
        files,
        val_interval={"rating": "[2,inf)"},
        filter_inter_by_user_or_item=True,
        user_inter_num_interval="[3,inf)",
        item_inter_num_interval="[9,inf)",
    )
    left = [row for row in rows if row[2] >= 2 and row[0] not in ("u0", "u1") and row[1] != "i0"]
    while True:
        users, items = Counter(row[0] for row in left), Counter(row[1] for row in left)
        kept = [row for row in left if users[row[0]] >= 3 and items[row[1]] >= 9]
        if len(kept) == len(left):
            break
        left = kept
    assert 0 < len(left) < 100
    assert rows_of(dataset, "user_id", "item_id", "timestamp") == [(user, item, time) for user, item, _, time in left]
    assert dataset.user_num == len(users) + 1
    assert dataset.item_num == len(items) + 1


@pytest.mark.parametrize("keep", ["first", "last"])
def test_duplicates_go_by_time_and_then_by_place_in_the_file(load, keep) -> None:
    random = np.random.default_rng(8)
    rows = [(f"u{u}", f"i{i}", number, int(t)) for number, (u, i, t) in enumerate(random.integers(0, 5, (200, 3)))]
    dataset = load(Dataset, {"inter": [INTER, *("\t".join(map(str, row)) for row in rows)]}, rm_dup_inter=keep)
    by_time = sorted(rows, key=lambda row: row[3])
    chosen = {(row[0], row[1]): row[2] for row in (by_time if keep == "last" else reversed(by_time))}
    assert dataset.inter_feat["rating"].tolist() == [row[2] for row in by_time if row[2] in chosen.values()]


def test_an_interval_that_is_none_drops_no_row(load) -> None:
    dataset = load(Dataset, {"inter": SEQUENCES}, val_interval={"rating": "{2;5}"})
    assert len(dataset.inter_feat) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val_interval": {"price": "[1,2]"}}, "val_interval: no field 'price' is loaded"),
        ({"val_interval": {"tags": ["p"]}}, "val_interval: 'tags' is a sequence"),
        ({"user_inter_num_interval": "[9,inf)"}, "own.inter: no row is left after the filters"),
        ({"normalize_field": ["price"]}, "normalize_field: no field 'price' is loaded"),
        ({"numerical_features": ["rating"], "discretization": {"rating": {"method": "ED"}}}, "the number of buckets"),
        ({"numerical_features": ["rating"], "discretization": {"rating": {"method": "XY"}}}, "neither ED nor LD"),
        ({"discretization": {"rating": {"method": "LD"}}}, "must be one of numerical_features"),
    ],
)
def test_settings_that_cannot_be_followed_are_one_line(load, settings, message) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        load(Dataset, {"inter": SEQUENCES}, **settings)


def test_a_byte_order_mark_is_no_part_of_the_first_column(load) -> None:
    dataset = load(Dataset, {"inter": "\ufeff" + INTER + "\na\tx\t1\t1\nb\tx\t1\t2\n"})
    assert rows_of(dataset, "user_id", "item_id") == [("a", "x"), ("b", "x")]


def knowledge_files() -> tuple[dict, list, dict]:
    """Files of a data set with a knowledge graph, its triples and its links; rows without an id among them."""
    random = np.random.default_rng(2)
    rows = [(f"u{u}", f"i{i}", 3, t) for t, (u, i) in enumerate(random.integers(0, 20, (150, 2)))]
    triples = [(f"e{h}", f"r{r}", f"e{t}") for h, r, t in random.integers(0, [40, 4, 40], (160, 3))]
    links = {f"i{number}": f"e{number}" for number in range(0, 20, 2)}
    files = {
        "inter": [INTER + "\ttags:token_seq", *("\t".join(map(str, row)) + f"\tt{row[3] % 3} t9" for row in rows)],
        "kg": ["head_id:token\trelation_id:token\ttail_id:token", "\tr0\te1", *("\t".join(row) for row in triples)],
        "link": ["item_id:token\tentity_id:token", "i1\t", "\te3", *("\t".join(link) for link in links.items())],
        "ent": ["ent_id:token\tent_emb:float_seq", *(f"e{number}\t{number} {number}.5" for number in range(40))],
    }
    return files, triples, links


def test_a_knowledge_graph_keeps_its_triples_and_links(load) -> None:
    files, triples, links = knowledge_files()
    dataset = load(
        KnowledgeBasedDataset,
        files,
        load_col={"inter": "*", "kg": "*", "link": "*", "ent": "*"},
        additional_feat_suffix=["ent"],
        alias_of_entity_id=["ent_id"],
        preload_weight={"ent_id": "ent_emb"},
        entity_kg_num_interval="[4,inf)",
        relation_kg_num_interval="[10,inf)",
    )
    left = triples
    while True:
        entities = Counter(end for head, _, tail in left for end in (head, tail))
        relations = Counter(relation for _, relation, _ in left)
        kept = [row for row in left if min(entities[row[0]], entities[row[2]]) >= 4 and relations[row[1]] >= 10]
        if len(kept) == len(left):
            break
        left = kept
    assert 0 < len(left) < len(triples)
    tokens = dataset.field2id_token
    fields = ("head_id", "relation_id", "tail_id")
    found = list(zip(*(tokens[field][dataset.kg_feat[field]].tolist() for field in fields), strict=True))
    assert found == left
    known = set(entities) | {f"e{number}" for number in range(40)}  # .ent has rows of entities without triples
    rows = [line.split("\t") for line in files["inter"][1:]]
    linked = {item: entity for item, entity in links.items() if entity in known and item in {row[1] for row in rows}}
    assert dataset.item2entity == linked
    assert rows_of(dataset, "user_id", "item_id") == [(row[0], row[1]) for row in rows if row[1] in linked]
    assert [tokens["tags"][row].tolist() for row in dataset.inter_feat["tags"]] == [
        row[4].split() for row in rows if row[1] in linked
    ]
    for item, entity in linked.items():  # an item and its entity have one id
        assert dataset.field2token_id["item_id"][item] == dataset.field2token_id["entity_id"][entity]
    weights = dataset.get_preload_weight("ent_id")
    for number in range(40):
        assert weights[dataset.field2token_id["ent_id"][f"e{number}"]].tolist() == [number, number + 0.5]


def test_user_vectors_preloaded_by_recboles_own_means(load) -> None:
    files = {"inter": SEQUENCES, "useremb": ["uid:token\tuser_emb:float_seq", "b\t1 2", "a\t3 4", "c\t5 6"]}
    dataset = load(
        SequentialDataset,
        files,
        load_col={"inter": "*", "useremb": "*"},
        additional_feat_suffix=["useremb"],
        alias_of_user_id=["uid"],
        preload_weight={"uid": "user_emb"},
    )
    weights = dataset.get_preload_weight("uid")
    ids = dataset.field2token_id["user_id"]
    assert [weights[ids[user]].tolist() for user in "abc"] == [[3, 4], [1, 2], [5, 6]]
    assert [len(part) for part in dataset.build()] == [2, 0, 0]


def test_numpy_has_the_names_that_recbole_uses_and_keeps_its_own() -> None:
    own = np.bool
    Config("BPR", "ml-100k", config_dict={"state": "CRITICAL"})
    assert np.bool is own
    assert np.zeros(2, dtype=np.float).dtype == np.float64
    assert np.array(["a"], dtype=np.str).dtype.kind == "U"
    assert (np.int, np.object, np.unicode, np.complex) == (np.int_, np.object_, np.str_, np.complex128)
