"""Histories are what RecBole's training split has, as it was written in the files."""

import csv
import importlib.util
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recbole.config import Config
from recbole.data import create_dataset
from shop_dataset import write_shop

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.fingerprint import fingerprint_interactions
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.profiles.history.histories import load_histories

ML_100K = Path(importlib.util.find_spec("recbole").origin).parent / "dataset_example" / "ml-100k"


def shop_config(**changes) -> Config:
    return Config("SASRecDistill", "shop", config_file_list=["shop.yaml"], config_dict=changes)


def test_movielens_is_all_but_the_last_two_with_title_year_genres_and_rating() -> None:
    """Against the raw files, read by hand. To RecBole, whose time is float32, up to two seconds are a tie here."""
    with open(ML_100K / "ml-100k.item", encoding="utf-8") as file:
        items = {row[0]: row[1:] for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    with open(ML_100K / "ml-100k.inter", encoding="utf-8") as file:
        rows = {
            (user, item): (rating, float(time))
            for user, item, rating, time in list(csv.reader(file, delimiter="\t"))[1:]
        }
    times_of_user: dict[str, list[float]] = {}
    for (user, _), (_, time) in rows.items():
        times_of_user.setdefault(user, []).append(time)

    config = Config("SASRecDistill", "ml-100k")
    histories = load_histories(config)
    dataset = create_dataset(config)
    assert histories.header == "title | year | genres | rating (1 to 5) | xN: N times, date where it changes"
    assert len(histories) == 943
    with_repeats = 0
    for index in range(len(histories)):
        history = histories[index]
        tokens = dataset.id2token(dataset.iid_field, history.items)
        shown = [rows[history.token, token] for token in tokens]
        times = sorted(times_of_user[history.token])[:-2]
        assert [time for _, time in shown] == pytest.approx(times, rel=0, abs=2)
        films = [" | ".join(items[token]) for token in tokens]
        if len(set(films)) < len(films):  # a few films stand in the catalogue twice
            with_repeats += 1
            continue
        days = [datetime.fromtimestamp(time, UTC).date() for _, time in shown]
        for line, film, (rating, _), day, before in zip(
            history.lines, films, shown, days, [None, *days[:-1]], strict=True
        ):
            date = "" if day == before else f" | {day}"
            assert re.fullmatch(re.escape(f"{film} | {rating}{date}") + r"(, \d+ (weeks|months|years) later)?", line)
    assert 0 < with_repeats < 300


def test_the_fingerprint_is_that_of_the_shown_pairs_and_of_training() -> None:
    histories = load_histories(Config("SASRecDistill", "ml-100k"))
    shipped = json.loads(properties("profiles", "ml-100k", "manifest.json").read_text())
    assert histories.training_fingerprint == shipped["training_fingerprint"]
    config = Config("SASRecDistill", "ml-100k")
    training_part, *_ = create_dataset(config).build()
    token = training_part.field2id_token[training_part.iid_field]
    pairs = [
        (history.token, token[item])
        for history in map(histories.__getitem__, range(len(histories)))
        for item in history.items
    ]
    assert fingerprint_interactions(*zip(*pairs, strict=True)) == training_part.training_fingerprint()


@pytest.mark.parametrize(
    "eval_args",
    [
        {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "none"},  # a global point in time
        {"split": {"RS": [0.5, 0.25, 0.25]}, "order": "TO", "group_by": "user"},
        {"split": {"LS": "valid_only"}, "order": "TO", "group_by": "user"},
    ],
)
def test_every_split_is_recboles(tmp_path, eval_args) -> None:
    write_shop(tmp_path)
    changes = {"eval_args": {**eval_args, "mode": "full"}}
    training_part, *_ = create_dataset(shop_config(**changes)).build()
    users, items = training_part.training_interactions()
    histories = load_histories(shop_config(**changes))
    token = training_part.field2id_token[training_part.iid_field]
    shown = [
        (history.token, token[item])
        for history in map(histories.__getitem__, range(len(histories)))
        for item in history.items
    ]
    assert sorted(shown) == sorted(zip(users.tolist(), items.tolist(), strict=True))
    assert histories.training_fingerprint == training_part.training_fingerprint()


def test_users_without_training_interactions_are_counted(tmp_path) -> None:
    """One with a single interaction, and with a split in time one whose interactions are all late."""
    write_shop(tmp_path)
    late = "".join(f"late\ti{step}\tview\t0\t{1_800_000_000 + step}\n" for step in range(3))
    with open(tmp_path / "dataset" / "shop" / "shop.inter", "a") as file:
        file.write("new\ti1\tview\t0\t1600009999\n" + late)
    histories = load_histories(shop_config())
    assert histories.without_training == 1
    assert len(histories) == 13
    by_time = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "none", "mode": "full"}
    histories = load_histories(shop_config(eval_args=by_time))
    assert not {"new", "late"} & set(histories.tokens.tolist())
    assert histories.without_training == 14 - len(histories)


