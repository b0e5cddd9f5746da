"""Own tables as shops export them: many files, encodings, quotes, compression; and what cannot be read."""

import bz2
import gzip
import lzma
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from recbole_readback import items_by_id, raw_rows, read_with_recbole

from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError

HEAD = "user_id,item_id,timestamp\n"
ROWS = "".join(f"u{n % 3},i{n % 4},{1577836800 + n}\n" for n in range(12))


def shop(folder: Path, **files: str | bytes | pl.DataFrame) -> Path:
    """A folder of files; ``__`` in a name is a folder, ``_dot_`` a dot."""
    for name, content in files.items():
        path = folder / "shop" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "shop"


def log(tables: Tables, given: Path) -> list[dict[str, str]]:
    return raw_rows(convert(tables, given, given.parents[0] / "dataset" / "own", notify=lambda _: None) / "own.inter")


def refused(tables: Tables, given: Path) -> str:
    with pytest.raises(InputError) as caught:
        convert(tables, given, given.parents[0] / "dataset" / "own", notify=lambda _: None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def part(user: str, *items: str) -> pl.DataFrame:
    return pl.DataFrame({"user_id": [user] * len(items), "item_id": items})


def test_all_files_of_a_pattern_in_the_order_of_their_numbers(tmp_path) -> None:
    raw = shop(tmp_path, **{f"clicks_{n}_dot_csv": f"user_id,item_id\nu,i{n}\n" for n in (10, 9, 1)})
    assert [row["item_id"] for row in log(Tables(interactions="clicks_*.csv"), raw)] == ["i1", "i9", "i10"]


@pytest.mark.parametrize("given", ["shop", "shop/clicks", "shop/clicks/*.parquet"])
def test_what_spark_writes(tmp_path, monkeypatch, given) -> None:
    monkeypatch.chdir(tmp_path)
    files = {f"clicks__part-0000{n}-x.snappy_dot_parquet": part(f"u{n}", "a", "b") for n in range(3)}
    shop(tmp_path, **files, clicks___SUCCESS=b"", **{"clicks__.part-00000-x.snappy_dot_parquet.crc": b"crc"})
    tables = Tables(interactions="clicks") if given == "shop" else Tables()
    out = convert(tables, given, tmp_path / "dataset" / "own", notify=lambda _: None)
    assert [row["user_id"] for row in raw_rows(out / "own.inter")] == ["u0", "u0", "u1", "u1", "u2", "u2"]


def test_folders_that_are_named_after_a_value_are_a_column(tmp_path) -> None:
    raw = shop(tmp_path, **{f"log__event={event}__part-0_dot_parquet": part("u", event) for event in ("buy", "view")})
    assert [(row["item_id"], row["event"]) for row in log(Tables(interactions="log"), raw)] == [
        ("buy", "buy"),
        ("view", "view"),
    ]


def test_files_of_one_table_have_the_same_columns(tmp_path) -> None:
    raw = shop(tmp_path, c1_dot_csv=HEAD + ROWS, c2_dot_csv="user_id,item_id,qty\nu,i,1\n")
    message = refused(Tables(interactions="c*.csv"), raw)
    assert "c2.csv: other columns than c1.csv: lacks timestamp and has qty" in message


def test_files_of_one_table_have_the_same_kinds_of_columns(tmp_path) -> None:
    other = pl.DataFrame({"user_id": [1], "item_id": ["a"]})
    raw = shop(tmp_path, c1_dot_parquet=part("u", "a"), c2_dot_parquet=other)
    assert "c2.parquet: column user_id is Int64, in c1.parquet it is String" in refused(Tables(interactions="c*"), raw)


def test_files_of_different_kinds_are_not_one_table(tmp_path) -> None:
    raw = shop(tmp_path, interactions_dot_csv=HEAD + ROWS, interactions_dot_parquet=part("u", "a"))
    assert "several files fit: interactions.csv, interactions.parquet" in refused(Tables(), raw)


@pytest.mark.parametrize("option", ["interactions", "items", "users"])
def test_a_file_that_is_named_must_be_there(tmp_path, option) -> None:
    raw = shop(tmp_path, interactions_dot_csv=HEAD + ROWS)
    message = refused(Tables(**{option: "catalog.csv"}), raw)
    assert "no file catalog.csv here, found interactions.csv" in message
    assert f"--{option}" in message


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("gz", gzip.compress),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zst", lambda content: pa.Codec("zstd").compress(content, asbytes=True)),
    ],
)
def test_compressed(tmp_path, suffix, compress) -> None:
    content = compress((HEAD + ROWS).encode())
    raw = shop(tmp_path, **{f"interactions_dot_csv.{suffix}": content})
    assert len(log(Tables(), raw)) == 12
    broken = shop(tmp_path / "broken", **{f"interactions_dot_csv.{suffix}": content[: len(content) // 2]})
    assert f"interactions.csv.{suffix}: the archive is damaged or incomplete" in refused(Tables(), broken)


CYRILLIC = "Покупатель;Товар\nОльга;Чай\n"


@pytest.mark.parametrize(
    ("content", "tables", "expected"),
    [
        (("\ufeff" + HEAD + ROWS).encode(), Tables(), ("u0", "i0")),
        (CYRILLIC.encode("utf-16"), Tables(user="Покупатель", item="Товар"), ("Ольга", "Чай")),
        (CYRILLIC.encode("cp1251"), Tables(user="Покупатель", item="Товар", encoding="cp1251"), ("Ольга", "Чай")),
        (CYRILLIC.encode(), Tables(user="Покупатель", item="Товар", encoding="cp1251"), ("Ольга", "Чай")),
        ((HEAD + ROWS).replace("\n", "\r").encode(), Tables(), ("u0", "i0")),
        ((HEAD + ROWS).replace("\n", "\r\n").encode(), Tables(), ("u0", "i0")),
        (b"sep=;\r\nuser_id;item_id\r\nu;i\r\n", Tables(), ("u", "i")),
        (b" user_id | item_id \nu|i\n", Tables(), ("u", "i")),
        (b'"user_id","item_id"\n"u","i"\n', Tables(), ("u", "i")),
    ],
    ids=["bom", "utf-16", "cp1251", "utf-8 in spite of --encoding", "cr", "crlf", "sep=", "spaces", "quoted head"],
)
def test_ways_to_write_a_csv(tmp_path, content, tables, expected) -> None:
    row = log(tables, shop(tmp_path, interactions_dot_csv=content))[0]
    assert (row["user_id"], row["item_id"]) == expected


@pytest.mark.parametrize(
    ("title", "expected", "tables"),
    [
        ('27" monitor', "27” monitor", Tables()),
        ('"27"" monitor, black"', "27” monitor, black", Tables()),
        (r'"27\" monitor, \"black\", flat"', "27” monitor, ”black”, flat", Tables()),
        ('"two\nlines"', "two lines", Tables()),
        ('"open', "”open", Tables(quotes=False)),
    ],
)
def test_quotes(tmp_path, title, expected, tables) -> None:
    items = "item_id,name,year\n" + "".join(f"i{n},{title if n % 2 else 'plain'},200{n}\n" for n in range(4))
    out = convert(tables, shop(tmp_path, interactions_dot_csv=HEAD + ROWS, items_dot_csv=items), tmp_path / "d" / "own")
    read = items_by_id(read_with_recbole(out))
    found = " ".join(read["i1"]["name"]).replace("“", "”")
    assert (found, read["i1"]["year"], read["i2"]["name"]) == (expected, 2001, ["plain"])


MANY = "".join(f"u,i{n},{n}\n" for n in range(50))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,item_id\nu,i\nu,café\n".encode("cp1252"), "interactions.csv, line 3: this is not UTF-8 (byte 0xe9)"),
        ("user_id,item_id\nu,café\n".encode("utf-16-le"), "--encoding=utf-16-le"),
        (HEAD + 'u,"i,1\n' + MANY, "interactions.csv, line 2: a quote opens here and does not close"),
        (
            HEAD + 'u,i,1\nv,"j,2\n' + MANY + 'w,k,"3"\n',
            "interactions.csv, line 3: a quote opens here and does not close",
        ),
        (HEAD + 'u,i,1\nv,j,"2\n', "interactions.csv, line 3: a quote opens here"),
        (HEAD + "u,i,1\nu,j,1,5\n", "interactions.csv, line 3: 4 fields, but there are 3 columns"),
        ("user_id,item_id,item_id\nu,i,i\n", "interactions.csv, line 1: 2 columns are named 'item_id'"),
        ("user_id item_id\nu i\n", "columns are separated by a comma, tab, semicolon or bar"),
        ("user_id,sku\nu,i\n", "found user_id, sku; say which columns they are by --item-column"),
        ("\n\n", "interactions.csv, line 1: no names of columns"),
        ("", "interactions.csv is empty"),
        (HEAD, "there are no interactions in these files"),
        ("user_id,item_id\nu,4.00638E+12\n", "interactions.csv, line 2, column item_id: '4.00638E+12' is an id that a"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path, content, message) -> None:
    assert message in refused(Tables(), shop(tmp_path, interactions_dot_csv=content))


def test_other_refusals(tmp_path) -> None:
    message = refused(Tables(), shop(tmp_path / "a", interactions_dot_xlsx=b"PK"))
    assert "found interactions.xlsx; name it by --interactions (.csv, .tsv" in message
    assert "no parquet file, or a damaged one" in refused(
        Tables(), shop(tmp_path / "b", interactions_dot_parquet=b"hello")
    )
    cp1252 = "user_id,item_id\nu,café\n".encode("cp1252")
    message = refused(Tables(encoding="cp99"), shop(tmp_path / "c", interactions_dot_csv=cp1252))
    assert "--encoding=cp99: there is no such encoding" in message
    raw = shop(tmp_path / "d", interactions_dot_csv=HEAD + ROWS, items_dot_csv="item_id,name\nI0,x\n")
    assert "none of the 4 items of the interactions: it has 'I0', they have 'i0'" in refused(Tables(), raw)


def test_ids_of_any_kind(tmp_path) -> None:
    content = 'user_id,item_id\nnan,None\nNA,null\n,x\nu,\n"a\tb","c\nd"\n'
    out = convert(Tables(), shop(tmp_path, interactions_dot_csv=content), tmp_path / "d" / "own")
    dataset = read_with_recbole(out)
    assert len(dataset.inter_feat) == 3
    whole = pl.DataFrame({"user_id": [1.0, 2.0, None], "item_id": [b"a", b"b", b"c"]})
    assert [row["user_id"] for row in log(Tables(), shop(tmp_path / "float", interactions_dot_parquet=whole))] == [
        "1",
        "2",
    ]


def test_blank_and_short_rows_are_counted(tmp_path) -> None:
    """The first row has not all fields, from which polars would conclude that no row has."""
    content = "user_id,item_id,qty\n\nu\nu,i,3\n\nu,j\n"
    assert [tuple(row.values()) for row in log(Tables(), shop(tmp_path, interactions_dot_csv=content))] == [
        ("u", "i", "3", "0"),
        ("u", "j", "", "1"),
    ]


def test_bytes_that_are_no_text(tmp_path) -> None:
    table = pl.DataFrame({"user_id": [b"\xff\x00", b"\xff\x01"], "item_id": [b"a", b"b"]})
    rows = log(Tables(), shop(tmp_path, interactions_dot_parquet=table))
    assert [(row["user_id"], row["item_id"]) for row in rows] == [("ff00", "a"), ("ff01", "b")]


def test_empty_parts(tmp_path) -> None:
    files = {"c1_dot_csv": "", "c2_dot_csv": HEAD + ROWS, "c3_dot_csv": HEAD}
    assert len(log(Tables(interactions="c*.csv"), shop(tmp_path, **files))) == 12
    empty = shop(tmp_path / "empty", c1_dot_csv="", c2_dot_csv="")
    assert "c1.csv is empty" in refused(Tables(interactions="c*.csv"), empty)


def test_a_column_is_one_thing(tmp_path) -> None:
    raw = shop(tmp_path, interactions_dot_csv=HEAD + ROWS)
    assert "column user_id cannot be two of user, item, time and rating" in refused(Tables(item="user_id"), raw)
