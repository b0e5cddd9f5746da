"""Amazon Reviews 2014, 2018, 2023, and Amazon-M2, in their publishers' formats."""

import gzip
import json
from pathlib import Path

import pytest
from recbole_readback import items_by_id, raw_rows, read_with_recbole, tokens

from recbole_llmdistill.dataset_converters.amazon_m2 import AmazonM2
from recbole_llmdistill.dataset_converters.amazon_reviews import AmazonReviews
from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.errors import InputError

RATINGS_2014 = "A1YJEY40YUW4SE,7806397051,1.0,1391040000\nA3LKJQWUA6BLS2,9790790961,5.0,1405468800\n"
META_2014 = (
    "{'asin': '7806397051', 'description': 'Soft & safe.\\nNo \"parabens\".', 'title': 'WAWO 15 Color &amp; Contour',"
    " 'imUrl': 'http://x/1.jpg', 'categories': [['Beauty', 'Makeup', 'Face'], ['Beauty', 'Gift Sets']],"
    " 'brand': \"Burt's Bees\", 'price': 19.99, 'salesRank': {'Beauty': 252612}}\n"
    "{'asin': '0000000000', 'title': 'never rated', 'categories': [['Beauty']]}\n"
)


def test_2014_ratings_and_python_literal_metadata(tmp_path) -> None:
    raw = tmp_path / "beauty"
    raw.mkdir()
    (raw / "ratings_Beauty.csv").write_text(RATINGS_2014)
    (raw / "meta_Beauty.json.gz").write_bytes(gzip.compress(META_2014.encode()))
    dataset = read_with_recbole(convert(AmazonReviews(), raw, tmp_path / "dataset" / "beauty"))
    assert set(tokens(dataset, "inter", "user_id")) == {"A1YJEY40YUW4SE", "A3LKJQWUA6BLS2"}
    items = items_by_id(dataset)
    assert set(items) == {"7806397051", "9790790961"}
    assert " ".join(items["7806397051"]["title"]) == "WAWO 15 Color & Contour"
    assert items["7806397051"]["brand"] == "Burt's Bees"
    assert items["7806397051"]["categories"] == ["Beauty", "Makeup", "Face", "Gift_Sets"]
    assert " ".join(items["7806397051"]["description"]) == "Soft & safe. No “parabens”."
    assert items["7806397051"]["price"] == pytest.approx(19.99)
    assert items["9790790961"]["title"] == []  # no metadata: the item is there, without text


def test_2014_reviews_as_json_or_as_python_literals(tmp_path) -> None:
    review = {"reviewerID": "A2SUAM1J3GNN3B", "asin": "0000013714", "helpful": [2, 3], "reviewText": 'it\'s "good"\n'}
    rows = [
        review | {"overall": 5.0, "unixReviewTime": 1252800000},
        review | {"overall": 2.0, "unixReviewTime": 1252800001},
    ]
    written = []
    for name, write in (("json", json.dumps), ("literal", repr)):
        raw = tmp_path / name
        raw.mkdir()
        (raw / "reviews_Beauty.json").write_text("\n".join(map(write, rows)))
        written.append((convert(AmazonReviews(), raw, tmp_path / "out" / name / "own") / "own.inter").read_bytes())
    assert written[0] == written[1]
    assert [line.split(b"\t")[2:4] for line in written[0].splitlines()[1:]] == [
        [b"5.0", b"1252800000"],
        [b"2.0", b"1252800001"],
    ]


def test_records_with_other_fields_are_refused(tmp_path) -> None:
    (tmp_path / "reviews.json").write_text(json.dumps({"reviewerID": "A", "asin": "B", "overall": 5.0}) + "\n")
    message = (
        "field unixReviewTime is missing; expected reviewerID, asin, overall, unixReviewTime, found reviewerID, asin"
    )
    with pytest.raises(InputError, match=message):
        convert(AmazonReviews(), tmp_path / "reviews.json", tmp_path / "dataset" / "own")


def test_a_broken_record_is_named_by_its_line(tmp_path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "ratings_Beauty.csv").write_text(RATINGS_2014)
    (raw / "meta_Beauty.json").write_text(META_2014 + "{'asin': '7806397051', 'title': 'half")
    with pytest.raises(InputError, match=r"meta_Beauty.json, line 3: neither a JSON object nor a Python dictionary"):
        convert(AmazonReviews(), raw, tmp_path / "dataset" / "own")
    assert not list((tmp_path / "dataset").iterdir())


def test_2018_ratings_have_the_item_first(tmp_path) -> None:
    raw = tmp_path / "All_Beauty.csv"
    raw.write_text("0143026860,A1V6B6TNIC10QE,1.0,1424304000\n0143026860,A2F5GHSXFQ0W6J,4.0,1418860800\n")
    out = convert(AmazonReviews(), raw, tmp_path / "dataset" / "beauty")
    assert {row["item_id"] for row in raw_rows(out / "beauty.inter")} == {"0143026860"}
    assert "2018" in json.loads((out / "provenance.json").read_text())["notes"][0]


