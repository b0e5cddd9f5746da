"""``llmdistill reduce``: what it writes, and what it says it kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import ProfileTable, read_profile_file, write_binary
from recbole_llmdistill.vectors.quality import measure_quality
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS
from recbole_llmdistill.vectors.reducing import reduce_vectors

USERS = 60


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A folder with 60 vectors of 12 values that vary mostly in 3 directions, and a manifest."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(USERS, 3)) @ generator.normal(size=(3, 12)) + 0.1 * generator.normal(
        size=(USERS, 12)
    )
    folder = tmp_path / "full"
    folder.mkdir()
    write_binary(folder / "x.useremb.npz", [str(user) for user in range(USERS)], vectors + 5)
    manifest = {"dataset": "x", "training_fingerprint": "sha256:ab", "encoder": {"encoder": "tfidf"}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def reduced_by(full: Path, folder: Path, method: str, **options) -> np.ndarray:
    table = read_profile_file(full / "x.useremb.npz")
    summary = reduce_vectors(table, REDUCERS.choose(method, options), "x", folder, text=False)
    found = read_profile_file(summary.files[0])
    assert found.tokens.tolist() == table.tokens.tolist()
    return found.vectors[:, 0]


def principal_components(vectors: np.ndarray, size: int) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return u[:, :size] * s[:size]


def test_pca_is_pca(full: Path, tmp_path: Path) -> None:
    vectors = read_profile_file(full / "x.useremb.npz").vectors[:, 0].astype(np.float64)
    expected = principal_components(vectors, 3)
    found = reduced_by(full, tmp_path / "out", method="pca", dimensions=3, standardize=False)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


def test_standardised_by_default_with_one_scale(full: Path, tmp_path: Path) -> None:
    plain = reduced_by(full, tmp_path / "plain", method="random-projection", dimensions=4, standardize=False)
    found = reduced_by(full, tmp_path / "out", method="random-projection", dimensions=4)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    assert np.square(found).mean() == pytest.approx(1, abs=1e-4)
    centred = plain - plain.mean(axis=0)
    np.testing.assert_allclose(found, centred / np.sqrt(np.square(centred).mean()), atol=1e-4)


def test_whitening_gives_every_component_unit_variance(full: Path, tmp_path: Path) -> None:
    found = reduced_by(full, tmp_path / "out", method="pca-whiten", dimensions=5, standardize=False)
    np.testing.assert_allclose(np.cov(found.T), np.eye(5), atol=1e-3)


def test_none_keeps_all(full: Path, tmp_path: Path) -> None:
    vectors = read_profile_file(full / "x.useremb.npz").vectors[:, 0]
    np.testing.assert_array_equal(reduced_by(full, tmp_path / "out", method="none", standardize=False), vectors)


def test_learnt_from_a_sample_in_pieces(full: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("recbole_llmdistill.vectors.reducing.CHUNK_BYTES", 1)
    found = reduced_by(full, tmp_path / "out", method="pca", dimensions=3, fit_sample=30, standardize=False)
    vectors = read_profile_file(full / "x.useremb.npz").vectors[:, 0].astype(np.float64)
    sample = np.sort(np.random.default_rng(0).choice(USERS, 30, replace=False))
    mean = vectors[sample].mean(axis=0)
    _, _, axes = np.linalg.svd(vectors[sample] - mean, full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs((vectors - mean) @ axes[:3].T), atol=1e-4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "x.useremb.npz"]


def test_several_profiles_a_user_share_one_map(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(20, 2, 6)).astype(np.float32)
    present = np.ones((20, 2), dtype=bool)
    present[3, 1] = False
    vectors[3, 1] = 0
    table = ProfileTable(tmp_path / "in" / "x.npz", np.arange(20).astype(str), vectors, present)
    options = REDUCERS.choose("pca", {"dimensions": 2, "standardize": False})
    found = read_profile_file(reduce_vectors(table, options, "x", tmp_path / "out").files[0])
    expected = np.zeros((20, 2, 2))
    expected[present] = principal_components(vectors[present].astype(np.float64), 2)
    np.testing.assert_allclose(np.abs(found.vectors), np.abs(expected), atol=1e-4)
    np.testing.assert_array_equal(found.present, present)


@pytest.mark.slow  # its functions are compiled on first use
def test_umap_has_the_size_asked_for_and_repeats_itself(full: Path, tmp_path: Path) -> None:
    pytest.importorskip("umap")
    options = {"method": "umap", "dimensions": 7, "neighbours": 5, "seed": 3, "fit_sample": 50}
    first = reduced_by(full, tmp_path / "a", **options)
    assert first.shape == (USERS, 7)
    np.testing.assert_array_equal(first, reduced_by(full, tmp_path / "b", **options))


def test_quality_against_a_loop() -> None:
    generator = np.random.default_rng(0)
    full, reduced = generator.normal(size=(40, 8)), generator.normal(size=(40, 2))
    reduced[:, 0] = full[:, 0]
    quality = measure_quality(full, reduced)
    shared, penalty = 0, 0.0
    for i in range(40):
        others = [j for j in range(40) if j != i]
        cosine = [full[i] @ full[j] / np.linalg.norm(full[i]) / np.linalg.norm(full[j]) for j in others]
        by_cosine = [others[k] for k in np.argsort(-np.array(cosine))]
        by_distance = [others[k] for k in np.argsort([np.linalg.norm(reduced[i] - reduced[j]) for j in others])][:10]
        shared += len(set(by_cosine[:10]) & set(by_distance))
        penalty += sum(max(0, by_cosine.index(j) + 1 - 10) for j in by_distance)
    assert quality.overlap == pytest.approx(shared / 400)
    assert quality.trustworthiness == pytest.approx(1 - 2 * penalty / (40 * 10 * (2 * 40 - 3 * 10 - 1)))
    assert quality.chance_overlap == pytest.approx(10 / 39)
    assert measure_quality(full[:2], reduced[:2]) is None


def test_the_command_says_what_was_kept(llmdistill, full: Path, tmp_path: Path) -> None:
    status, out, _ = llmdistill(
        "reduce", "--dataset", "x", "--vectors", full, "--out", tmp_path / "out", "--dimensions", 3
    )
    assert status == 0
    vectors = read_profile_file(full / "x.useremb.npz").vectors[:, 0].astype(np.float64)
    variance = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False) ** 2
    assert f"explained variance: {variance[:3].sum() / variance.sum():.3f}" in out
    assert "kept: trustworthiness" in out
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["training_fingerprint"] == "sha256:ab"
    assert manifest["encoder"] == {"encoder": "tfidf"}
    assert manifest["reducer"]["method"] == "pca"
    assert read_profile_file(tmp_path / "out" / "x.useremb").vectors.shape == (USERS, 1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "umap", "dimensions": 59}, "UMAP of 60 vectors gives at most 58 dimensions; --dimensions=59"),
        ({"method": "umap", "dimensions": 2, "neighbours": 60}, "--neighbours=60 are not below the 60 vectors"),
        ({"method": "pca", "dimensions": 13}, "PCA of 60 vectors of 12 values has 12 components"),
        ({"method": "pca", "dimensions": 5, "fit_sample": 4}, "PCA of 4 vectors of 12 values has 3 components"),
        ({"method": "random-projection", "dimensions": 13}, "more than the 12 that the vectors have"),
        ({"method": "none", "dimensions": 3}, "--dimensions means nothing to --method=none"),
        ({"method": "pca", "dimensions": 3, "min_dist": 0.5}, "--min-dist means nothing to --method=pca"),
    ],
)
def test_what_cannot_be_is_refused(full: Path, tmp_path: Path, options: dict, message: str) -> None:
    if options["method"] == "umap":
        pytest.importorskip("umap")
    with pytest.raises(InputError, match=message):
        reduced_by(full, tmp_path / "out", **options)


def test_directions_that_do_not_vary_cannot_be_whitened(tmp_path: Path) -> None:
    vectors = np.zeros((20, 6), dtype=np.float32)
    vectors[:, :2] = np.random.default_rng(0).normal(size=(20, 2))
    (tmp_path / "full").mkdir()
    write_binary(tmp_path / "full" / "x.useremb.npz", [str(user) for user in range(20)], vectors)
    with pytest.raises(InputError, match="vary in 2 directions only"):
        reduced_by(tmp_path / "full", tmp_path / "out", method="pca-whiten", dimensions=4)


def test_the_full_vectors_are_not_written_over(llmdistill, full: Path, tmp_path: Path) -> None:
    status, _, err = llmdistill("reduce", "--dataset", "x", "--vectors", full, "--out", full, "--dimensions", 2)
    assert status == 2
    assert "would be lost" in err
    status, _, err = llmdistill("reduce", "--dataset", "y", "--vectors", full, "--out", tmp_path / "out")
    assert status == 2
    assert "holds no vectors of users of the data set 'y'" in err
