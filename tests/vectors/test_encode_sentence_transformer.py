"""``llmdistill encode`` with a real sentence encoder, small and made here."""

import json
from pathlib import Path

import numpy as np
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import read_profile_file
from recbole_llmdistill.vectors.encoders.sentence_transformer import (
    SentenceTransformerEncoder,
    SentenceTransformerOptions,
)

pytest.importorskip("sentence_transformers")


def vectors_of(folder: Path) -> dict[str, np.ndarray]:
    table = read_profile_file(folder / "ml-100k.useremb.npz")
    return dict(zip(table.tokens.tolist(), table.vectors[:, 0], strict=True))


@pytest.fixture
def some_texts(shipped_texts) -> dict[str, str]:
    texts = dict(list(shipped_texts.items())[:30])
    return texts | {"31": "drama and comedy", "32": "likes horror", "33": "likes horror"}


def test_the_command_gives_the_librarys_own_vectors(
    llmdistill, tmp_path: Path, write_profiles, sentence_encoder: Path, some_texts
) -> None:
    from sentence_transformers import SentenceTransformer

    status, out, _ = llmdistill(
        *("encode", "--dataset", "ml-100k", "--profiles", write_profiles(some_texts), "--out", tmp_path / "v"),
        *("--encoder", sentence_encoder, "--batch-size", 4),
    )
    assert status == 0
    assert "33 users, 32 different texts" in out
    assert "30 of 32 texts were cut at 40 tokens" in out
    model = SentenceTransformer(str(sentence_encoder), device="cpu")
    found = vectors_of(tmp_path / "v")
    for user, text in some_texts.items():
        np.testing.assert_allclose(found[user], model.encode(text), atol=1e-4)
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text())
    assert manifest["encoder"]["long_texts"] == 30
    assert manifest["training_fingerprint"] == "sha256:ab"


def test_chunks_are_averaged_by_their_tokens(sentence_encoder: Path, shipped_texts) -> None:
    from sentence_transformers import SentenceTransformer

    text = shipped_texts["1"]
    encoder = SentenceTransformerEncoder(str(sentence_encoder), SentenceTransformerOptions(long="chunk"))
    encoded = encoder.encode([text, "likes horror"])
    assert encoded.long_texts == 1
    # by hand: windows of 38 tokens (two are special), each encoded alone, weighted by length, scaled to unit length
    model = SentenceTransformer(str(sentence_encoder), device="cpu")
    offsets = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    windows = [offsets[start : start + 38] for start in range(0, len(offsets), 38)]
    assert len(windows) > 3
    pieces = [model.encode(text[window[0][0] : window[-1][1]]) for window in windows]
    mean = np.average(pieces, axis=0, weights=[len(window) for window in windows])
    np.testing.assert_allclose(encoded.vectors[0], mean / np.linalg.norm(mean), atol=1e-4)
    np.testing.assert_allclose(encoded.vectors[1], model.encode("likes horror"), atol=1e-5)


