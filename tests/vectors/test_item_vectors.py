"""``encode``, ``import`` and ``reduce --of items``: vectors of items, by the names that RecBole and training know."""

import json
from pathlib import Path

import numpy as np
import pytest
from recbole.config import Config
from recbole.data import create_dataset
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recbole_llmdistill import encode, reduce
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.entity import ITEMS
from recbole_llmdistill.formats.vectors import read_profile_file

N_ITEMS = 12


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Folder of a data set ``films``: item ``f11`` has no interaction, ``f12`` has no field."""
    folder = tmp_path / "dataset" / "films"
    folder.mkdir(parents=True)
    rows = [f"u{u}\tf{(u * 5 + step) % (N_ITEMS - 1)}\t{step}" for u in range(8) for step in range(6)]
    (folder / "films.inter").write_text("\n".join(["user_id:token\titem_id:token\ttimestamp:float", *rows]) + "\n")
    words = ["dark drama", "light comedy", "space opera", "war drama"]
    rows = [f"f{n}\tFilm {n}\t{1950 + n % 4 * 10}\t{words[n % 4]}" for n in range(N_ITEMS)]
    header = "item_id:token\ttitle:token_seq\tyear:token\tgenres:token_seq"
    (folder / "films.item").write_text("\n".join([header, *rows, f"f{N_ITEMS}\t\t\t"]) + "\n")
    return folder


def write_texts(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "items.jsonl"
    path.write_text("".join(json.dumps({"item_id": item, "text": text}) + "\n" for item, text in texts.items()))
    return path


def by_scikit_learn(texts: list[str], dimensions: int) -> np.ndarray:
    counts = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)
    return TruncatedSVD(dimensions, algorithm="arpack", random_state=0).fit_transform(counts)


def test_fields_as_they_are_where_there_are_no_texts(llmdistill, films: Path, tmp_path: Path) -> None:
    arguments = ("encode", "--of", "items", "--dataset", "films", "--encoder=tfidf", "--dimensions", 3)
    status, out, err = llmdistill(*arguments, "--out", tmp_path / "v")
    assert status == 0, err
    assert "no texts of items are given; the fields of" in out
    assert "films.item: 1 items have no field that says anything and are left out" in out
    assert f"{N_ITEMS} items, a vector of 3 values each" in out
    table = read_profile_file(tmp_path / "v" / "films.itememb.npz", ITEMS)
    rows = [row.split("\t") for row in (films / "films.item").read_text().splitlines()[1 : N_ITEMS + 1]]
    texts = [f"title: {title}\nyear: {year}\ngenres: {genres}" for _, title, year, genres in rows]
    assert table.tokens.tolist() == [row[0] for row in rows]
    np.testing.assert_allclose(table.vectors[:, 0], by_scikit_learn(texts, 3), atol=1e-5)
    with np.load(tmp_path / "v" / "films.itememb.npz") as archive:
        assert archive["item_emb"].dtype == np.float32
        assert archive["item_id"].tolist() == table.tokens.tolist()
    manifest = json.loads((tmp_path / "v" / "items.manifest.json").read_text())
    assert (manifest["of"], manifest["items"], manifest["encoder"]["views"]) == ("items", N_ITEMS, ["fields"])
    assert not (tmp_path / "v" / "manifest.json").exists()
    llmdistill(*arguments, "--out", tmp_path / "again")
    names = ("films.itememb.npz", "films.itememb", "items.manifest.json")
    assert all((tmp_path / "v" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_recbole_itself_reads_the_text_file_by_token(films: Path) -> None:
    vectors = encode(of="items", dataset="films", out=films, dimensions=3, show_progress=False).files[0]
    table = read_profile_file(vectors, ITEMS)
    assert (films / "films.itememb").read_text().startswith("iid:token\titem_emb:float_seq\n")
    config = Config(
        "SASRec",
        "films",
        config_dict={
            "load_col": {"inter": "*", "itememb": "*"},
            "additional_feat_suffix": ["itememb"],
            "alias_of_item_id": ["iid"],
            "preload_weight": {"iid": "item_emb"},
            "train_neg_sample_args": None,
        },
    )
    dataset = create_dataset(config)
    weights = dataset.get_preload_weight("iid")
    ids = dataset.token2id("item_id", table.tokens)
    np.testing.assert_allclose(weights[ids], table.vectors[:, 0])


def test_texts_of_ones_own_alone_and_with_the_fields(llmdistill, films: Path, tmp_path: Path) -> None:
    texts = {f"f{n}": f"a {'slow' if n % 2 else 'fast'} film by director {n % 3}" for n in range(10)}
    texts["f99"] = "a film"
    file = write_texts(tmp_path / "texts", texts)
    common = ("encode", "--of", "items", "--dataset", "films", "--texts", file, "--dimensions", 2, "--no-text")
    status, _, err = llmdistill(*common, "--out", tmp_path / "alone")
    assert status == 0, err
    assert "1 of 11 items (the first is 'f99') are not in" in err
    table = read_profile_file(tmp_path / "alone" / "films.itememb.npz", ITEMS)
    assert table.tokens.tolist() == list(texts)
    distinct = list(dict.fromkeys(texts.values()))
    expected = by_scikit_learn(distinct, 2)[[distinct.index(text) for text in texts.values()]]
    np.testing.assert_allclose(table.vectors[:, 0], expected, atol=1e-5)
    assert llmdistill(*common, "--fields=too", "--out", tmp_path / "both")[0] == 0
    table = read_profile_file(tmp_path / "both" / "films.itememb.npz", ITEMS)
    rows = [row.split("\t") for row in (films / "films.item").read_text().splitlines()[1 : N_ITEMS + 1]]
    fields = {row[0]: f"title: {row[1]}\nyear: {row[2]}\ngenres: {row[3]}" for row in rows}
    joined = {item: "\n".join(filter(None, [texts.get(item), fields.get(item)])) for item in [*texts, "f10", "f11"]}
    assert table.tokens.tolist() == list(joined)
    np.testing.assert_allclose(table.vectors[:, 0], by_scikit_learn(list(joined.values()), 2), atol=1e-5)


def test_the_shipped_descriptions_are_found(tmp_path: Path) -> None:
    result = encode(of="items", dataset="ml-100k", out=tmp_path / "v", text=False, show_progress=False)
    assert result.source == properties("profiles", "ml-100k", "items.jsonl")
    assert result.shape == (1682, 1, 64)
    manifest = json.loads((tmp_path / "v" / "items.manifest.json").read_text())
    assert manifest["encoder"]["views"] == ["text"]
    shipped = json.loads(properties("profiles", "ml-100k", "items.manifest.json").read_text())
    assert manifest["item_fingerprint"] == shipped["item_fingerprint"]


def test_import_and_reduce(llmdistill, films: Path, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, 6)).astype(np.float32)
    items = [f"f{n}" for n in range(N_ITEMS)]
    files = {
        "v.json": json.dumps(dict(zip(items, vectors.tolist(), strict=True))),
        "v.csv": "index,item_id,a,b,c,d,e,f\n"
        + "".join(f"{n},f{n},{','.join(map(str, row))}\n" for n, row in enumerate(vectors)),
        "v.itememb": "iid:token\titem_emb:float_seq\n"
        + "".join(f"{item}\t{' '.join(map(str, row))}\n" for item, row in zip(items, vectors, strict=True)),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        out = tmp_path / name[2:]
        status, _, err = llmdistill("import", name, "--of", "items", "--dataset", "films", "--out", out)
        assert status == 0, err
        table = read_profile_file(out / "films.itememb.npz", ITEMS)
        assert table.tokens.tolist() == items
        np.testing.assert_allclose(table.vectors[:, 0], vectors)
        assert json.loads((out / "items.manifest.json").read_text())["imported"] == {"file": name}
    result = reduce(
        of="items", dataset="films", vectors=tmp_path / "csv", out=tmp_path / "short", dimensions=2, show_progress=False
    )
    assert [file.name for file in result.files] == ["films.itememb.npz", "films.itememb"]
    reduced = read_profile_file(result.files[0], ITEMS).vectors[:, 0].astype(np.float64)
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    left, spread, _ = np.linalg.svd(centred, full_matrices=False)
    gram = (left[:, :2] * spread[:2]) @ (left[:, :2] * spread[:2]).T  # the same whatever sign the components have
    np.testing.assert_allclose(reduced @ reduced.T, gram * 2 * N_ITEMS / np.trace(gram), atol=1e-4)
    assert json.loads((tmp_path / "short" / "items.manifest.json").read_text())["reducer"]["method"] == "pca"


def test_an_array_of_another_name(llmdistill, films: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", films=["f1", "f2", "f3"], values=np.eye(3, dtype=np.float32))
    arguments = ("import", "v.npz", "--of=items", "-d", "films", "--out", tmp_path / "v")
    status, _, err = llmdistill(*arguments)
    assert status == 2
    assert "it needs item_id [items] and item_emb [items, D] or [items, K, D]" in err
    assert llmdistill(*arguments, "--item-column=films", "--vector-column=values")[0] == 0
    assert read_profile_file(tmp_path / "v" / "films.itememb.npz", ITEMS).tokens.tolist() == ["f1", "f2", "f3"]


def test_users_and_items_share_a_folder(llmdistill, films: Path, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({f"u{n}": [n / 7, 1.5, n * n / 3] for n in range(4)}))
    (tmp_path / "manifest.json").write_text('{"dataset": "films", "training_fingerprint": "sha256:ab"}')
    assert llmdistill("import", "v.json", "-d", "films", "--out", tmp_path / "both")[0] == 0
    of_users = (tmp_path / "both" / "manifest.json").read_bytes()
    encode(of="items", dataset="films", out=tmp_path / "both", dimensions=2, show_progress=False)
    assert (tmp_path / "both" / "manifest.json").read_bytes() == of_users
    assert {path.name for path in (tmp_path / "both").iterdir()} == {
        *("films.useremb", "films.useremb.npz", "manifest.json"),
        *("films.itememb", "films.itememb.npz", "items.manifest.json"),
    }
    for name in ("films.useremb", "films.useremb.npz"):
        with pytest.raises(InputError, match="vectors of users, not of items"):
            read_profile_file(tmp_path / "both" / name, ITEMS)
    with pytest.raises(InputError, match="vectors of items, not of users"):
        read_profile_file(tmp_path / "both" / "films.itememb")


@pytest.mark.parametrize(
    ("texts", "keywords", "message"),
    [
        ({"x1": "a", "x2": "b"}, {}, "none of its 2 items (the first is 'x1') is in"),
        ({"f1": "a"}, {"fields": "only"}, "--fields=only takes the place of texts"),
        ({"f1": "a"}, {"of": "users"}, 'expected {"user_id": "...", "profile": "..."}'),
        ({"f1": "a"}, {"of": "users", "fields": "too"}, "--fields=too means nothing to --of=users"),
    ],
)
def test_bad_input_is_one_line(films: Path, tmp_path: Path, texts: dict, keywords: dict, message: str) -> None:
    file = write_texts(tmp_path / "texts", texts)
    with pytest.raises(InputError) as caught:
        encode(**{"of": "items", "dataset": "films", "out": tmp_path / "v", "texts": file, **keywords})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"item_id": "f1", "text": "again"}', "line 2: item 'f1' has a text already; keep one line per item"),
        ('{"user_id": "f1", "profile": "x"}', 'line 2: expected {"item_id": "...", "text": "..."} or'),
    ],
)
def test_texts_that_cannot_be_read(films: Path, tmp_path: Path, line: str, message: str) -> None:
    file = write_texts(tmp_path / "texts", {"f1": "a"})
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(InputError) as caught:
        encode(of="items", dataset="films", texts=file, out=tmp_path / "v")
    assert message in str(caught.value)


def test_several_texts_an_item(films: Path, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    texts = [{"a": f"kind {n % 3} tag"} | ({"b": "sad song tag"} if n % 2 else {}) for n in range(9)]
    lines = [json.dumps({"item_id": f"f{n}", "texts": both}) + "\n" for n, both in enumerate(texts)]
    file.write_text("".join(lines))
    result = encode(
        of="items", dataset="films", texts=file, out=tmp_path / "v", dimensions=2, min_texts=1, show_progress=False
    )
    assert result.shape == (9, 2, 2)
    table = read_profile_file(result.files[0], ITEMS)
    assert table.present[:, 1].tolist() == [bool(n % 2) for n in range(9)]
    text = read_profile_file(result.files[1], ITEMS)
    np.testing.assert_array_equal(text.vectors, table.vectors)
    assert result.files[1].read_text().startswith("iid:token\titem_emb_1:float_seq\titem_emb_2:float_seq\n")
