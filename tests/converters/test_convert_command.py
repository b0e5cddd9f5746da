"""The commands: bad input in one line with status 2, nothing half-written, and what they print."""

import gzip
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from recbole.config import Config
from recbole.quick_start import run_recbole

from recbole_llmdistill.cli.llmdistill import main
from recbole_llmdistill.dataset_converters import conversion
from recbole_llmdistill.registry import MODELS

RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{1 + (user + step) % 9},4.0,{1112486000 + 60 * step + user}\n"
    for user in range(1, 21)
    for step in range(6)
)
MOVIES = "movieId,title,genres\n" + "".join(f'{movie},"Film {movie}, The (1999)",Drama|War\n' for movie in range(1, 10))


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "movies.csv").write_text(MOVIES)
    return folder


def command(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["llmdistill", *map(str, arguments)])
    return main()


def test_convert_then_describe_then_train_without_a_flag(monkeypatch, capsys, raw) -> None:
    assert command(monkeypatch, "convert", "movielens", "--input", raw, "--out", "dataset/films", "--k-core", "3") == 0
    shown = capsys.readouterr().out
    assert "read 120 interactions" in shown
    assert "run_recbole --model=SASRecDistill --dataset=films --distill_alpha=0" in shown
    assert command(monkeypatch, "describe", "films") == 0
    shown = capsys.readouterr().out
    assert "users                       20\n" in shown
    assert "density                     66.6667%" in shown
    assert "2005-04-02T23:53:21Z to 2005-04-02T23:58:40Z" in shown
    assert "item field title            100.0% of items, 100.0% of interactions, 3.0 words on average" in shown
    monkeypatch.setattr(sys, "argv", ["run_recbole"])
    result = run_recbole(
        model="SASRecDistill", dataset="films", config_dict={"distill_alpha": 0.0, "epochs": 1}, saved=False
    )
    assert result["test_result"]


@pytest.mark.parametrize("model", ["SASRec", *MODELS])
def test_settings_beside_the_data_count_less_than_the_users(monkeypatch, raw, model) -> None:
    assert command(monkeypatch, "convert", "movielens", "--input", raw, "--out", "data/films") == 0
    monkeypatch.setattr(sys, "argv", ["run_recbole"])
    given = {"data_path": "data", "train_neg_sample_args": None}
    config = Config(model=model, dataset="films", config_dict=given)
    assert config["TIME_FIELD"] == "time_rank"
    assert config["profile_item_fields"] == {"title": "title", "year": "year", "genres": "genres"}
    assert config["user_inter_num_interval"] == "[3,inf)"
    config = Config(model=model, dataset="films", config_dict=given | {"user_inter_num_interval": "[5,inf)"})
    assert config["user_inter_num_interval"] == "[5,inf)"


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_gz(raw: Path) -> None:
    content = (raw / "ratings.csv").read_bytes()
    (raw / "ratings.csv").unlink()
    (raw / "ratings.csv.gz").write_bytes(gzip.compress(content))
    half(raw / "ratings.csv.gz")


def truncated_zip(raw: Path) -> None:
    with zipfile.ZipFile(raw / "ml.zip", "w") as archive:
        archive.write(raw / "ratings.csv", "ratings.csv")
    (raw / "ratings.csv").unlink()
    half(raw / "ml.zip")


def damaged_zip(raw: Path) -> None:
    with zipfile.ZipFile(raw / "ml.zip", "w") as archive:
        archive.write(raw / "ratings.csv", "ratings.csv")
    (raw / "ratings.csv").unlink()
    content = bytearray((raw / "ml.zip").read_bytes())
    content[200] ^= 1
    (raw / "ml.zip").write_bytes(content)


def no_ratings(raw: Path) -> None:
    (raw / "ratings.csv").unlink()


def two_releases(raw: Path) -> None:
    (raw / "ml-25m").mkdir()
    (raw / "ml-25m" / "ratings.csv").write_text(RATINGS)


def no_movies(raw: Path) -> None:
    (raw / "movies.csv").unlink()


def other_columns(raw: Path) -> None:
    (raw / "ratings.csv").write_text("user,movieId,rating,timestamp\n1,2,3,4\n")


def words_for_numbers(raw: Path) -> None:
    (raw / "ratings.csv").write_text(RATINGS + "7,7,good,1112486000\n")


