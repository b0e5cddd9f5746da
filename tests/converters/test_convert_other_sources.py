"""Kion, REES46 and Steam in their publishers' formats."""

import gzip
from pathlib import Path

import pytest
from recbole_readback import items_by_id, raw_rows, read_with_recbole, tokens

from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.filters import Filters
from recbole_llmdistill.dataset_converters.kion import Kion
from recbole_llmdistill.dataset_converters.rees46 import Rees46
from recbole_llmdistill.dataset_converters.steam import Steam
from recbole_llmdistill.errors import InputError

KION_ITEMS = (
    "item_id,content_type,title,title_orig,release_year,genres,countries,for_kids,age_rating,studios,directors,"
    "actors,description,keywords\n"
    '10711,film,Поговори с ней,Hable con ella,2002.0,"драмы, зарубежные, детективы",Испания,,16.0,,'
    'Педро Альмодовар,"Адольфо Фернандес, Ана Фернандес","Мелодрама легендарного\nПедро «Девушки».",'
    '"Поговори, ней, 2002"\n'
    "2508,series,Голые перцы,,,комедии,Россия,1.0,,,,,,\n"
)


def write_kion(folder: Path) -> Path:
    folder.mkdir()
    (folder / "interactions.csv").write_text(
        "user_id,item_id,last_watch_dt,total_dur,watched_pct\n"
        "176549,10711,2021-05-11,4250,72.0\n699317,10711,2021-05-29,8317,100.0\n176549,2508,2021-03-13,10,\n",
        encoding="utf-8",
    )
    (folder / "items.csv").write_text(KION_ITEMS, encoding="utf-8")
    (folder / "users.csv").write_text(
        "user_id,age,income,sex,kids_flg\n176549,age_25_34,income_60_90,М,1\n973171,age_18_24,income_20_40,Ж,0\n",
        encoding="utf-8",
    )
    return folder


def test_kion_in_cyrillic(tmp_path) -> None:
    dataset = read_with_recbole(convert(Kion(), write_kion(tmp_path / "raw"), tmp_path / "dataset" / "kion"))
    item = items_by_id(dataset)["10711"]
    assert item["title"] == ["Поговори", "с", "ней"]
    assert item["genres"] == ["драмы", "зарубежные", "детективы"]
    assert item["actors"] == ["Адольфо_Фернандес", "Ана_Фернандес"]
    assert " ".join(item["description"]) == "Мелодрама легендарного Педро «Девушки»."
    assert (item["release_year"], item["age_rating"]) == ("2002", "16")
    assert items_by_id(dataset)["2508"]["release_year"] == "[PAD]"  # NaN in the publisher's file
    assert tokens(dataset, "user", "sex")[1:] == ["М", "[PAD]"]  # 699317 is in no user table


def test_kion_days_are_seconds_and_missing_shares_can_be_filtered(tmp_path) -> None:
    out = convert(Kion(), write_kion(tmp_path / "raw"), tmp_path / "dataset" / "kion")
    assert [(row["item_id"], row["timestamp"], row["watched_pct"]) for row in raw_rows(out / "kion.inter")] == [
        ("2508", "1615593600", ""),
        ("10711", "1620691200", "72.0"),
        ("10711", "1622246400", "100.0"),
    ]
    seen = convert(Kion(), tmp_path / "raw", tmp_path / "dataset" / "seen", Filters(min_rating=80))
    assert [row["user_id"] for row in raw_rows(seen / "seen.inter")] == ["699317"]


KION_ITEMS_EN = (
    ",item_id,content_type,title,title_orig,release_year,genres,countries,for_kids,age_rating,studios,description,"
    "keywords,actors_translated,actors_transliterated,directors_translated,transliterated\n"
    '0,10711,film,Talk to her,Hable con ella,2002.0,"drama, foreign, detective, melodrama",Spain,,16.0,,'
    '"Marco, a journalist, interviews a torero.","Talk, her, 2002, Spain","Adolfo Fernandez, Ana Fernandez",'
    "\"Adol'fo Fernandes, Ana Fernandes\",Pedro Almodovar,Pedro Al'modovar\n"
)


