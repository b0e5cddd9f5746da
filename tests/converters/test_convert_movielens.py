"""MovieLens in each of GroupLens's formats, quirks included."""

import gzip
import io
import shutil
import zipfile
from pathlib import Path

import pytest
import recbole
from recbole_readback import items_by_id, raw_rows, read_with_recbole, tokens

from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.movielens import MovieLens

FLAGS = "0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|1|0|0|0"  # Comedy, Sci-Fi
RATINGS_CSV = """userId,movieId,rating,timestamp
1,2,3.5,1112486027
1,29,4.0,1112484676
2,2,0.5,974820889
2,7,5.0,974820598
"""
MOVIES_CSV = '''movieId,title,genres
2,"American President, The (1995)",Comedy|Drama|Romance
7,"""Great Performances"" Cats (1998)",Musical
29,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Adventure|Sci-Fi
99,Never Rated (2006–2007),(no genres listed)
'''
TAGS_CSV = """userId,movieId,tag,timestamp
1,2,White House,1240597180
2,2,white house ,1240597190
2,2,Aaron Sorkin,1240597191
3,29,"dark, dreamy",1240597192
"""


def write_csv_format(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text(RATINGS_CSV, encoding="utf-8")
    (folder / "movies.csv").write_text(MOVIES_CSV, encoding="utf-8")
    (folder / "tags.csv").write_text(TAGS_CSV, encoding="utf-8")
    return folder


def test_csv_format_titles_genres_and_tags(tmp_path) -> None:
    out = convert(MovieLens(), write_csv_format(tmp_path / "ml-20m"), tmp_path / "dataset" / "ml")
    items = items_by_id(read_with_recbole(out))
    assert set(items) == {"2", "7", "29"}  # movie 99 has no rating
    assert items["2"] == {
        "title": ["The", "American", "President"],
        "year": "1995",
        "genres": ["Comedy", "Drama", "Romance"],
        "tags": ["white_house", "aaron_sorkin"],  # two users said the first
    }
    assert " ".join(items["7"]["title"]) == "“Great Performances” Cats"
    assert " ".join(items["29"]["title"]) == "The City of Lost Children (La Cité des enfants perdus)"
    assert items["29"]["tags"] == ["dark,_dreamy"]


def test_interactions_arrive_with_their_numbers(tmp_path) -> None:
    out = convert(MovieLens(), write_csv_format(tmp_path / "ml-20m"), tmp_path / "dataset" / "ml")
    expected = sorted(RATINGS_CSV.split()[1:], key=lambda line: int(line.split(",")[3]))
    found = raw_rows(out / "ml.inter")
    assert [f"{row['user_id']},{row['item_id']},{row['rating']},{row['timestamp']}" for row in found] == expected


def test_1m_format_in_windows_1252(tmp_path) -> None:
    raw = tmp_path / "ml-1m"
    raw.mkdir()
    (raw / "ratings.dat").write_text("1::73::5::978300760\n1::3::4::978300761\n2::3::1::978300762\n")
    movies = "3::Grumpier Old Men (1995)::Comedy|Romance\n73::Misérables, Les (1995)::Drama|Musical\n"
    movies += "74::Nobody’s Fool: Part :: Two (1994)::Drama\n"  # byte 0x92 is a Windows-1252 apostrophe
    (raw / "movies.dat").write_bytes(movies.encode("cp1252"))
    (raw / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    dataset = read_with_recbole(convert(MovieLens(), raw, tmp_path / "dataset" / "ml"))
    assert items_by_id(dataset)["73"]["title"] == ["Les", "Misérables"]
    assert tokens(dataset, "user", "age")[1:] == ["under_18", "56+"]
    assert tokens(dataset, "user", "occupation")[1:] == ["K-12 student", "self-employed"]


def test_10m_format_with_colons_in_titles_and_tags(tmp_path) -> None:
    raw = tmp_path / "ml-10M100K"
    raw.mkdir()
    (raw / "ratings.dat").write_text("1::122::5::838985046\n1::185::3.5::838983525\n")
    (raw / "movies.dat").write_text("122::Star Wars: Episode IV - A New Hope (1977)::Sci-Fi\n185::Léon (1994)::Crime\n")
    (raw / "tags.dat").write_text("15::122::space: opera::1215184630\n15::185::odd :: one::1215184631\n")
    items = items_by_id(read_with_recbole(convert(MovieLens(), raw, tmp_path / "dataset" / "ml")))
    assert " ".join(items["122"]["title"]) == "Star Wars: Episode IV - A New Hope"
    assert items["122"]["tags"] == ["space:_opera"]
    assert items["185"]["tags"] == ["odd_::_one"]


def test_100k_format_in_latin_1_with_a_movie_without_year(tmp_path) -> None:
    raw = tmp_path / "ml-100k-raw"
    raw.mkdir()
    (raw / "u.data").write_text("196\t242\t3\t881250949\n196\t267\t1\t881250950\n")
    movies = f"242|Kolya Č (1996)|24-Jan-1997||http://x/|{FLAGS}\n267|unknown||||1|{'|'.join('0' * 18)}\n"
    (raw / "u.item").write_bytes(movies.replace("Č", "É").encode("latin-1"))
    (raw / "u.user").write_text("196|49|M|writer|55105\n")
    dataset = read_with_recbole(convert(MovieLens(), raw, tmp_path / "dataset" / "ml"))
    items = items_by_id(dataset)
    assert items["242"] == {"title": ["Kolya", "É"], "year": "1996", "genres": ["Comedy", "Sci-Fi"]}
    assert items["267"] == {"title": ["unknown"], "year": "[PAD]", "genres": []}
    assert tokens(dataset, "user", "occupation")[1:] == ["writer"]


def recbole_ml_100k() -> Path:
    return Path(recbole.__file__).parent / "dataset_example" / "ml-100k"


@pytest.fixture(scope="module")
def published_100k(tmp_path_factory) -> Path:
    """u.data of MovieLens 100K: RecBole ships these very lines below a head; and u.item made of RecBole's."""
    raw = tmp_path_factory.mktemp("raw")
    lines = (recbole_ml_100k() / "ml-100k.inter").read_text().splitlines()[1:]
    (raw / "u.data").write_text("\n".join(lines) + "\n")
    names = "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror"
    names = [*names.split(), "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"]
    movies = []
    for row in raw_rows(recbole_ml_100k() / "ml-100k.item"):
        flags = "|".join(str(int(name in row["class"].split(" "))) for name in names)
        movies.append(f"{row['item_id']}|{row['movie_title']} ({row['release_year']})|||http://x/|{flags}\n")
    (raw / "u.item").write_bytes("".join(movies).encode("latin-1", "replace"))
    return raw


def test_ml_100k_equals_recboles_own(tmp_path, published_100k) -> None:
    out = convert(MovieLens(), published_100k, tmp_path / "dataset" / "ml-100k-again")
    ours, theirs = raw_rows(out / "ml-100k-again.inter"), raw_rows(recbole_ml_100k() / "ml-100k.inter")
    key = ("user_id", "item_id", "timestamp")
    assert sorted((*(row[name] for name in key), float(row["rating"])) for row in ours) == sorted(
        (*(row[name] for name in key), float(row["rating"])) for row in theirs
    )
    genres = {row["item_id"]: set(row["genres"].split()) for row in raw_rows(out / "ml-100k-again.item")}
    for row in raw_rows(recbole_ml_100k() / "ml-100k.item"):
        assert genres[row["item_id"]] == set(row["class"].split()) - {"unknown"}


@pytest.mark.parametrize("packing", ["zip", "gz", "zip in a folder"])
def test_archives_give_the_same_files(tmp_path, packing) -> None:
    plain = write_csv_format(tmp_path / "ml-20m")
    expected = convert(MovieLens(), plain, tmp_path / "plain" / "ml")
    packed = tmp_path / "packed"
    packed.mkdir()
    if packing == "gz":
        for file in plain.iterdir():
            (packed / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        given = packed
    else:
        archive = shutil.make_archive(str(packed / "ml-20m"), "zip", tmp_path, "ml-20m")
        with zipfile.ZipFile(archive, "a") as file:
            file.writestr("__MACOSX/ml-20m/._ratings.csv", b"\0\1")
        given = Path(archive) if packing == "zip" else packed
    out = convert(MovieLens(), given, tmp_path / "dataset" / "ml")
    for suffix in ("inter", "item", "yaml"):
        assert (out / f"ml.{suffix}").read_bytes() == (expected / f"ml.{suffix}").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["ml.inter", "ml.item", "ml.yaml", "provenance.json"]


def test_a_gz_inside_a_zip(tmp_path) -> None:
    plain = write_csv_format(tmp_path / "ml-20m")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in plain.iterdir():
            archive.writestr(f"deep/{file.name}.gz", gzip.compress(file.read_bytes()))
    (tmp_path / "outer.zip").write_bytes(content.getvalue())
    out = convert(MovieLens(), tmp_path / "outer.zip", tmp_path / "dataset" / "ml")
    assert len(raw_rows(out / "ml.inter")) == 4
