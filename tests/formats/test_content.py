"""Vectors that tell no user from another: said in one line wherever they are made or used."""

import json
from pathlib import Path

import numpy as np
import pytest

from recbole_llmdistill.data.user_vectors import load_user_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import examine, read_profile_file, write_binary
from recbole_llmdistill.inspection.layout import lay_out
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS
from recbole_llmdistill.vectors.reducing import reduce_vectors

NOISE = np.random.default_rng(0).normal(size=(40, 1, 12)).astype(np.float32)
HERE = np.ones((40, 1), dtype=bool)


def problem(vectors: np.ndarray, present: np.ndarray | None = None) -> str:
    return examine(vectors, np.ones(vectors.shape[:2], dtype=bool) if present is None else present).problem or ""


def test_what_vectors_tell() -> None:
    assert problem(NOISE) == ""
    assert problem(NOISE * 1e-9 + 1e-7) == ""
    assert "all 40 users are equal, so" in problem(np.full_like(NOISE, 0.1))
    assert "all 40 users are equal (all zeros)" in problem(np.zeros_like(NOISE))
    assert "all 40 users are equal, so" in problem(1 + 1e-7 * NOISE)  # rounding
    assert "only one user" in problem(NOISE[:1])
    assert "greatest value in the vectors is 1e+20" in problem(NOISE / np.abs(NOISE).max() * np.float32(1e20))
    assert "greatest value in the vectors is 1e-20" in problem(NOISE / np.abs(NOISE).max() * np.float32(1e-20))
    most = np.where(np.arange(40)[:, None, None] % 4 == 0, NOISE, np.float32(1))
    assert problem(most) == "30 of 40 users have one and the same vector"
    assert problem(most * (np.arange(40)[:, None, None] % 4 == 0)).endswith("same vector (all zeros)")
    views = np.concatenate([NOISE, np.ones_like(NOISE)], axis=1)
    assert "profile number 2 of each user is the same for all 40 users" in problem(views)
    assert "are equal" in problem(np.concatenate([0 * NOISE, 0 * NOISE + 1], axis=1))
    lacking = np.array([[True, False]] * 40)
    assert problem(np.concatenate([NOISE, 0 * NOISE], axis=1), lacking) == ""


def vectors_of_tiny(folder: Path, vectors: np.ndarray) -> None:
    np.savez(folder / "tiny.useremb.npz", user_id=np.array([f"u{n}" for n in range(40)]), user_emb=vectors[:, 0])


def test_training_refuses_equal_vectors_and_warns_of_nearly_equal_ones(prepare, tiny, caplog) -> None:
    prepared = prepare()
    for vectors in (np.ones_like(NOISE), np.zeros_like(NOISE)):
        vectors_of_tiny(tiny, vectors)
        with pytest.raises(InputError, match=r"all 40 users are equal.*nothing to distil.*distill_alpha=0"):
            load_user_vectors(prepared.train_data._dataset, prepared.model.settings)
    vectors_of_tiny(tiny, np.where(np.arange(40)[:, None, None] < 10, NOISE, np.float32(1)))
    load_user_vectors(prepared.train_data._dataset, prepared.model.settings)
    assert "30 of 40 users have one and the same vector: there is little to distil" in caplog.text


def test_training_warns_of_users_that_are_written_otherwise(prepare, tiny, caplog) -> None:
    prepared = prepare()
    users = [f"u{n}" if n < 30 else f" u{n}" for n in range(40)]
    np.savez(tiny / "tiny.useremb.npz", user_id=np.array(users), user_emb=NOISE[:, 0])
    load_user_vectors(prepared.train_data._dataset, prepared.model.settings)
    assert "10 users are written otherwise than in the data set (the first is ' u30', there 'u30')" in caplog.text


@pytest.mark.parametrize("method", ["pca", "random-projection", "none"])
def test_equal_vectors_are_not_reduced(tmp_path: Path, method: str) -> None:
    write_binary(tmp_path / "v.npz", [str(n) for n in range(40)], np.full((40, 12), 0.1, np.float32))
    options = REDUCERS.choose(method, {} if method == "none" else {"dimensions": 4})
    with pytest.raises(InputError, match="all 40 users are equal"):
        reduce_vectors(read_profile_file(tmp_path / "v.npz"), options, "d", tmp_path / "out")


