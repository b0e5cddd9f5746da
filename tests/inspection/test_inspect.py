"""``llmdistill inspect``: its figures against loops and RecBole's own split, its page in a browser."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.profile_texts import read_profile_texts
from recbole_llmdistill.formats.vectors import read_profile_file, write_binary
from recbole_llmdistill.inspection.examples import find_examples
from recbole_llmdistill.inspection.fields import favourite_genre, read_fields
from recbole_llmdistill.inspection.held_out_taste import measure_held_out_taste
from recbole_llmdistill.inspection.neighbours import nearest, unit_rows
from recbole_llmdistill.inspection.text_statistics import measure_texts
from recbole_llmdistill.inspection.vector_statistics import measure_vectors


def random_matrix(rows: int, columns: int, density: float, seed: int) -> sp.csr_matrix:
    dense = np.random.default_rng(seed).random((rows, columns)) < density
    return sp.csr_matrix(dense.astype(np.float32))


def knn_recall(similarity: np.ndarray, training: np.ndarray, held_out: np.ndarray, size: int, top: int) -> float:
    """recall@top of a user-kNN, in loops."""
    recalls = []
    for user in range(len(training)):
        if not held_out[user].any():
            continue
        others = sorted((v for v in range(len(training)) if v != user), key=lambda v: -similarity[user, v])[:size]
        scores = sum(max(similarity[user, v], 0) * training[v] for v in others)
        ranking = sorted((i for i in range(training.shape[1]) if not training[user, i]), key=lambda i: -scores[i])
        hits = sum(held_out[user, item] for item in ranking[:top] if scores[item] > 0)
        recalls.append(hits / held_out[user].sum())
    return float(np.mean(recalls))


def test_held_out_taste_against_a_loop(monkeypatch) -> None:
    monkeypatch.setattr("recbole_llmdistill.inspection.held_out_taste._PIECE_BYTES", 2000)  # several pieces
    monkeypatch.setattr("recbole_llmdistill.inspection.neighbours._PIECE_BYTES", 1000)
    vectors = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32) + 3
    training = random_matrix(30, 25, 0.3, 1)
    training.data[:] = np.random.default_rng(3).uniform(0.5, 1.5, size=training.nnz)  # so that there are no ties
    held_out = random_matrix(30, 25, 0.08, 2)
    held_out = sp.csr_matrix(np.where(training.toarray() > 0, 0, held_out.toarray()))
    taste = measure_held_out_taste(vectors, training, held_out, neighbours=7, top=5)
    centred = vectors - vectors.mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    dense, held = training.toarray(), held_out.toarray()
    assert taste.users == int((held.sum(axis=1) > 0).sum()) < 30
    assert taste.profiles.mean == pytest.approx(knn_recall(units @ units.T, dense, held, 7, 5))
    rows = dense / np.linalg.norm(dense, axis=1, keepdims=True)
    assert taste.interactions.mean == pytest.approx(knn_recall(rows @ rows.T, dense, held, 7, 5))
    popularity = []
    for user in np.flatnonzero(held.sum(axis=1)):
        ranking = sorted(np.flatnonzero(dense[user] == 0), key=lambda item: -dense[:, item].sum())
        popularity.append(held[user, ranking[:5]].sum() / held[user].sum())
    assert taste.popularity.mean == pytest.approx(np.mean(popularity))


def test_vectors_that_know_taste_win_and_noise_does_not() -> None:
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 100)
    likes = generator.random((400, 80)) < np.where(group[:, None] == np.arange(80) // 20, 0.3, 0.02)
    held_item = np.array([generator.choice(np.flatnonzero(row)) if row.any() else -1 for row in likes])
    held_out = np.zeros_like(likes)
    held_out[np.flatnonzero(held_item >= 0), held_item[held_item >= 0]] = True
    training, held = sp.csr_matrix((likes & ~held_out).astype(np.float32)), sp.csr_matrix(held_out.astype(np.float32))
    knowing = np.eye(4, dtype=np.float32)[group] + 0.1 * generator.normal(size=(400, 4)).astype(np.float32)
    taste = measure_held_out_taste(knowing, training, held)
    assert taste.gain.mean - taste.gain.half_width > 0.1
    assert taste.share > 0.8
    noise = measure_held_out_taste(generator.normal(size=(400, 16)).astype(np.float32), training, held)
    assert abs(noise.gain.mean) < 2 * noise.gain.half_width


def test_nobody_to_ask() -> None:
    with pytest.raises(InputError, match="too few to judge the vectors by"):
        measure_held_out_taste(np.ones((5, 2), np.float32), random_matrix(5, 4, 0.5, 0), sp.csr_matrix((5, 4)))


def test_nearest_against_a_full_sort() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    units = unit_rows(vectors)
    found, cosines = nearest(units, np.array([3, 40]), 5)
    similarity = units @ units.T
    np.fill_diagonal(similarity, -2)
    expected = np.argsort(-similarity, axis=1)[[3, 40], :5]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(cosines, np.take_along_axis(similarity[[3, 40]], expected, axis=1), rtol=1e-5)


def test_anisotropy_is_the_mean_over_all_pairs() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32) + 1
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [units[i] @ units[j] for i in range(40) for j in range(40) if i != j]
    found = measure_vectors(vectors)
    assert found.mean_cosine == pytest.approx(np.mean(pairs), abs=1e-5)
    spread = np.zeros((100, 6), dtype=np.float32)
    spread[:, :3] = np.random.default_rng(0).normal(size=(100, 3))
    assert measure_vectors(spread).effective_dimensions == pytest.approx(3, abs=0.3)


def test_duplicates_and_near_duplicates(write_profiles) -> None:
    text = "Loves slow French dramas of the sixties and hates loud action films with many explosions in them"
    folder = write_profiles(
        {"1": text, "2": text, "3": text + " today", "4": "Quiet horror, mostly Japanese, few others"}
    )
    found = measure_texts(read_profile_texts(folder / "profiles.jsonl"))
    assert (found.users, found.duplicates, found.near_duplicates) == (4, 2, 3)
    assert found.words.tolist() == [17, 17, 18, 6]


@pytest.fixture
def ml100k():
    from recbole.config import Config

    return Config(model="SASRecDistill", dataset="ml-100k")


def test_colours_are_read_from_the_user_file(ml100k) -> None:
    fields = {field.name: field for field in read_fields(ml100k, np.array(["1", "5", "nobody"] + ["2"] * 20))}
    path = Path(ml100k["data_path"]) / "ml-100k.user"
    rows = {line.split("\t")[0]: line.split("\t") for line in path.read_text().splitlines()}
    assert fields["gender"].values[:3].tolist() == [rows["1"][2], rows["5"][2], "unknown"]
    everybody = {field.name: field for field in read_fields(ml100k, np.array(list(rows)[1:]))}
    assert everybody["age"].numeric
    assert everybody["age"].values.tolist() == [float(row[1]) for row in list(rows.values())[1:]]
    assert set(everybody) == {"age", "gender", "occupation"}  # a zip code of one's own tells nothing
    assert len(set(everybody["occupation"].values)) == 10  # nine, and other, which is one of the ten in the file


def test_the_favourite_genre_stands_out(ml100k) -> None:
    path = Path(ml100k["data_path"]) / "ml-100k.item"
    genres = {
        line.split("\t")[0]: line.rstrip("\n").split("\t")[-1].split() for line in path.read_text().splitlines()[1:]
    }
    items = np.array(list(genres))
    horror = np.array(["Horror" in genres[item] for item in items])
    training = random_matrix(5, len(items), 0.05, 0).toarray()
    training[0] = 0
    training[0, np.flatnonzero(horror)[:10]] = 1
    training[4] = 0
    found = favourite_genre(ml100k, sp.csr_matrix(training), items)
    assert found.name == "favourite class"
    assert (found.values[0], found.values[4]) == ("Horror", "unknown")
    with pytest.raises(InputError, match=r"--genre-field=mood: the \.item file has no such field"):
        favourite_genre(ml100k, sp.csr_matrix(training), items, "mood")


def test_examples_mark_words_that_only_both_have() -> None:
    texts = ["he likes Bergman a lot", "she likes bergman, too"] + [f"they like film{n}" for n in range(20)]
    vectors = np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)
    vectors[0] = vectors[1] = 9
    found = find_examples(np.arange(22).astype(str), vectors, random_matrix(22, 5, 0.5, 0), texts, seed=0)
    assert len(found) == 6
    for example in found:
        assert ["".join(piece for piece, _ in pieces) for pieces in example.texts] == [
            texts[int(user)] for user in example.users
        ]
        marked = {piece.lower() for pieces in example.texts for piece, telling in pieces if telling}
        assert marked == ({"bergman", "likes"} if set(example.users) == {"0", "1"} else set())
    shared = random_matrix(22, 5, 0.5, 0).toarray()
    a, b = map(int, found[0].users)
    assert found[0].shared_items == int((shared[a] * shared[b]).sum())


class PageText(HTMLParser):
    """Text of a page outside scripts and styles, and the tags in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.inside = "", [], ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes) -> None:
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def inspected(tmp_path_factory) -> Path:
    """Folder with the page and the summary of the shipped vectors."""
    folder = tmp_path_factory.mktemp("inspected")
    command = [
        *(sys.executable, "-c", "import sys; from recbole_llmdistill.cli.llmdistill import main; sys.exit(main())"),
        *("inspect", "--dataset", "ml-100k", "--out", "page.html"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    (folder / "summary.txt").write_text(done.stdout)
    return folder


def test_the_summary_of_ml_100k(inspected: Path) -> None:
    summary = (inspected / "summary.txt").read_text()
    recall = {name: float(value) for name, value in re.findall(r"^  (\w+) +(0\.\d+) ±", summary, re.MULTILINE)}
    assert recall["profiles"] == pytest.approx(0.2, abs=0.01)
    assert recall["random"] < 0.14
    assert recall["interactions"] == pytest.approx(0.224, abs=0.005)
    assert "943 of 943 training users (100.0%) have a vector" in summary
    assert "The profiles were written from this very training split." in summary
    assert "words per user: 113 to 152, median 128" in summary
    assert "WARNING" not in summary


def test_the_page_is_one_file_with_all_its_parts(inspected: Path) -> None:
    page = PageText((inspected / "page.html").read_text())
    for heading in ("Findings", "Do neighbours share held-out taste?", "Map of users", "Lengths of the texts"):
        assert heading in page.text
    assert sum(attributes.get("class") == "pair" for _, attributes in page.tags) == 6
    assert not [attributes for _, attributes in page.tags if "src" in attributes or "href" in attributes]


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [500, 1400])
def test_the_page_draws_itself_in_a_browser(inspected: Path, tmp_path: Path, width: int) -> None:
    page = (inspected / "page.html").read_text()
    measure = (
        "<script>document.title = JSON.stringify({wide: document.documentElement.scrollWidth, window: innerWidth, "
        "choices: [...choice.options].map(o => o.text), points: map.data.reduce((n, t) => n + t.x.length, 0), "
        "drawn: [...document.querySelectorAll('.chart')].filter(c => c.querySelector('.main-svg')).length});</script>"
    )
    (tmp_path / "page.html").write_text(page.replace("</body>", measure + "</body>"))
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command = [CHROMIUM, *quiet, f"--window-size={width},900", "--dump-dom", f"file://{tmp_path / 'page.html'}"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = json.loads(re.search("<title>(.*?)</title>", dom).group(1))
    assert found["drawn"] == 4
    assert found["points"] == 943
    assert found["choices"] == ["favourite class", "age", "gender", "occupation"]
    assert found["wide"] <= found["window"]


def test_texts_cannot_smuggle_markup_into_the_page(llmdistill, tmp_path: Path, write_profiles, shipped_texts) -> None:
    evil = "</script><script>document.title='hacked'</script><img src=x onerror=alert(1)>"
    folder = write_profiles({user: f"{text} {evil}" for user, text in list(shipped_texts.items())[:60]}, manifest=False)
    llmdistill("encode", "--dataset", "ml-100k", "--profiles", folder, "--out", folder, "--dimensions", 8)
    status, out, _ = llmdistill("inspect", "--dataset", "ml-100k", "--vectors", folder, "--out", "page.html")
    assert status == 0
    page = Path("page.html").read_text()
    assert evil not in page
    parsed = PageText(page)
    assert "img" not in [tag for tag, _ in parsed.tags]
    assert "document.title='hacked'" in parsed.text  # it is shown, as text
    assert "WARNING No manifest says which interactions" in out
    assert "WARNING 60 of 943 training users (6.4%) have a vector" in out


def test_vectors_without_texts_and_of_another_split(llmdistill, tmp_path: Path, monkeypatch) -> None:
    table = read_profile_file(properties("profiles", "ml-100k", "ml-100k.useremb.npz"))
    monkeypatch.setattr("recbole_llmdistill.api.inspect._texts", lambda *arguments: None)
    (tmp_path / "v").mkdir()
    write_binary(tmp_path / "v" / "ml-100k.useremb.npz", table.tokens[:100], table.vectors[:100] + 1)
    (tmp_path / "v" / "manifest.json").write_text('{"training_fingerprint": "sha256:other"}')
    status, out, _ = llmdistill("inspect", "--dataset", "ml-100k", "--vectors", tmp_path / "v", "--out", "p.html")
    assert status == 0
    assert "WARNING The profiles were written from another training split" in out
    assert "WARNING Mean cosine between users is 1.00" in out
    assert "Nearest neighbours, side by side" not in Path("p.html").read_text()


def test_vectors_of_strangers(llmdistill, tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    write_binary(tmp_path / "v" / "ml-100k.useremb.npz", ["x", "y"], np.ones((2, 3), np.float32))
    status, _, err = llmdistill("inspect", "--dataset", "ml-100k", "--vectors", tmp_path / "v")
    assert status == 2
    assert "none of its 2 users has training interactions" in err
    assert err.count("\n") == 1


def test_from_python(tmp_path: Path, monkeypatch, capsys) -> None:
    from recbole_llmdistill import inspect

    monkeypatch.setattr(sys, "argv", ["notebook", "--MAX_ITEM_LIST_LENGTH=3", "-f", "kernel.json"])
    result = inspect(dataset="ml-100k", vectors=properties("profiles", "ml-100k"), out=tmp_path / "page.html")
    assert result.files == [tmp_path / "page.html"]
    assert "Map of users" in result.files[0].read_text()
    assert result.inspection.covered == result.inspection.training_users == 943
    assert "943 of 943 training users" in result.summary
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match="--dataset: field required"):
        inspect(out=None)


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Folder with a data set ``films`` whose users stay with one kind of film, which the titles name."""
    folder = tmp_path_factory.mktemp("films")
    data = folder / "dataset" / "films"
    data.mkdir(parents=True)
    draw = np.random.default_rng(0)
    kinds = ["space", "western", "musical", "noir"]
    rows = ["item_id:token\ttitle:token_seq\tgenre:token"]
    rows += [f"f{n}\tThe {kinds[n % 4]} {'story' if n % 3 else 'tale'}\t{kinds[n % 4]}" for n in range(120)]
    (data / "films.item").write_text("\n".join([*rows, "cold\tThe noir story\tnoir"]) + "\n")
    rows = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user in range(200):
        films = draw.choice(np.arange(user % 4, 120, 4), 10, replace=False)
        rows += [f"u{user}\tf{film}\t{step}" for step, film in enumerate(films)]
    (data / "films.inter").write_text("\n".join(rows) + "\n")
    return folder


def test_items_are_judged_by_the_audience_that_neighbours_share(films: Path, monkeypatch, llmdistill) -> None:
    monkeypatch.chdir(films)
    encoded = ("encode", "--of=items", "--dataset=films", "--dimensions=4", "--out=v")
    assert llmdistill(*encoded)[0] == 0
    status, out, err = llmdistill("inspect", "--of=items", "--dataset=films", "--vectors=v", "--out=p.html")
    assert status == 0, err
    recall = {name: float(value) for name, value in re.findall(r"^  ([\w-]+) +(0\.\d+) ±", out, re.MULTILINE)}
    assert set(recall) == {"random", "popularity", "texts", "co-occurrence"}
    assert recall["texts"] > 2 * recall["random"]
    assert "share held-out audience" in out
    assert "vectors are of items without training interactions" in out
    assert "training split" not in out  # texts of items have seen none
    page = PageText(Path("p.html").read_text())
    assert "Map of items" in page.text
    assert "title: The noir story" in page.text  # the fields, of which these vectors are made


def test_the_items_side_against_a_loop(films: Path, monkeypatch) -> None:
    """For each item the users who take it in validation, among those whom the audiences of its neighbours name."""
    from recbole.config import Config
    from recbole.data import create_dataset

    from recbole_llmdistill.inspection.split import read_split

    monkeypatch.chdir(films)
    training_part, validation_part, _ = create_dataset(Config("SASRecDistill", "films")).build()
    split = read_split(training_part, validation_part).of_items()
    rows = [line.split("\t") for line in (films / "dataset/films/films.inter").read_text().splitlines()[1:]]
    training = {item: set() for _, item, _ in rows}
    validation = {item: set() for _, item, _ in rows}
    for user, item, step in rows:  # leave-one-out: the last but one is of validation, the last of the test
        if int(step) < 8:
            training[item].add(user)
        elif int(step) == 8:
            validation[item].add(user)
    items = split.tokens.tolist()
    assert set(items) == {item for item, users in training.items() if users}
    users = split.others.tolist()
    for row, item in enumerate(items):
        for matrix, expected in ((split.training, training), (split.validation, validation)):
            assert {users[column] for column in matrix[[row]].indices} == expected[item]
    vectors = np.random.default_rng(1).normal(size=(len(items), 5)).astype(np.float32)
    taste = measure_held_out_taste(vectors, split.training, split.validation, neighbours=9, top=20)
    assert 0 < taste.users == sum(bool(validation[item]) for item in items)
    centred = vectors - vectors.mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = knn_recall(units @ units.T, split.training.toarray(), split.validation.toarray(), 9, 20)
    assert taste.profiles.mean == pytest.approx(expected, abs=0.02)  # users of one score are cut as they come


def test_genres_of_items(ml100k) -> None:
    from recbole_llmdistill.inspection.fields import genre

    path = Path(ml100k["data_path"]) / "ml-100k.item"
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    found = genre(ml100k, np.array([row[0] for row in rows]))
    first = np.array([row[-1].split()[0] for row in rows])
    assert found.name == "first class"
    shown = found.values != "other"
    assert (found.values[shown] == first[shown]).all()
    assert len(set(found.values)) <= 11
