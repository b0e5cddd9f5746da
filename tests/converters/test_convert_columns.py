"""What columns of own tables become: numbers and times however they are written, and nothing is lost without a word."""

import datetime
import decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from recbole_readback import items_by_id, raw_rows, read_with_recbole

from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.history.histories import load_histories

HEAD = "user_id,item_id\n"
ROWS = "".join(f"u{n % 3},i{n % 4}\n" for n in range(12))


def converted(folder: Path, interactions, items=None, **options) -> tuple[Path, str]:
    """The data set and all that was said."""
    raw = folder / "shop"
    raw.mkdir(parents=True)
    for name, table in (("interactions", interactions), ("items", items)):
        if isinstance(table, str):
            (raw / f"{name}.csv").write_text(table, encoding="utf-8")
        elif table is not None:
            getattr(table, "write_parquet", getattr(table, "to_parquet", None))(raw / f"{name}.parquet")
    said: list[str] = []
    out = convert(Tables(**options), raw, folder / "dataset" / "own", notify=said.append)
    return out, "\n".join(said)


def settings_of(out: Path) -> dict:
    return yaml.safe_load((out / "own.yaml").read_text(encoding="utf-8"))


def prices(folder: Path, *cells: str, separator: str = ",") -> tuple[list[str], str]:
    """The prices that are written for these cells, and what was said of them."""
    rows = [f'i{n}{separator}"{cell}"\n' for n, cell in enumerate(cells)]
    log = f"user_id{separator}item_id\n" + "".join(f"u{separator}i{n}\n" for n in range(len(cells)))
    out, said = converted(folder, log, f"item_id{separator}price\n" + "".join(rows))
    [name] = [name for name in (out / "own.item").read_text().split("\n")[0].split("\t") if name.startswith("price")]
    assert settings_of(out)["profile_item_fields"] == {"price": "price"}
    return [name, *(row["price"] for row in raw_rows(out / "own.item"))], said


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        (("1.5", "2", ""), ",", ["price:float", "1.5", "2.0", ""]),
        (("1", "2", "NA"), ",", ["price:float", "1", "2", ""]),
        (("1,5", "2"), ";", ["price:float", "1.5", "2.0"]),
        (("1.234,50", "0,99", "-3"), ",", ["price:float", "1234.5", "0.99", "-3.0"]),
        (("1,234.50", "0.99"), ",", ["price:float", "1234.5", "0.99"]),
        (("1 234,50", "1\u00a0234"), ",", ["price:float", "1234.5", "1234.0"]),
        (("1'234.50", "2"), ",", ["price:float", "1234.5", "2.0"]),
        (("1,234", "2,500"), ",", ["price:float", "1234.0", "2500.0"]),
        (("1,234", "2,500"), ";", ["price:float", "1.234", "2.5"]),
        (("1,234", "0,500"), ",", ["price:float", "1.234", "0.5"]),
        (("12,50 €", "€3"), ",", ["price:float", "12.5", "3.0"]),
        (("EUR 12.50", "3 EUR"), ",", ["price:float", "12.5", "3.0"]),
        (("$1,010.00", "$5"), ",", ["price:float", "1010.0", "5.0"]),
        (("$5", "5 €"), ",", ["price:token_seq", "$5", "5 €"]),
        (("1.5", "1,5"), ",", ["price:token_seq", "1.5", "1,5"]),
        (("007", "12"), ",", ["price:token_seq", "007", "12"]),
        (("A1", "12"), ",", ["price:token_seq", "A1", "12"]),
        (("1e-3", "2"), ",", ["price:float", "0.001", "2.0"]),
    ],
)
def test_numbers(tmp_path, cells, separator, expected) -> None:
    found, said = prices(tmp_path, *cells, separator=separator)
    assert found == expected
    if any(sign in "".join(cells) for sign in ",€$'\u00a0E") and expected[0] == "price:float":
        assert "items.csv, price: numbers with a decimal" in said


def test_a_value_that_keeps_a_column_from_being_one_of_numbers_is_named(tmp_path) -> None:
    found, said = prices(tmp_path, *(f"{n},50" for n in range(30)), "on request")
    assert found[0] == "price:token_seq"
    assert "30 of 31 values are numbers with a decimal comma (as 1.234,50): 'on request' in items.csv, line 32" in said