def test_the_prefix_is_encoded_and_leaves_less_room(sentence_encoder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(sentence_encoder), device="cpu")
    encoder = SentenceTransformerEncoder(str(sentence_encoder), SentenceTransformerOptions(prefix="drama: "))
    np.testing.assert_allclose(
        encoder.encode(["likes horror"]).vectors[0], model.encode("drama: likes horror"), atol=1e-5
    )
    assert encoder.budget == 36  # 40 without two special tokens, "drama" and ":"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("multilingual-e5-large", "query: "), ("e5-small-v2", "query: "), ("e5-mistral-7b-instruct", ""), ("bge-m3", "")],
)
def test_e5_gets_its_prefix(tmp_path: Path, sentence_encoder: Path, name: str, prefix: str) -> None:
    (tmp_path / name).symlink_to(sentence_encoder)
    assert SentenceTransformerEncoder(str(tmp_path / name), SentenceTransformerOptions()).prefix == prefix


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    llmdistill, tmp_path: Path, write_profiles, sentence_encoder: Path, some_texts, monkeypatch
) -> None:
    arguments = (
        *("encode", "--dataset", "ml-100k", "--profiles", write_profiles(some_texts)),
        *("--encoder", sentence_encoder, "--batch-size", 4, "--out"),
    )
    llmdistill(*arguments, tmp_path / "whole")
    forward = SentenceTransformerEncoder.encode
    calls = []

    def interrupted(self, texts):
        calls.append(len(texts))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return forward(self, texts)

    with monkeypatch.context() as patched:
        patched.setattr(SentenceTransformerEncoder, "encode", interrupted)
        assert llmdistill(*arguments, tmp_path / "cut")[0] == 130
    assert not (tmp_path / "cut" / "ml-100k.useremb.npz").exists()
    log = next((tmp_path / "cut").glob(".ml-100k.encode-*/batches.jsonl"))
    log.write_bytes(log.read_bytes() + b'{"batch": 3, "dim')  # as kill -9 would leave it
    calls.clear()
    monkeypatch.setattr(
        SentenceTransformerEncoder, "encode", lambda self, texts: calls.append(1) or forward(self, texts)
    )
    status, out, _ = llmdistill(*arguments, tmp_path / "cut")
    assert status == 0
    assert "continued: 12 of 32 texts had been encoded before" in out
    assert len(calls) == 5  # of 8 batches
    whole, cut = ((tmp_path / name / "ml-100k.useremb.npz").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    assert not list((tmp_path / "cut").glob(".*"))


def test_other_settings_do_not_continue_a_run(
    llmdistill, tmp_path: Path, write_profiles, sentence_encoder: Path, some_texts, monkeypatch
) -> None:
    arguments = ("encode", "--dataset", "ml-100k", "--profiles", write_profiles(some_texts), "--out", tmp_path / "v")
    with monkeypatch.context() as patched:
        patched.setattr(
            SentenceTransformerEncoder, "encode", lambda self, texts: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        assert llmdistill(*arguments, "--encoder", sentence_encoder)[0] == 130
    status, out, _ = llmdistill(*arguments, "--encoder", sentence_encoder, "--prefix", "x ")
    assert status == 0
    assert "continued" not in out


def test_nan_of_an_encoder_names_the_user(
    llmdistill, tmp_path: Path, write_profiles, sentence_encoder: Path, some_texts
) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(sentence_encoder, broken)
    weights = next(broken.rglob("model.safetensors"))
    tensors = load_file(weights)
    tensors["encoder.layer.1.output.dense.bias"][:] = np.nan
    save_file(tensors, weights, metadata={"format": "pt"})
    status, _, err = llmdistill(
        *("encode", "--dataset", "ml-100k", "--profiles", write_profiles(some_texts), "--out", tmp_path / "v"),
        *("--encoder", broken),
    )
    assert status == 2
    longest = max(some_texts, key=lambda user: len(some_texts[user]))
    error = err.splitlines()[-1]
    assert "gives NaN or infinite values for 32 of 32 texts" in error
    assert f"that of user '{longest}'" in error


def test_encoders_that_cannot_be_loaded(llmdistill, tmp_path: Path, write_profiles, some_texts, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="this folder cannot be loaded as a sentence encoder"):
        SentenceTransformerEncoder(str(tmp_path / "empty"), SentenceTransformerOptions())
    with pytest.raises(InputError, match=r"there is no such folder; --encoder=tfidf needs no model"):
        SentenceTransformerEncoder("./nowhere", SentenceTransformerOptions())
    # The hub's library reads its switch when it is imported; as the environment variable HF_HUB_OFFLINE=1 would set it.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"not in the local cache .* `hf download no-one/no-model .*tfidf") as caught:
        SentenceTransformerEncoder("no-one/no-model", SentenceTransformerOptions())
    assert "\n" not in str(caught.value)


def test_a_token_limit_that_leaves_no_room(sentence_encoder: Path) -> None:
    with pytest.raises(InputError, match="2 tokens a text leave no room"):
        SentenceTransformerEncoder(str(sentence_encoder), SentenceTransformerOptions(token_limit=2))


@pytest.mark.slow
def test_on_ray_the_bytes_are_the_same(
    llmdistill, tmp_path: Path, write_profiles, sentence_encoder: Path, some_texts
) -> None:
    arguments = (
        *("encode", "--dataset", "ml-100k", "--profiles", write_profiles(some_texts)),
        *("--encoder", sentence_encoder, "--batch-size", 4, "--out"),
    )
    assert llmdistill(*arguments, tmp_path / "alone")[0] == 0
    assert llmdistill(*arguments, tmp_path / "ray", "--ray", "local")[0] == 0
    alone, ray = ((tmp_path / name / "ml-100k.useremb.npz").read_bytes() for name in ("alone", "ray"))
    assert alone == ray
