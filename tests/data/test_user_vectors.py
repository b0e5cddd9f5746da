"""Profiles reach the user they were written for, and only from the split that training uses."""

import json
import logging

import numpy as np
import pytest
import torch

from recbole_llmdistill.data.user_vectors import UserVectors, load_user_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.fingerprint import fingerprint_interactions


def vectors_by_token(folder) -> dict[str, np.ndarray]:
    with np.load(folder / "tiny.useremb.npz") as archive:
        return dict(zip(archive["user_id"].tolist(), archive["user_emb"], strict=True))


def write(folder, vectors: dict[str, np.ndarray]) -> None:
    np.savez(folder / "tiny.useremb.npz", user_id=np.array(list(vectors)), user_emb=np.stack(list(vectors.values())))


def load(prepared) -> UserVectors:
    return load_user_vectors(prepared.train_data._dataset, prepared.model.settings)


@pytest.mark.parametrize("seed", [0, 1])
def test_alignment_is_by_token_whatever_the_order_of_the_file(prepare, tiny, seed: int) -> None:
    by_token = vectors_by_token(tiny)
    order = np.random.default_rng(seed).permutation(list(by_token))
    write(tiny, {token: by_token[token] for token in order})
    prepared = prepare(vectors_standardize=False)
    profiles, dataset = load(prepared), prepared.train_data._dataset
    for token, vector in by_token.items():
        user = dataset.token2id("user_id", token)
        np.testing.assert_array_equal(profiles.vectors[user, 0], vector)
    assert not profiles.present[0].any()  # RecBole's padding user


def test_alignment_survives_remapped_ids(prepare, tiny) -> None:
    # The interactions in another order give users other ids.
    header, *lines = (tiny / "tiny.inter").read_text().splitlines()
    (tiny / "tiny.inter").write_text("\n".join([header, *reversed(lines)]) + "\n")
    prepared = prepare(vectors_standardize=False)
    profiles, dataset = load(prepared), prepared.train_data._dataset
    assert dataset.token2id("user_id", "u39") == 1
    for token, vector in vectors_by_token(tiny).items():
        np.testing.assert_array_equal(profiles.vectors[dataset.token2id("user_id", token), 0], vector)


def test_profiles_of_unknown_users_are_counted_and_ignored(prepare, tiny, caplog) -> None:
    by_token = vectors_by_token(tiny)
    write(tiny, {**by_token, "stranger": np.full(12, 9, dtype=np.float32)})
    with caplog.at_level(logging.INFO):
        profiles = load(prepare(vectors_standardize=False))
    assert "cover 40 of 40 training users; 1 profiles of users unknown to the data set are ignored" in caplog.text
    assert not (profiles.vectors == 9).any()


def test_too_few_users_covered(prepare, tiny) -> None:
    by_token = vectors_by_token(tiny)
    write(tiny, dict(list(by_token.items())[:19]))
    with pytest.raises(InputError, match=r"cover 19 of 40 training users \(47\.5%.*vectors_min_coverage=0\.5"):
        load(prepare())
    assert load(prepare(vectors_min_coverage=0.4)).present.sum() == 19


def test_standardized_profiles_are_centred_with_unit_root_mean_square(prepare, tiny) -> None:
    raw = np.stack(list(vectors_by_token(tiny).values()))
    profiles = load(prepare())
    existing = profiles.vectors[profiles.present].numpy()
    np.testing.assert_allclose(existing.mean(axis=0), 0, atol=1e-6)
    assert np.sqrt((existing**2).mean()) == pytest.approx(1, abs=1e-5)
    # One scale for all dimensions: distances between users keep their proportions.
    ratios = np.linalg.norm(existing[1:] - existing[:-1], axis=1) / np.linalg.norm(raw[1:] - raw[:-1], axis=1)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)


def test_shuffled_profiles_are_the_same_vectors_at_other_users(prepare) -> None:
    def shuffle(**settings) -> UserVectors:
        return load(prepare(vectors_control="shuffled", vectors_standardize=False, **settings))

    plain, shuffled = load(prepare(vectors_standardize=False)), shuffle()
    moved = (plain.vectors[1:, 0] != shuffled.vectors[1:, 0]).any(dim=1)
    assert moved.float().mean() > 0.8
    as_set = [sorted(map(tuple, profiles.vectors[1:, 0].tolist())) for profiles in (plain, shuffled)]
    assert as_set[0] == as_set[1]
    assert torch.equal(shuffle().vectors, shuffled.vectors)
    assert not torch.equal(shuffle(seed=5).vectors, shuffled.vectors)