def test_columns_of_parquet(tmp_path) -> None:
    items = pd.DataFrame(
        {
            "item_id": [1, 2, 3],
            "category": pd.Categorical(["Home & Garden", "Toys", None]),
            "price": [decimal.Decimal("1.20"), decimal.Decimal("3.00"), None],
            "tags": [["red", "dark blue"], [], ["x"]],
            "released": [datetime.date(2020, 1, 1)] * 3,
            "new": [True, False, None],
            "ean": [4006381333931, 4006381333932, 4006381333933],
            "vector": [np.array([1.5, 2.0])] * 3,
            "sold": [float("inf"), 1.5, float("nan")],
            "dimensions": [{"width": 1}] * 3,
            "nothing": [None] * 3,
        }
    )
    log = pl.DataFrame({"user_id": ["u"] * 3, "item_id": [1, 2, 3]})
    out, said = converted(tmp_path, log, items)
    first, second, third = items_by_id(read_with_recbole(out)).values()
    assert first["category"] == ["Home", "&", "Garden"]
    assert (first["price"], second["price"]) == (pytest.approx(1.2), 3)
    assert (first["tags"], second["tags"]) == (["red", "dark_blue"], [])
    assert (first["released"], first["new"], second["new"], third["new"]) == ("2020-01-01", "true", "false", "[PAD]")
    assert first["ean"] == "4006381333931"
    assert list(first["vector"]) == [1.5, 2]
    assert first["sold"] == second["sold"] == 1.5
    shown = {"category": "category", "price": "price", "tags": "tags", "sold": "sold"}
    assert settings_of(out)["profile_item_fields"] == shown
    assert "prompts do not show of an item: released, new, ean, vector; choose by --text-columns" in said
    assert "items.parquet, dimensions: left out, no field can hold a struct" in said
    assert "items.parquet, nothing: left out, it has no values" in said
    assert "items.parquet, sold: 1 infinite values were taken as missing" in said


def test_an_enumeration_is_text(tmp_path) -> None:
    kinds = pl.Series("kind", ["a b", "c"], dtype=pl.Enum(["a b", "c"]))
    out, _ = converted(tmp_path, HEAD + "u,i\nu,j\n", pl.DataFrame([pl.Series("item_id", ["i", "j"]), kinds]))
    assert items_by_id(read_with_recbole(out))["i"]["kind"] == ["a", "b"]
    assert settings_of(out)["profile_item_fields"] == {"kind": "kind"}


CLICKS = "user_id,item_id,timestamp,event,price,qty,session_id,comment\n" + "".join(
    f'u{n % 3},i{n % 7},{1577836800 + n},{("view", "cart")[n % 2]},"{n},50",{n % 3},s{n},note {n}\n'
    for n in range(1200)
)


def test_further_columns_of_the_interactions_reach_the_prompts(tmp_path, monkeypatch) -> None:
    items = "item_id,title\n" + "".join(f"i{n},title {n}\n" for n in range(7))
    out, said = converted(tmp_path, CLICKS, items)
    first = raw_rows(out / "own.inter")[1]
    assert (first["event"], first["price"], first["qty"]) == ("cart", "1.5", "1")
    assert settings_of(out)["profile_interaction_fields"] == {"event": "event", "price": "price", "qty": "qty"}
    assert "columns kept of the interactions: event, price, qty" in said
    assert "session_id (an id or the number of a row)" in said
    assert "comment (about 1,2" in said
    dataset = read_with_recbole(out)
    assert dataset.inter_feat["price"].iloc[:3].tolist() == [0.5, 1.5, 2.5]

    from recbole.config import Config

    monkeypatch.setattr("sys.argv", ["run_recbole"])
    given = {"data_path": str(out.parent), "train_neg_sample_args": None}
    histories = load_histories(Config(model="SASRecDistill", dataset="own", config_dict=given))
    assert [column.label for column in histories.columns] == ["event", "price", "qty"]


def test_the_columns_can_be_chosen(tmp_path) -> None:
    out, said = converted(tmp_path / "one", CLICKS, further=("comment",))
    assert list(raw_rows(out / "own.inter")[0]) == ["user_id", "item_id", "timestamp", "comment", "time_rank"]
    assert "event (not in --interaction-columns)" in said
    out, _ = converted(tmp_path / "none", CLICKS, further=())
    assert list(raw_rows(out / "own.inter")[0]) == ["user_id", "item_id", "timestamp", "time_rank"]
    with pytest.raises(InputError, match=r"interactions.csv: column komment is missing"):
        converted(tmp_path / "wrong", CLICKS, further=("komment",))


def test_one_name_is_one_field(tmp_path) -> None:
    """RecBole knows one field of a name, whatever file it is in."""
    log = "user_id,item_id,price:eur,rating,label\nu,i,2.5,3,x\nu,j,1.5,4,y\n"
    out, said = converted(tmp_path, log, "item_id,price:eur,rating,timestamp\ni,2,3.5,7\nj,3,4.5,8\n")
    dataset = read_with_recbole(out)
    assert dataset.inter_feat["interaction_price_eur"].tolist() == [2.5, 1.5]
    assert dataset.inter_feat["rating"].tolist() == [3, 4]
    item = items_by_id(dataset)["i"]
    assert (item["price_eur"], item["item_rating"], item["item_timestamp"]) == (2, 3.5, 7)
    assert "label: written as interaction_label, as label means something else" in said