def test_2018_reviews_with_embedded_breaks_and_prices_as_text(tmp_path) -> None:
    raw = tmp_path / "beauty"
    raw.mkdir()
    review = {"overall": 5.0, "verified": True, "reviewTime": "09 1, 2016", "reviewerID": "A3CIUOJXQ5VDQ2"}
    review |= {"asin": "B0000530HU", "style": {"Size:": " 7.0 oz"}, "reviewText": "As advertised\nand\tmore"}
    second = {**review, "asin": "B00006L9LC", "overall": 4.0, "unixReviewTime": 1472688001}
    lines = [json.dumps(review | {"unixReviewTime": 1472688000}), json.dumps(second)]
    (raw / "All_Beauty_5.json.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    meta = {"category": [], "description": ["<p>First.</p>", "Second &lt; third."], "title": "Aqua\tVelva", "brand": ""}
    meta |= {"feature": ["Classic\nscent"], "price": "$1,010.50", "asin": "B0000530HU"}
    (raw / "meta_All_Beauty.json").write_text(json.dumps(meta) + "\n" + json.dumps(meta) + "\n")  # listed twice
    items = items_by_id(read_with_recbole(convert(AmazonReviews(), raw, tmp_path / "dataset" / "beauty")))
    assert items["B0000530HU"]["title"] == ["Aqua", "Velva"]
    assert " ".join(items["B0000530HU"]["description"]) == "First. Second < third."
    assert items["B0000530HU"]["features"] == ["Classic", "scent"]
    assert items["B0000530HU"]["price"] == pytest.approx(1010.5)
    assert "brand" not in items["B0000530HU"]  # nobody has one


def test_2023_counts_milliseconds_and_parents(tmp_path) -> None:
    raw = tmp_path / "beauty"
    raw.mkdir()
    review = {"rating": 5.0, "title": "x", "text": "y", "images": [], "asin": "B00YQ6X8EO", "helpful_vote": 0}
    rows = [
        review | {"parent_asin": "B00PARENT1", "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923},
        review | {"parent_asin": "B00PARENT1", "user_id": "AE7DVMQZ5ZZZZZZZZZZZZZZZZZZZ", "timestamp": 1588687728001},
    ]
    (raw / "All_Beauty.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    meta = {"main_category": "All Beauty", "title": "Howard", "average_rating": 4.8, "features": [], "price": None}
    meta |= {"description": ["None"], "store": "Howard Products", "categories": [], "parent_asin": "B00PARENT1"}
    (raw / "meta_All_Beauty.jsonl").write_text(json.dumps(meta) + "\n")
    out = convert(AmazonReviews(), raw, tmp_path / "dataset" / "beauty")
    assert [row["timestamp"] for row in raw_rows(out / "beauty.inter")] == ["1588687728", "1588687728"]
    item = items_by_id(read_with_recbole(out))["B00PARENT1"]
    assert item["brand"] == "Howard Products"
    assert item["description"] == ["None"]  # pandas would read the bare word as missing


def test_2023_ratings_with_a_head(tmp_path) -> None:
    raw = tmp_path / "All_Beauty.csv"
    raw.write_text("user_id,parent_asin,rating,timestamp\nAE7D,B00PARENT1,5.0,1588687728923\n")
    out = convert(AmazonReviews(), raw, tmp_path / "dataset" / "beauty")
    row = {"user_id": "AE7D", "item_id": "B00PARENT1", "rating": "5.0", "timestamp": "1588687728", "time_rank": "0"}
    assert raw_rows(out / "beauty.inter") == [row]


def test_several_categories_are_refused(tmp_path) -> None:
    for name in ("ratings_Beauty.csv", "ratings_Books.csv"):
        (tmp_path / name).write_text(RATINGS_2014)
    with pytest.raises(InputError, match=r"several categories: .*Beauty.*Books"):
        convert(AmazonReviews(), tmp_path, tmp_path / "dataset" / "beauty")


def write_m2(folder: Path) -> Path:
    folder.mkdir()
    (folder / "sessions_train.csv").write_text(
        "prev_items,next_item,locale\n"
        "\"['B09W9FND7K' 'B09JSPLN1M']\",B09M7GY217,DE\n"
        "\"['B076THCGSG' 'B007MO8IME'\n 'B08MF65MLV' 'B076THCGSG']\",B001B4THSA,UK\n"
        "\"['B0000000JP', 'B09W9FND7K']\",,JP\n"  # with a comma; no next item
    )
    (folder / "products_train.csv").write_text(
        "id,locale,title,price,brand,color,size,model,material,author,desc\n"
        'B09W9FND7K,DE,"Fön, ""leise""\nund klein",19.9,BRAUN,,,,,,"Mit\nZeilen"\n'
        "B09W9FND7K,JP,ヘアドライヤー 小型,3000,ブラウン,,,,,,\n"
        "B076THCGSG,UK,Kettle,24.99,NA,Black,,,Steel,,\n"
    )
    return folder


def test_m2_sessions_become_users_in_their_order(tmp_path) -> None:
    out = convert(AmazonM2(), write_m2(tmp_path / "m2"), tmp_path / "dataset" / "m2")
    histories: dict[str, list[str]] = {}
    for row in raw_rows(out / "m2.inter"):
        assert row["time_rank"] == str(len(histories.setdefault(row["user_id"], [])))
        histories[row["user_id"]].append(row["item_id"])
    assert histories == {
        "DE-0": ["B09W9FND7K", "B09JSPLN1M", "B09M7GY217"],
        "UK-1": ["B076THCGSG", "B007MO8IME", "B08MF65MLV", "B076THCGSG", "B001B4THSA"],
        "JP-2": ["B0000000JP", "B09W9FND7K"],
    }
    items = items_by_id(read_with_recbole(out))
    assert " ".join(items["B09W9FND7K"]["title"]) == "Fön, “leise” und klein"
    assert " ".join(items["B09W9FND7K"]["desc"]) == "Mit Zeilen"
    assert items["B076THCGSG"]["brand"].strip() == "NA"
    assert len(items) == 8


def test_m2_locales(tmp_path) -> None:
    out = convert(AmazonM2(locales=("JP",)), write_m2(tmp_path / "m2"), tmp_path / "dataset" / "m2")
    assert {row["user_id"] for row in raw_rows(out / "m2.inter")} == {"JP-2"}
    assert items_by_id(read_with_recbole(out))["B09W9FND7K"]["title"] == ["ヘアドライヤー", "小型"]
