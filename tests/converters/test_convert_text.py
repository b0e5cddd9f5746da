"""Text and values survive RecBole's reader, whatever they hold."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES
from recbole.config import Config
from recbole.data.dataset import Dataset

from recbole_llmdistill.dataset_converters.atomic_files import write_atomic_file
from recbole_llmdistill.dataset_converters.movie_titles import natural_title, release_year
from recbole_llmdistill.dataset_converters.text_cleaning import READ_AS_MISSING, clean_text

NASTY = [
    '"',
    '"whole"',
    "NA",
    "None",
    "a\tb",
    "line\r\nbreak",
    "\u2028",
    '" alone',
    "Café № 5",
    "\ufeffmark",
    "  two  ",
    "#",
]
TEXT = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))


def as_recbole_reads(path: Path) -> pd.DataFrame:
    """The call of RecBole's ``_load_feat`` (dataset.py 470), without its splitting of sequences."""
    return pd.read_csv(path, delimiter="\t", dtype=str, encoding="utf-8", engine="python")


def one_straight_line(text: str) -> str:
    """What must arrive: the words, with quotes compared without their direction."""
    return "".join('"' if letter in "“”" else letter for letter in text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXT, min_size=1, max_size=8))
def test_any_text_arrives_word_by_word(texts) -> None:
    path = Path(tempfile.mkdtemp(dir=".")) / "own.item"
    ids = [str(number) for number in range(len(texts))]
    write_atomic_file(pl.DataFrame({"item_id:token": ids, "title:token_seq": texts}), path)
    read = as_recbole_reads(path)
    assert list(read["item_id:token"]) == ids
    spaces = "\u200b\ufeff" + "".join(map(chr, [*range(32), *range(127, 160)]))
    for text, found in zip(texts, read["title:token_seq"], strict=True):
        words = "".join(" " if letter in spaces else letter for letter in text).split()
        assert one_straight_line("" if pd.isna(found) else found).split() == one_straight_line(" ".join(words)).split()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=st.lists(st.lists(st.text(max_size=8), max_size=4), min_size=1, max_size=5))
def test_every_value_of_a_list_is_one_token(lists) -> None:
    path = Path(tempfile.mkdtemp(dir=".")) / "own.item"
    ids = [str(number) for number in range(len(lists))]
    table = pl.DataFrame({"item_id:token": ids, "tags:token_seq": pl.Series(lists, dtype=pl.List(pl.String))})
    write_atomic_file(table, path)
    for values, found in zip(lists, as_recbole_reads(path)["tags:token_seq"], strict=True):
        kept = table.select(pl.lit(pl.Series(values, dtype=pl.String))).to_series().str.strip_chars().unique()
        expected = len([value for value in kept if value])
        assert len([word for word in ("" if pd.isna(found) else found).split(" ") if word]) == expected


def test_the_words_that_pandas_takes_for_missing_are_all_known() -> None:
    assert set(READ_AS_MISSING) == STR_NA_VALUES - {""}


@pytest.mark.parametrize(
    ("raw", "title", "year"),
    [
        ("Usual Suspects, The (1995)", "The Usual Suspects", "1995"),
        ("Postman, The (Postino, Il) (1994)", "The Postman (Il Postino)", "1994"),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)", None, "1995"),
        ("Avventura, L' (a.k.a. Adventure, The) (1960)", "L'Avventura (The a.k.a. Adventure)", "1960"),
        ("Fullmetal Alchemist (2003–2004)", "Fullmetal Alchemist", "2003"),
        ("Doctor Who (2005– )", "Doctor Who", "2005"),
        ("Babylon 5", "Babylon 5", None),
        ("1984 (Nineteen Eighty-Four) (1984) ", "1984 (Nineteen Eighty-Four)", "1984"),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", "1968"),
        ("I, Robot (2004)", "I, Robot", "2004"),
    ],
)
def test_movie_titles(raw, title, year) -> None:
    found = pl.DataFrame({"raw": [raw]}).select(title=natural_title(pl.col("raw")), year=release_year(pl.col("raw")))
    if title:
        assert found["title"][0] == title
    assert found["year"][0] == year


def test_quotes_open_and_close() -> None:
    texts = pl.DataFrame({"text": ['"Great Performances" Cats', 'the ("so called") 15" pipe']})
    found = texts.select(clean_text(pl.col("text")))["text"].to_list()
    assert found == ["“Great Performances” Cats", "the (“so called”) 15” pipe"]


def test_number_columns_arrive_as_numbers(tmp_path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    table = pl.DataFrame({"user_id:token": ["u"] * 2, "item_id:token": ["i", "j"], "price:float": [0.1, 1e-7]})
    write_atomic_file(table, folder / "own.inter")
    given = {"data_path": str(tmp_path), "load_col": None, "train_neg_sample_args": None}
    dataset = Dataset(Config(model="BPR", dataset="own", config_dict=given))
    assert np.allclose(dataset.inter_feat["price"], [0.1, 1e-7], rtol=1e-6)
