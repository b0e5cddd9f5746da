"""``llmdistill encode`` with the encoder that needs no download."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.vectors import read_profile_file
from recbole_llmdistill.vectors.encoders.tfidf import TfidfEncoder, TfidfOptions


def test_the_command_writes_what_training_reads(llmdistill, tmp_path: Path, shipped_texts) -> None:
    status, out, _ = llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / "v", "--dimensions", 20)
    assert status == 0
    assert "943 users, 943 different texts" in out
    table = read_profile_file(tmp_path / "v" / "ml-100k.useremb.npz")
    text = read_profile_file(tmp_path / "v" / "ml-100k.useremb")
    assert table.tokens.tolist() == list(shipped_texts) == text.tokens.tolist()
    np.testing.assert_array_equal(table.vectors, text.vectors)
    # the same by scikit-learn alone
    counts = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(shipped_texts.values())
    expected = TruncatedSVD(20, algorithm="arpack", random_state=0).fit_transform(counts)
    np.testing.assert_allclose(table.vectors[:, 0], expected, atol=1e-5)
    shipped = json.loads(properties("profiles", "ml-100k", "manifest.json").read_text())
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text())
    assert manifest["training_fingerprint"] == shipped["training_fingerprint"]
    assert manifest["encoder"]["encoder"] == "tfidf"
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == [
        "manifest.json",
        "ml-100k.useremb",
        "ml-100k.useremb.npz",
    ]


def test_twice_the_same_bytes(llmdistill, tmp_path: Path) -> None:
    for name in "ab":
        llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / name, "--dimensions", 5, "--no-text")
    a, b = ((tmp_path / name / "ml-100k.useremb.npz").read_bytes() for name in "ab")
    assert a == b


def test_without_text_an_old_text_file_goes(llmdistill, tmp_path: Path) -> None:
    llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / "v", "--dimensions", 5)
    llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / "v", "--dimensions", 6, "--no-text")
    assert not (tmp_path / "v" / "ml-100k.useremb").exists()
    assert read_profile_file(tmp_path / "v" / "ml-100k.useremb.npz").vectors.shape == (943, 1, 6)


def test_a_sample_teaches_what_all_are_mapped_by(shipped_texts) -> None:
    texts = list(shipped_texts.values())
    encoder = TfidfEncoder(TfidfOptions(dimensions=8, fit_sample=300))
    encoder.fit(texts)
    sample = np.sort(np.random.default_rng(0).choice(943, 300, replace=False))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    svd = TruncatedSVD(8, algorithm="arpack", random_state=0).fit(vectorizer.fit_transform([texts[i] for i in sample]))
    np.testing.assert_allclose(encoder.encode(texts).vectors, svd.transform(vectorizer.transform(texts)), atol=1e-5)


def test_several_profiles_a_user(llmdistill, tmp_path: Path, write_profiles, shipped_texts) -> None:
    records = [
        {"user_id": user, "profiles": {"a": text[:300], "b": text[300:]} if number % 2 else {"b": text[300:]}}
        for number, (user, text) in enumerate(shipped_texts.items())
    ]
    folder = write_profiles(records)
    arguments = ("encode", "--dataset", "ml-100k", "--profiles", folder, "--out", tmp_path / "v", "--dimensions", 4)
    status, out, _ = llmdistill(*arguments)
    assert status == 0
    assert "2 vectors of 4 values each" in out
    table = read_profile_file(tmp_path / "v" / "ml-100k.useremb.npz")
    assert table.vectors.shape == (943, 2, 4)
    # views are numbered as they first appear: b, then a
    assert table.present[0].tolist() == [True, False]
    assert table.present[1].tolist() == [True, True]
    assert not table.vectors[0, 1].any()
    with_text = read_profile_file(tmp_path / "v" / "ml-100k.useremb")
    np.testing.assert_array_equal(table.present, with_text.present)


def test_more_dimensions_than_texts_and_no_common_word() -> None:
    with pytest.raises(InputError, match=r"9 dimensions are too many for 3 different texts .* at most 2"):
        TfidfEncoder(TfidfOptions(dimensions=9)).fit(["tea and cake", "tea and milk", "cake and milk"])
    with pytest.raises(InputError, match=r"no word of these 2 texts occurs in 2 of them"):
        TfidfEncoder(TfidfOptions(dimensions=1)).fit(["tea", "milk"])


def test_users_that_the_data_set_does_not_know(llmdistill, tmp_path: Path, write_profiles, shipped_texts) -> None:
    some = dict(list(shipped_texts.items())[:20])
    folder = write_profiles(some | {"nobody": "likes tea"})
    arguments = ("encode", "--dataset", "ml-100k", "--profiles", folder, "--dimensions", 2, "--out")
    status, _, err = llmdistill(*arguments, tmp_path / "v")
    assert status == 0
    assert "1 of 21 users (the first is 'nobody') are not in" in err
    folder = write_profiles({f"x{user}": text for user, text in some.items()})
    status, _, err = llmdistill(*arguments, tmp_path / "w")
    assert status == 2
    assert err.startswith("error: ")
    assert "none of its 20 users (the first is 'x1') is in" in err
    assert err.count("\n") == 1


def test_empty_texts_get_no_vector_and_are_told(llmdistill, tmp_path: Path, write_profiles, shipped_texts) -> None:
    folder = write_profiles(dict(list(shipped_texts.items())[:20]) | {"900": " "})
    status, _, err = llmdistill(
        "encode", "--dataset", "ml-100k", "--profiles", folder, "--dimensions", 2, "--out", tmp_path / "v"
    )
    assert status == 0
    assert "1 users have an empty text (the first is '900') and get no vector" in err
    assert "900" not in read_profile_file(tmp_path / "v" / "ml-100k.useremb.npz").tokens


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prefix", "query: "], "--prefix means nothing to --encoder=tfidf"),
        (["--dimensions", "0"], "--dimensions=0: input should be greater than or equal to 1"),
        (["--profiles", "nowhere"], "does not exist"),
        (["--ray", "local"], "--ray is for sentence encoders"),
        (["nonsense"], "argument 'nonsense' is not understood"),
        (["--encoder", "openai:"], "lacks the model's name"),
    ],
)
def test_wrong_arguments_are_one_line(llmdistill, arguments: list[str], message: str) -> None:
    status, _, err = llmdistill("encode", "--dataset", "ml-100k", "--out", "v", *arguments)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


def test_folders_with_something_else_are_refused(llmdistill, tmp_path: Path, write_profiles, shipped_texts) -> None:
    write_profiles({"1": "other profiles"}, folder="other")
    status, _, err = llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / "other")
    assert status == 2
    assert "holds other profiles" in err
    (tmp_path / "beauty").mkdir()
    (tmp_path / "beauty" / "manifest.json").write_text('{"dataset": "beauty"}')
    status, _, err = llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / "beauty")
    assert status == 2
    assert "vectors of the data set 'beauty'" in err
    (tmp_path / "file").write_text("")
    status, _, err = llmdistill("encode", "--dataset", "ml-100k", "--out", tmp_path / "file")
    assert status == 2
    assert "is a file" in err


def test_a_stale_manifest_does_not_stay(llmdistill, tmp_path: Path, write_profiles, shipped_texts) -> None:
    folder = write_profiles(dict(list(shipped_texts.items())[:20]), manifest=False)
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "manifest.json").write_text('{"dataset": "ml-100k", "training_fingerprint": "sha256:old"}')
    status, _, err = llmdistill(
        "encode", "--dataset", "ml-100k", "--profiles", folder, "--dimensions", 2, "--out", tmp_path / "v"
    )
    assert status == 0
    assert "training cannot check" in err
    assert not (tmp_path / "v" / "manifest.json").exists()
