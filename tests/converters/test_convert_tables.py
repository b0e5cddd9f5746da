"""Own tables: csv, tsv and parquet, columns by flags or by a yaml."""

import polars as pl
import pytest
import yaml
from recbole_readback import items_by_id, raw_rows, read_with_recbole

from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError

CLICKS = "client;sku;at\n007;A 1;2019-10-01T12:00:00Z\n007;B;2019-10-01T12:00:01.500Z\nzoé;A 1;2019-09-30T23:59:59Z\n"
SHOP = Tables(user="client", item="sku", time="at", text=("Name", "tags"), lists={"tags": "|"})


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "interactions.csv").write_text(CLICKS, encoding="utf-8")
    (folder / "items.tsv").write_text(
        'sku\tName\ttags\tList price\tin stock\nA 1\t"A ""big"" one"\tred|dark blue|\t9.5\ttrue\nB\tB\t\t\tfalse\n'
    )
    return folder


def test_columns_by_name(tmp_path, shop) -> None:
    out = convert(SHOP, shop, tmp_path / "dataset" / "shop")
    assert [tuple(row.values()) for row in raw_rows(out / "shop.inter")] == [
        ("zoé", "A 1", "1569887999", "0"),
        ("007", "A 1", "1569931200", "1"),
        ("007", "B", "1569931201", "2"),
    ]
    item = items_by_id(read_with_recbole(out))["A 1"]
    assert " ".join(item["Name"]) == "A “big” one"
    assert item["tags"] == ["red", "dark_blue"]
    assert item["List_price"] == pytest.approx(9.5)
    assert item["in_stock"] == "true"
    settings = yaml.safe_load((out / "shop.yaml").read_text(encoding="utf-8"))
    assert settings["profile_item_fields"] == {"Name": "name", "tags": "tags"}


def test_columns_by_yaml_equal_those_by_flags(tmp_path, shop) -> None:
    mapping = tmp_path / "columns.yaml"
    mapping.write_text("user: client\nitem: wrong\ntime: at\ntext: [Name, tags]\nlists: {tags: '|'}\n")
    assert Tables.from_yaml(mapping, item="sku") == SHOP
    mapping.write_text("user: client\nitems_file: x\n")
    with pytest.raises(InputError, match="unknown key 'items_file'; known are interactions, items"):
        Tables.from_yaml(mapping)


def test_parquet_with_lists_and_datetimes(tmp_path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    times = pl.Series(["2020-01-01 00:00:00", "2020-01-01 00:00:01"]).str.to_datetime()
    pl.DataFrame({"user_id": [5, 5], "item_id": [1, 2], "timestamp": times, "rating": [1.5, 2.0]}).write_parquet(
        raw / "interactions.parquet"
    )
    pl.DataFrame({"item_id": [1, 2], "genre": [["a b", "c"], []], "title": ["x", None]}).write_parquet(
        raw / "items.parquet"
    )
    out = convert(Tables(), raw, tmp_path / "dataset" / "own")
    assert [row["timestamp"] for row in raw_rows(out / "own.inter")] == ["1577836800", "1577836801"]
    assert items_by_id(read_with_recbole(out))["1"] == {"genre": ["a_b", "c"], "title": ["x"]}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("1577836800", "1577836801"), (1577836800, 1577836801)),
        (("1577836800123", "1577836801999"), (1577836800, 1577836801)),
        (("1577836800123456", "1577836801000000"), (1577836800, 1577836801)),
        (("1577836800.25", "1577836801.75"), (1577836800, 1577836801)),
        (("2020-01-01", "2020-01-02"), (1577836800, 1577923200)),
        (("2020-01-01 03:00:00+03:00", "2020-01-01 03:00:01+03:00"), (1577836800, 1577836801)),
        (("2020-01-01 00:00:00.000 UTC", "2020-01-01 00:00:01 UTC"), (1577836800, 1577836801)),
    ],
)
def test_ways_to_write_a_time(tmp_path, times, expected) -> None:
    raw = tmp_path / "interactions.csv"
    raw.write_text("user_id,item_id,timestamp\n" + "".join(f"u,i{n},{time}\n" for n, time in enumerate(times)))
    out = convert(Tables(), raw, tmp_path / "dataset" / "own")
    assert tuple(int(row["timestamp"]) for row in raw_rows(out / "own.inter")) == expected


def test_without_times_the_rows_are_the_order(tmp_path) -> None:
    raw = tmp_path / "log.tsv"
    raw.write_text("user_id\titem_id\tnote\nu\tb\tx\nv\ta\ty\nu\ta\tz\n")
    out = convert(Tables(), raw, tmp_path / "dataset" / "own")
    assert [tuple(row.values()) for row in raw_rows(out / "own.inter")] == [
        ("u", "b", "x", "0"),
        ("v", "a", "y", "0"),
        ("u", "a", "z", "1"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,sku\nu,i\n", "column item_id is missing; expected user_id, item_id, found user_id, sku"),
        ("", "interactions.csv is empty"),
        ("user_id,item_id\n", "no interactions"),
        ("user_id,item_id,timestamp\nu,i,yesterday\n", "column timestamp holds no times: 'yesterday'"),
        ("user_id,item_id,rating\nu,i,good\n", "good"),
        ("user_id,item_id\nu,i,surplus\n", "interactions.csv"),
    ],
)
def test_bad_tables(tmp_path, content, message) -> None:
    raw = tmp_path / "interactions.csv"
    raw.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        convert(Tables(), raw, tmp_path / "dataset" / "own")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "dataset").iterdir())