def test_kion_in_english_has_an_index_column_and_other_names_for_people(tmp_path) -> None:
    raw = write_kion(tmp_path / "raw")
    (raw / "items_en.csv").write_text(KION_ITEMS_EN)
    (raw / "users_en.csv").write_text(",user_id,age,income,sex,kids_flg\n0,176549,age_25_34,income_60_90,M,1\n")
    with pytest.raises(InputError, match="--language ru or en"):
        convert(Kion(), raw, tmp_path / "dataset" / "kion")
    dataset = read_with_recbole(convert(Kion(language="en"), raw, tmp_path / "dataset" / "kion"))
    item = items_by_id(dataset)["10711"]
    assert item["directors"] == ["Pedro_Almodovar"]
    assert item["actors"] == ["Adolfo_Fernandez", "Ana_Fernandez"]
    assert " ".join(item["description"]) == "Marco, a journalist, interviews a torero."
    assert tokens(dataset, "user", "sex")[1:] == ["M", "[PAD]"]


def write_rees46(folder: Path) -> Path:
    folder.mkdir()
    head = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    october = (
        head
        + "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde\n"
        + "2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.environment.water_heater,aqua,33.20,"
        + "554748717,9333dfbd\n"
        + "2019-10-01 00:00:04 UTC,purchase,3900821,2053013552326770905,appliances.environment.water_heater,aqua,"
        + "33.20,554748717,9333dfbd\n"
        + "2019-10-01 00:00:05 UTC,view,3900821,2053013552326770905,,,33.20,,9333dfbd\n"
    )
    november = head + "2019-11-01 00:00:00 UTC,view,3900821,2053013552326770905,,aqua,30.00,541312140,aaaa\n"
    (folder / "2019-Nov.csv").write_text(november)
    (folder / "2019-Oct.csv.gz").write_bytes(gzip.compress(october.encode()))
    return folder


def test_rees46_months_and_events(tmp_path) -> None:
    out = convert(Rees46(), write_rees46(tmp_path / "raw"), tmp_path / "dataset" / "rees46")
    rows = raw_rows(out / "rees46.inter")
    assert [(row["user_id"], row["event_type"]) for row in rows] == [
        ("541312140", "view"),
        ("554748717", "cart"),
        ("554748717", "purchase"),
        ("541312140", "view"),
    ]  # the event without a user is gone
    assert rows[0]["timestamp"] == "1569888000"
    item = items_by_id(read_with_recbole(out))["3900821"]
    assert item["category"] == ["appliances", "environment", "water_heater"]
    assert item["price"] == pytest.approx(30.0)  # of the last event
    bought = convert(Rees46(events=("purchase",)), tmp_path / "raw", tmp_path / "dataset" / "bought")
    assert [row["item_id"] for row in raw_rows(bought / "bought.inter")] == ["3900821"]


def test_steam_python_literals(tmp_path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    reviews = (
        "{u'username': u'First', u'product_id': u'328100', u'date': u'2017-12-14', u'text': u'no hours'}\n"
        "{u'username': u'Chaos Syren', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, "
        "u'date': u'2017-12-17', u'text': u'Free\\tis \"good\".', u'early_access': False, u'page': 1}\n"
        "{u'username': u'\"None\"', u'product_id': u'725280', u'date': u'2017-12-16', u'text': u''}\n"
        "{u'username': u'None', u'hours': 2.5, u'product_id': u'328100', u'date': u'2017-12-15', u'text': u''}\n"
    )
    games = (
        "{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Free to Play'], u'app_name': u'Lost Summoner Kitty', "
        "u'title': u'Lost', u'release_date': u'2018-01-04', u'tags': [u'Strategy'], u'specs': [u'Single-player'], "
        "u'price': 4.99, u'id': u'725280', u'developer': u'Kotoshiro'}\n"
        "{u'app_name': u'Ironbound', u'price': u'Free To Play', u'id': u'328100', u'genres': [u'RPG']}\n"
    )
    (raw / "steam_reviews.json.gz").write_bytes(gzip.compress(reviews.encode()))
    (raw / "steam_games.json").write_text(games)
    out = convert(Steam(), raw, tmp_path / "dataset" / "steam")
    dataset = read_with_recbole(out)
    assert sorted(set(tokens(dataset, "inter", "user_id"))) == ["%22None%22", "%4Eone", "Chaos Syren", "First"]
    items = items_by_id(dataset)
    assert items["725280"]["genres"] == ["Action", "Free_to_Play"]
    assert items["328100"]["title"] == ["Ironbound"]
    assert [row["price"] for row in raw_rows(out / "steam.item")] == ["", "4.99"]