def test_rows_of_pandas_are_no_column(tmp_path) -> None:
    out, said = converted(tmp_path, ",user_id,item_id,Unnamed: 3\n0,u,i,0\n1,u,j,1\n")
    assert list(raw_rows(out / "own.inter")[0]) == ["user_id", "item_id", "time_rank"]
    assert "Unnamed: 3 (an id or the number of a row)" in said


TIME_HEAD = "user_id,item_id,timestamp\n"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("2020-01-01 03:00:00+03", "2020-01-01T00:00Z", "2020-01-01", "2019/12/31 23:00:00 -0100"), [1577836800] * 4),
        (("01.01.2020", "1.1.2020 00:00", "01.01.2020 00:00:01"), [1577836800, 1577836800, 1577836801]),
        (("1/22/2020 3:04:05 PM", "1/2/2020 12:04:05 AM"), [1579705445, 1577923445]),
        (("22/1/2020 15:04", "02/01/2020 00:04"), [1579705440, 1577923440]),
        (("20200101", "20200102"), [1577836800, 1577923200]),
        (("20200101000001", "20200102000000"), [1577836801, 1577923200]),
        (("0", "1577836800123", ""), [0, 1577836800]),
        (("NULL", "1577836800", r"\N"), [1577836800]),
    ],
)
def test_times(tmp_path, cells, expected) -> None:
    log = TIME_HEAD + "".join(f"u,i{n},{cell}\n" for n, cell in enumerate(cells))
    out, _ = converted(tmp_path, log)
    assert sorted(int(row["timestamp"]) for row in raw_rows(out / "own.inter")) == sorted(expected)


def test_fractions_of_a_second_tell_what_came_first(tmp_path) -> None:
    out, _ = converted(tmp_path, TIME_HEAD + "u,b,1577836800900\nu,a,1577836800100\nu,c,1577836801000\n")
    rows = [(row["item_id"], row["timestamp"], row["time_rank"]) for row in raw_rows(out / "own.inter")]
    assert rows == [("a", "1577836800", "0"), ("b", "1577836800", "1"), ("c", "1577836801", "2")]


def test_a_time_format_that_is_given(tmp_path) -> None:
    log = TIME_HEAD + "u,i,01/02/2020 10:00\nu,j,02/02/2020 10:00\n"
    out, _ = converted(tmp_path / "given", log, time_format="%d/%m/%Y %H:%M")
    assert [row["timestamp"] for row in raw_rows(out / "own.inter")] == ["1580551200", "1580637600"]
    with pytest.raises(InputError, match=r"line 2, column timestamp: '01/02/2020 10:00' may have the day or the month"):
        converted(tmp_path / "unknown", log)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ("2020-01-01", "2020-01-02", "soon"),
            "interactions.csv, line 4: column timestamp holds 'soon', not a time as",
        ),
        (("2020-01-01", "2020-02-30"), "interactions.csv, line 3: column timestamp holds '2020-02-30', not a time"),
        (("2020-01-01", "1577836800"), "interactions.csv, line 3: column timestamp holds '1577836800', not a time"),
        (("soon",), "interactions.csv, line 2: column timestamp holds no times: 'soon'"),
        (
            ("1577836800", "1577836801", "1577836800123"),
            "1577836800 in interactions.csv, line 2 in seconds, 1577836800123 in interactions.csv, line 4 in millise",
        ),
    ],
)
def test_a_bad_time_is_the_one_that_is_blamed(tmp_path, cells, message) -> None:
    with pytest.raises(InputError) as caught:
        converted(tmp_path, TIME_HEAD + "".join(f"u,i{n},{cell}\n" for n, cell in enumerate(cells)))
    assert message in str(caught.value)


def test_ratings_with_decimal_commas(tmp_path) -> None:
    log = "user_id;item_id;rating\nu;i;3,5\nu;j;4\n"
    out, said = converted(tmp_path / "good", log)
    assert [row["rating"] for row in raw_rows(out / "own.inter")] == ["3.5", "4.0"]
    assert "rating: numbers with a decimal comma" in said
    with pytest.raises(
        InputError, match=r"interactions.csv, line 4, column rating: 'good' is no number with a decimal c"
    ):
        converted(tmp_path / "bad", log + "u;k;good\n")