@pytest.mark.parametrize("value", [0, 0.1, 1])
@pytest.mark.parametrize("users", [1, 4, 5, 50])
def test_equal_vectors_share_a_point_of_the_map(users: int, value: float) -> None:
    positions = lay_out(np.full((users, 8), value, np.float32))  # scikit-learn's t-SNE ends the process here
    assert positions.shape == (users, 2)
    assert np.ptp(positions, axis=0).max() == 0


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e15])
def test_vectors_of_any_size_are_spread_over_the_map(scale: float) -> None:
    found = lay_out(NOISE[:, 0] * np.float32(scale))
    assert np.isfinite(found).all()
    assert len(np.unique(found.round(2), axis=0)) == 40


def test_inspect_says_that_vectors_are_equal(llmdistill, tiny, tmp_path: Path) -> None:
    vectors_of_tiny(tiny, np.ones_like(NOISE))
    status, out, _ = llmdistill(
        *("inspect", "--dataset", "tiny", "--data_path=dataset", "--vectors", tiny),
        '--load_col={"inter": ["user_id", "item_id", "timestamp"]}',
    )
    assert status == 0
    assert "WARNING Careful: the vectors of all 40 users are equal" in out


def test_encode_says_what_to_give_where_no_profiles_ship(llmdistill, tiny, tmp_path: Path) -> None:
    status, _, err = llmdistill("encode", "--dataset", "tiny", "--data_path=dataset", "--out", tmp_path / "v")
    assert status == 2
    assert err.startswith("error: no profiles of the data set 'tiny' ship with this package; give yours by --texts=")
    assert err.count("\n") == 1


def test_encode_warns_of_equal_vectors(llmdistill, tmp_path: Path, write_profiles, embeddings_server) -> None:
    embeddings_server.vector = lambda text: [1.0, 2.0, 3.0]
    folder = write_profiles({str(n): f"text {n}" for n in range(1, 6)})
    status, _, err = llmdistill(
        *("encode", "--dataset", "ml-100k", "--profiles", folder, "--out", tmp_path / "v", "--encoder", "openai:m"),
        *("--base-url", embeddings_server.url),
    )
    assert status == 0
    assert "the vectors of all 5 users are equal, so they tell no user from another" in err


def test_halves_of_emoji_in_texts_are_replaced(write_profiles) -> None:
    from recbole_llmdistill.formats.profile_texts import read_profile_texts

    path = write_profiles([]) / "profiles.jsonl"
    path.write_text("\ufeff" + json.dumps({"user_id": "1", "profile": "likes \ud83d"}) + "\n", encoding="utf-8")
    assert read_profile_texts(path).texts == ["likes \ufffd"]


def test_a_damaged_batch_of_an_interrupted_run_is_encoded_again(tmp_path: Path) -> None:
    from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts
    from recbole_llmdistill.vectors.partial_embeddings import PartialEmbeddings

    partial = PartialEmbeddings(tmp_path / "p", 40, 10)
    for batch in range(4):
        partial.add(batch, EncodedTexts(NOISE[batch * 10 : batch * 10 + 10, 0]))
    assert PartialEmbeddings(tmp_path / "p", 40, 10).missing() == []
    content = bytearray((tmp_path / "p" / "vectors.f32").read_bytes())
    content[15 * 12 * 4] ^= 1
    (tmp_path / "p" / "vectors.f32").write_bytes(content)
    log = tmp_path / "p" / "batches.jsonl"
    log.write_text(log.read_text() + "not json\n" + "[" * 100_000 + "\n" + '{"batch": -1, "dimensions": 12}')
    again = PartialEmbeddings(tmp_path / "p", 40, 10)
    assert again.missing() == [1]
    assert len(log.read_text().splitlines()) == 3
    again.add(1, EncodedTexts(NOISE[10:20, 0]))
    np.testing.assert_array_equal(again.vectors(), NOISE[:, 0])
