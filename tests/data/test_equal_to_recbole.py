"""What we load, filter, number and split is what RecBole makes of the same files, row by row and field by field."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from recbole_rows import assert_equal, both_outcomes

SPLITS = [
    {"LS": "valid_and_test"},
    {"LS": "valid_only"},
    {"LS": "test_only"},
    {"RS": [0.8, 0.1, 0.1]},
    {"RS": [0.5, 0.3, 0.2]},
    {"RS": [7, 2, 1]},
    {"TS": [0.6, 0.2, 0.2]},
]
INTERVALS = [None, "[0,inf)", "[2,inf)", "[3,inf)", "(1,4]", "[4,inf);[2,2]", "(2,inf)"]
# Tokens that a reader of tables could take for numbers, missing values or blanks.
TOKENS = ["1", "2", "03", "3", "3.0", "NA", "None", "", " ", " a", "a ", "é", "#", "-", "nan", "True", "1e3", "'"]
NUMBERS = ["0", "-0.0", "1", "2.5", "-3", "1e3", "", "NaN", "1427784002", "1427784001", "0.1"]
COLUMNS = ["user_id:token", "item_id:token", "rating:float", "timestamp:float", "device:token"]


@st.composite
def data_sets(draw) -> tuple[dict, dict]:
    """Texts of the atomic files by suffix, and settings."""
    separator = draw(st.sampled_from(["\t", ",", "|", ";"]))
    end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n"]))

    def text(header: list[str], rows: list[tuple]) -> str:
        last = draw(st.sampled_from(["", end, end, end + end]))
        return end.join(separator.join(cells) for cells in [header, *rows]) + last

    token, number = st.sampled_from(TOKENS[: draw(st.integers(4, len(TOKENS)))]), st.sampled_from(NUMBERS)
    interactions = st.tuples(token, token, number, number, token)
    texts = {"inter": text(COLUMNS, draw(st.lists(interactions, min_size=3, max_size=40)))}
    if draw(st.booleans()):
        rows = draw(st.lists(st.tuples(token, number, token), min_size=1, max_size=12))
        texts["user"] = text(["user_id:token", "age:float", "device_of_user:token"], rows)
    if draw(st.booleans()):
        rows = draw(st.lists(st.tuples(token, st.sampled_from(["a b", "", "c"])), min_size=1, max_size=12))
        texts["item"] = text(["item_id:token", "words:token_seq"], rows)
    load = dict.fromkeys(texts, "*")
    load["inter"] = draw(st.sampled_from(["*", ["user_id", "item_id", "timestamp"]]))
    filters = {
        "field_separator": separator,
        "load_col": load,
        "user_inter_num_interval": draw(st.sampled_from(INTERVALS)),
        "item_inter_num_interval": draw(st.sampled_from(INTERVALS)),
        "rm_dup_inter": draw(st.sampled_from([None, "first", "last"])),
        "val_interval": draw(st.sampled_from([None, {"timestamp": "[1,inf)"}, {"item_id": ["1", "2", "3"]}])),
        "filter_inter_by_user_or_item": draw(st.booleans()),
        "sequence_order": draw(st.sampled_from(["exact", "recbole"])),
        "MAX_ITEM_LIST_LENGTH": draw(st.sampled_from([1, 3, 50])),
        "eval_args": {
            "split": draw(st.sampled_from(SPLITS)),
            "order": "TO",
            "group_by": draw(st.sampled_from(["user", "user", None])),
            "mode": "full",
        },
    }
    return texts, filters


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "drawn"
    path.mkdir()
    return path


def compare(folder: Path, texts: dict, filters: dict) -> None:
    for suffix in ("inter", "user", "item"):
        (folder / f"drawn.{suffix}").unlink(missing_ok=True)
    for suffix, text in texts.items():
        (folder / f"drawn.{suffix}").write_bytes(text.encode())
    assert_equal(*both_outcomes("drawn", str(folder.parent), filters))


@given(drawn=data_sets())
@settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink]
)
def test_any_data_set(folder: Path, drawn: tuple[dict, dict]) -> None:
    compare(folder, *drawn)


def test_two_intervals_and_feature_rows_without_interactions(folder: Path) -> None:
    """RecBole drops by the first interval's lower end where there are feature rows, and by all intervals elsewhere."""
    rows = ["a\t1\t1\t1\tx", "a\t2\t1\t2\tx", "b\t1\t1\t3\tx", "c\t1\t1\t1\tx", "c\t2\t1\t2\tx", "c\t3\t1\t3\tx"]
    texts = {"inter": "\n".join(["\t".join(COLUMNS), *rows]), "user": "user_id:token\na\nb\nd\n"}
    settings = {"field_separator": "\t", "load_col": {"inter": "*", "user": "*"}, "item_inter_num_interval": None}
    compare(folder, texts, {**settings, "user_inter_num_interval": "[2,inf);[1,1]"})


@pytest.mark.parametrize(
    "split", [{"LS": "valid_and_test"}, {"RS": [0.8, 0.1, 0.1]}, {"TS": [0.8, 0.1, 0.1]}], ids=["LS", "RS", "TS"]
)
def test_many_users_in_any_order(folder: Path, split: dict) -> None:
    """Rows in no order, users of 1 to 60 interactions, many equal times: more than hypothesis draws."""
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(150), random.integers(1, 60, 150))
    order = random.permutation(len(users))
    rows = [f"u{users[row]}\ti{random.integers(0, 80)}\t3\t{random.integers(0, 300)}\tx" for row in order]
    settings = {"field_separator": "\t", "load_col": {"inter": "*"}, "MAX_ITEM_LIST_LENGTH": 20}
    evaluation = {"split": split, "order": "TO", "group_by": "user", "mode": "full"}
    compare(folder, {"inter": "\n".join(["\t".join(COLUMNS), *rows])}, {**settings, "eval_args": evaluation})


def real_data(dataset: str, data_path: str, **settings) -> None:
    columns = {"inter": ["user_id", "item_id", "rating", "timestamp"]}
    assert_equal(*both_outcomes(dataset, data_path, {"load_col": columns, **settings}))


def test_ml_100k() -> None:
    real_data("ml-100k", "dataset", user_inter_num_interval="[5,60]", item_inter_num_interval="[5,inf)")


@pytest.mark.slow
def test_the_whole_of_ml_100k() -> None:
    real_data("ml-100k", "dataset")


@pytest.mark.slow
def test_amazon_beauty() -> None:
    """22,363 users; the folder ``amazon-beauty`` with the atomic files is named by RECBOLE_LLMDISTILL_BEAUTY."""
    folder = os.environ.get("RECBOLE_LLMDISTILL_BEAUTY")
    if not folder:
        pytest.skip("RECBOLE_LLMDISTILL_BEAUTY does not name the folder of Amazon Beauty's atomic files")
    real_data(Path(folder).name, str(Path(folder).parent), load_col={"inter": ["user_id", "item_id", "timestamp"]})