def fingerprint_of_default_split(folder) -> str:
    """Each user's history without its last two items, counted by hand."""
    rows = [line.split("\t") for line in (folder / "tiny.inter").read_text().splitlines()[1:]]
    histories: dict[str, list] = {}
    for user, item, _, timestamp in rows:
        histories.setdefault(user, []).append((float(timestamp), item))
    pairs = [(user, item) for user, history in histories.items() for _, item in sorted(history)[:-2]]
    return fingerprint_interactions(*zip(*pairs, strict=True))


def test_the_fingerprint_is_that_of_the_training_pairs(prepare, tiny) -> None:
    part = prepare().train_data._dataset
    assert part.training_fingerprint() == fingerprint_of_default_split(tiny)


def test_the_fingerprint_ignores_order_and_sees_any_other_pair() -> None:
    users, items = ["a", "a", "b"], ["x", "y", "x"]
    fingerprint = fingerprint_interactions(users, items)
    assert fingerprint_interactions(["b", "a", "a"], ["x", "y", "x"]) == fingerprint
    assert fingerprint_interactions(["a", "a", "b"], ["x", "y", "y"]) != fingerprint
    assert fingerprint_interactions(["a", "b", "b"], ["x", "x", "y"]) != fingerprint
    assert fingerprint_interactions(["x", "y", "x"], ["a", "a", "b"]) != fingerprint
    assert fingerprint_interactions([*users, "a"], [*items, "x"]) != fingerprint


def test_profiles_of_another_split_stop_the_run(prepare, tiny, caplog) -> None:
    (tiny / "manifest.json").write_text(json.dumps({"training_fingerprint": fingerprint_of_default_split(tiny)}))
    load(prepare())  # the right split
    other = {"eval_args": {"split": {"RS": [0.5, 0.25, 0.25]}, "order": "TO", "group_by": "user", "mode": "full"}}
    with pytest.raises(InputError, match=r"another training split.*profile_split_check=warn"):
        load(prepare(**other))
    with caplog.at_level(logging.WARNING):
        load(prepare(profile_split_check="warn", **other))
    assert "another training split" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        load(prepare(profile_split_check="off", **other))
    assert "split" not in caplog.text


def test_profiles_without_manifest_are_used_with_a_warning(prepare, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        load(prepare())
    assert "cannot be checked that these profiles were written from the training split" in caplog.text


@pytest.mark.parametrize("content", ["{}", "[]", "not json"])
def test_an_unreadable_manifest(prepare, tiny, content: str) -> None:
    (tiny / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json: no training_fingerprint"):
        load(prepare())


def test_no_profile_file(prepare, tiny) -> None:
    (tiny / "tiny.useremb.npz").unlink()
    with pytest.raises(InputError, match=r"no profiles for dataset 'tiny'.*distill_alpha=0"):
        load(prepare())


def test_profile_path_overrides(prepare, tiny, tmp_path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere, {f"u{user}": np.full(3, user, dtype=np.float32) for user in range(40)})
    for path in (elsewhere, elsewhere / "tiny.useremb.npz"):
        assert load(prepare(vectors_path=str(path))).vectors.shape[-1] == 3
    with pytest.raises(InputError, match=r"vectors_path: .* does not exist"):
        load(prepare(vectors_path=str(tmp_path / "nowhere")))


def test_the_newer_of_text_and_binary_is_read(prepare, tiny) -> None:
    import os

    text = tiny / "tiny.useremb"
    text.write_text("uid:token\tuser_emb:float_seq\n" + "".join(f"u{u}\t{u} 1\n" for u in range(40)))
    os.utime(tiny / "tiny.useremb.npz", (1, 1))
    assert load(prepare()).vectors.shape[-1] == 2
    os.utime(text, (0, 0))
    assert load(prepare()).vectors.shape[-1] == 12


def test_random_profiles_are_other_vectors_of_the_same_users_and_spread(prepare) -> None:
    random = load(prepare(vectors_control="random", vectors_standardize=False))
    plain = load(prepare(vectors_standardize=False))
    assert torch.equal(random.present, plain.present)
    assert not random.vectors[~random.present].any()
    drawn, real = random.vectors[random.present], plain.vectors[plain.present]
    assert not torch.isclose(drawn, real).any()
    within = 4 * real.std(dim=0) / len(real) ** 0.5
    assert ((drawn.mean(dim=0) - real.mean(dim=0)).abs() < within).all()
    assert torch.allclose(drawn.std(dim=0), real.std(dim=0), rtol=0.5)
    assert torch.equal(load(prepare(vectors_control="random", vectors_standardize=False)).vectors, random.vectors)
    assert not torch.equal(
        load(prepare(vectors_control="random", vectors_standardize=False, seed=5)).vectors, random.vectors
    )