BAD = {
    truncated_gz: ("ratings.csv.gz: the archive is damaged or incomplete", "grouplens.org"),
    truncated_zip: ("ml.zip: the archive is damaged or incomplete", "grouplens.org"),
    damaged_zip: ("ml.zip:ratings.csv: the archive is damaged or incomplete", "grouplens.org"),
    no_ratings: ("neither u.data (100K), ratings.dat (1M, 10M) nor ratings.csv", "grouplens.org"),
    no_movies: ("no file movies.csv here, found ratings.csv", "grouplens.org"),
    two_releases: ("several files ratings.csv: ", "give --input one folder"),
    other_columns: ("column userId is missing; expected userId, movieId, rating, timestamp, found user, movieId",),
    words_for_numbers: ("ratings.csv, line 122: could not parse `good` as dtype `f32` at column 'rating'",),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_bad_files(monkeypatch, capsys, raw, spoil) -> None:
    spoil(raw)
    assert command(monkeypatch, "convert", "movielens", "--input", raw, "--out", "dataset/films") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert all(words in shown for words in BAD[spoil]), shown
    assert list(Path("dataset").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "dataset/ml-100k"], "RecBole reads the data set ml-100k from its own package"),
        (["--out", "ml"], "ml exists already; remove it or choose another --out"),
        (["--out", "dataset/x", "--input", "nowhere"], "nowhere: no such file or folder; the files are offered at"),
        (["--out", "dataset/x", "--since", "soon"], "'soon' is no date"),
        (["--out", "dataset/x", "--min-rating", "6"], "rating at least 6: 0); loosen the filter named last"),
        (["--out", "dataset/x", "--sample-users", "-1"], "--sample-users -1: give a number from 0"),
        (["--out", "dataset/x", "--kcore=5"], "argument '--kcore=5' is not understood"),
        (["--out", "ml/ratings.csv/x"], "ml/ratings.csv: File exists"),
    ],
)
def test_bad_arguments(monkeypatch, capsys, raw, arguments, message) -> None:
    assert command(monkeypatch, "convert", "movielens", "--input", raw, *arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert message in shown
    assert not list(Path().rglob("*.partial-*"))


def test_a_line_that_breaks_off_is_counted(monkeypatch, capsys, raw) -> None:
    (raw / "ratings.csv").write_text(RATINGS + "7,7")
    assert command(monkeypatch, "convert", "movielens", "--input", raw, "--out", "dataset/films") == 0
    assert "with time: 1 removed, 120 left" in capsys.readouterr().out


def test_describe_of_nothing(monkeypatch, capsys) -> None:
    assert command(monkeypatch, "describe", "nothing") == 2
    assert "no data set nothing: looked for dataset/nothing/nothing.inter" in capsys.readouterr().err


def test_describe_of_recboles_own_ml_100k(monkeypatch, capsys) -> None:
    assert command(monkeypatch, "describe", "ml-100k") == 0
    shown = capsys.readouterr().out
    for figure in ("943\n", "1,682\n", "100,000\n", "6.3047%", "1997-09-20T03:05:10Z to 1998-04-22T23:10:38Z"):
        assert figure in shown


def test_a_full_disk(raw) -> None:
    """No file may grow beyond 2 kB: the kernel refuses to write, as on a full disk."""
    arguments = ["convert", "movielens", "--input", str(raw), "--out", "dataset/films"]
    done = subprocess.run(
        [sys.executable, "-m", "recbole_llmdistill.cli.llmdistill", *arguments],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 2
    assert "error: dataset/films: no space left to write the data set" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(Path("dataset").iterdir()) == []


def test_interrupted_it_leaves_nothing_behind(monkeypatch, capsys, raw) -> None:
    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(conversion, "write_provenance", interrupt)  # all else is written by then
    assert command(monkeypatch, "convert", "movielens", "--input", raw, "--out", "dataset/films") == 130
    assert list(Path("dataset").iterdir()) == []


def test_the_same_files_and_flags_give_the_same_bytes(monkeypatch, raw) -> None:
    for parent in ("one", "two"):
        flags = ["--out", f"{parent}/films", "--sample-users", "7", "--seed", "3"]
        assert command(monkeypatch, "convert", "movielens", "--input", raw, *flags) == 0
    names = sorted(path.name for path in Path("one/films").iterdir())
    assert names == ["films.inter", "films.item", "films.yaml", "provenance.json"]
    for name in names:
        assert Path("one/films", name).read_bytes() == Path("two/films", name).read_bytes()
    provenance = json.loads(Path("one/films/provenance.json").read_text())
    assert provenance["filters"] == {"sample_users": 7, "seed": 3}
    assert provenance["files"][0]["file"] == "ratings.csv"


def test_describe_of_a_file_without_types(monkeypatch, capsys) -> None:
    Path("dataset/own").mkdir(parents=True)
    Path("dataset/own/own.inter").write_text("user_id\titem_id\nu\ti\n")
    assert command(monkeypatch, "describe", "own") == 2
    assert "own.inter, line 1: 'user_id' is no column; each is written name:type" in capsys.readouterr().err


def test_describe_counts_what_is_there(monkeypatch, capsys) -> None:
    folder = Path("dataset/own")
    folder.mkdir(parents=True)
    rows = ["u\ta\t0", "u\tb\t1", "u\ta\t2", "v\ta\t3", "w\tc\t4"]
    (folder / "own.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\n" + "\n".join(rows) + "\n")
    (folder / "own.item").write_text("item_id:token\ttitle:token_seq\na\tone two three\nb\t\nc\tone\n")
    assert command(monkeypatch, "describe", str(folder)) == 0
    shown = dict(re.split("  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["users"], shown["items"]) == ("3", "3")
    assert shown["density"] == "55.5556%"  # 5 of 9, as RecBole counts repeated pairs too
    assert shown["history length"].startswith("min 1   5%: 1   25%: 1   50%: 1   75%: 3   95%: 3   max 3")
    assert shown["time span"].endswith("0.0 to 4.0 (ranks or offsets, not moments)")
    assert command(monkeypatch, "describe", "own") == 0
    # a and c have a title: 2 of 3 items, 4 of 5 interactions, (3 + 1) / 2 words
    assert "item field title            66.7% of items, 80.0% of interactions, 2.0 words on average" in (
        capsys.readouterr().out
    )


HEAD = b"user_id:token\titem_id:token\ttimestamp:float\n"
GOOD = HEAD + b"u\ta\t1\nu\tb\t2\nv\ta\t1\n"
DESCRIBED_WITH = {
    "empty": ({"own.inter": b""}, "own.inter: the file is empty"),
    "commas": ({"own.inter": GOOD.replace(b"\t", b",")}, "own.inter, line 1: "),
    "header alone": ({"own.inter": HEAD}, "own.inter: no rows below the header"),
    "not utf-8": ({"own.inter": GOOD + b"\xfc\ta\t1\n"}, "own.inter, line 5: "),
    "more cells": ({"own.inter": GOOD + b"u\ta\t1\t2\n"}, "own.inter, line 5: 4 cells, and the header has 3"),
    "no number": (
        {"own.inter": GOOD + b"u\ta\tsoon\n"},
        "own.inter, line 5: 'soon' in column timestamp:float is no number",
    ),
    "two columns": ({"own.inter": b"user_id:token\tuser_id:token\nu\tv\n"}, "two columns are called user_id"),
    "other users": ({"own.inter": b"uid:token\titem_id:token\nu\ti\n"}, "no column user_id (USER_ID_FIELD), found uid"),
    "broken yaml": ({"own.inter": GOOD, "own.yaml": b"a: [\n"}, "own.yaml, line 2: expected"),
    "yaml of a list": ({"own.inter": GOOD, "own.yaml": b"- a\n"}, "own.yaml: expected settings"),
    "interval": ({"own.inter": GOOD, "own.yaml": b"user_inter_num_interval: 3\n"}, "user_inter_num_interval: 3 is no"),
    "encoding": ({"own.inter": GOOD, "own.yaml": b"encoding: 5\n"}, "encoding: 5 is not the name of one"),
    "items": (
        {"own.inter": GOOD, "own.item": b"sku:token\na\n"},
        "own.item: no column item_id (ITEM_ID_FIELD), found sku",
    ),
}


@pytest.mark.parametrize("case", DESCRIBED_WITH)
def test_describe_of_broken_files(monkeypatch, capsys, case) -> None:
    files, message = DESCRIBED_WITH[case]
    Path("dataset/own").mkdir(parents=True)
    for name, content in files.items():
        Path("dataset/own", name).write_bytes(content)
    assert command(monkeypatch, "describe", "own") == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert message in shown


def test_describe_of_unusual_files(monkeypatch, capsys) -> None:
    """A mark of byte order, carriage returns, cells that lack, broken provenance, other names of columns."""
    Path("dataset/own").mkdir(parents=True)
    inter = HEAD.replace(b"user_id", b"uid") + b"u\ta\t1\n\tb\t2\nnan\ta\t\nu\t\t\n"
    Path("dataset/own/own.inter").write_bytes(b"\xef\xbb\xbf" + inter.replace(b"\n", b"\r\n"))
    Path("dataset/own/own.yaml").write_text("USER_ID_FIELD: uid\nval_interval: {timestamp: '[0,9]'}\n")
    Path("dataset/own/provenance.json").write_text("{")
    assert command(monkeypatch, "describe", "own") == 0
    shown = dict(re.split("  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["users"], shown["interactions"]) == ("2", "2")
    assert shown["rows left out"] == "2 without a user or an item"
    assert shown["not counted here"].startswith("val_interval")
    assert shown["time span"].startswith("1.0 to 1.0")