def test_scaled_time_and_unscaled_ratings(tmp_path) -> None:
    """normalize_all scales the time, whose order must not change, and must not touch what is shown."""
    write_shop(tmp_path)
    histories = load_histories(shop_config(normalize_all=True))
    assert [line.split(" | ")[3] for line in histories[2].lines][:2] == ["0.02", "10.02"]
    assert histories[2].lines[0].endswith(" | 2023-11-14")  # the time is scaled, too
    training_part, *_ = create_dataset(shop_config(normalize_all=True)).build()
    assert histories.training_fingerprint == training_part.training_fingerprint()


def test_held_out_titles(tmp_path) -> None:
    write_shop(tmp_path)
    histories = load_histories(shop_config())
    assert histories.held_out_titles(0) == ["Fine Thing Number 6", "Fine Thing Number 7"]


def test_fields_labels_and_order_come_from_the_config(tmp_path) -> None:
    write_shop(tmp_path)
    histories = load_histories(
        shop_config(profile_item_fields={"kind": "sort", "title": "name"}, profile_interaction_fields=[])
    )
    assert histories.header == "sort | name | date where it changes"
    assert histories[0].lines[:2] == ["toy | Fine Thing Number 0 | 2023-11-14", "tool | Fine Thing Number 1"]
    histories = load_histories(shop_config(profile_item_fields=None, profile_interaction_fields=None))
    assert histories.header == "title | kind | event | share | date where it changes"


def write_items(folder: Path, *rows: str) -> None:
    (folder / "dataset" / "shop" / "shop.item").write_bytes("\n".join(rows).encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["item_id:token\tprice:float", "i0\t3"], "no text field to show"),
        (["item_id:token", "i0"], "no text field to show"),
        (["id:token\ttitle:token_seq", "i0\tA"], "no field 'item_id'"),
        (["item_id:token\ttitle:token_seq", "i0\tA\tB"], "line 2: 3 columns, the header has 2"),
        (["item_id:token\ttitle:token_seq", "i0\tA", "i1\tcaf\udce9"], "line 3: no text in utf-8"),
        (["item_id:token\ttitle:token_seq", "x0\tA"], "no text for any of the 20 items"),
        (["item_id\ttitle", "i0\tA"], "'item_id' is no column"),
        ([""], "the file is empty"),
    ],
)
def test_unusable_item_files(tmp_path, rows, message: str) -> None:
    write_shop(tmp_path)
    write_items(tmp_path, *rows)
    with pytest.raises(InputError, match=message) as error:
        load_histories(shop_config(profile_item_fields=None))
    assert "shop.item" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_item_file_and_no_such_field(tmp_path) -> None:
    write_shop(tmp_path)
    with pytest.raises(InputError, match="has no field 'colour'; it has title, kind"):
        load_histories(shop_config(profile_item_fields=["colour"]))
    with pytest.raises(InputError, match=r"'mood' cannot be shown; possible in shop\.inter: event, share"):
        load_histories(shop_config(profile_interaction_fields=["mood"]))
    (tmp_path / "dataset" / "shop" / "shop.item").unlink()
    with pytest.raises(InputError, match=r"shop\.item does not exist: an LLM needs"):
        load_histories(shop_config())


def test_other_encodings_by_recboles_setting(tmp_path) -> None:
    write_shop(tmp_path)
    write_items(tmp_path, "item_id:token\ttitle:token_seq", "i0\tcaf\udce9")
    histories = load_histories(shop_config(profile_item_fields=None, encoding="latin-1"))
    assert histories[0].lines[0].startswith("café | view")
    assert len(histories.catalogue.without_text) == 19
    assert histories[0].lines[1].startswith("item i1 | buy")
    (tmp_path / "dataset" / "shop" / "shop.inter").write_bytes(
        b"user_id:token\titem_id:token\ttimestamp:float\n\xe9\t1\t2"
    )
    with pytest.raises(InputError, match="no text in utf-8"):
        load_histories(shop_config(profile_item_fields=None, profile_interaction_fields=None))
