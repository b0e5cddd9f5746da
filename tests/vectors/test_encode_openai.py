"""``llmdistill encode`` at an OpenAI-compatible server on the loopback."""

import base64
import json
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import read_profile_file
from recbole_llmdistill.vectors.encoders.openai_embeddings import OpenAIEncoder, OpenAIEncoderOptions

pytest.importorskip("openai")
SECRET = "sk-a-very-secret-key"


@pytest.fixture(autouse=True)
def key(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)


@pytest.fixture
def encode(llmdistill, tmp_path: Path, write_profiles, shipped_texts, embeddings_server):
    """Runs the command for 50 users in batches of 10; status, output, error, user -> vector."""
    texts = dict(list(shipped_texts.items())[:50])
    folder = write_profiles(texts)

    def run(*more: object) -> tuple[int, str, str]:
        return llmdistill(
            *("encode", "--dataset", "ml-100k", "--profiles", folder, "--out", tmp_path / "v", "--batch-size", 10),
            *("--encoder", "openai:tiny", "--base-url", embeddings_server.url, *more),
        )

    run.texts = texts
    run.folder = tmp_path / "v"
    return run


def test_every_text_gets_its_own_vector(encode, embeddings_server) -> None:
    assert encode()[0] == 0
    table = read_profile_file(encode.folder / "ml-100k.useremb.npz")
    for user, vector in zip(table.tokens, table.vectors[:, 0], strict=True):
        np.testing.assert_array_equal(vector, np.float32(embeddings_server.vector(encode.texts[user])))
    assert len(embeddings_server.requests) == 5
    assert {request["model"] for request in embeddings_server.requests} == {"tiny"}
    assert sorted(text for request in embeddings_server.requests for text in request["input"]) == sorted(
        encode.texts.values()
    )
    assert set(embeddings_server.authorizations) == {f"Bearer {SECRET}"}
    assert all(SECRET not in path.read_text() for path in encode.folder.glob("*.json"))


def test_a_busy_server_is_asked_again_when_it_says(encode, embeddings_server) -> None:
    embeddings_server.faults = [(429, {"Retry-After": "1"}, {"error": {"message": "slow down"}}), (500, {}, {})]
    assert encode("--concurrency", 1)[0] == 0
    assert len(embeddings_server.requests) == 7


def test_what_was_paid_for_is_kept_when_a_request_is_refused(encode, embeddings_server) -> None:
    original, answers = embeddings_server.answer, iter(range(100))
    embeddings_server.answer = lambda body: original(body) if next(answers) < 2 else {}
    status, _, err = encode("--concurrency", 1)
    assert status == 2
    assert "answers with something else than embeddings" in err.splitlines()[-1]
    embeddings_server.answer = original
    embeddings_server.requests.clear()
    status, out, _ = encode("--concurrency", 3)
    assert status == 0
    assert "continued: 20 of 50 texts" in out
    assert len(embeddings_server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((400, {}, {"error": {"message": "no such\nmodel"}}), "refuses a request for model 'tiny': status 400"),
        ((401, {}, {"error": {"message": f"bad key {SECRET}"}}), "refuses the key in OPENAI_API_KEY"),
        ((200, {}, {"error": "busy"}), "answers with something else than embeddings"),
        ((200, {}, {"object": "list", "data": [{"index": 0, "embedding": [1.0]}], "model": "x"}), "answers 10 texts"),
    ],
)
def test_refusals_are_one_line_without_the_key(encode, embeddings_server, fault, message: str) -> None:
    embeddings_server.faults = [fault] * 10
    status, out, err = encode("--concurrency", 1)
    assert status == 2
    assert message in err.splitlines()[-1]
    assert SECRET not in out + err


def test_nan_from_a_server(encode, embeddings_server) -> None:
    embeddings_server.vector = lambda text: [1.0, float("nan")]
    status, _, err = encode()
    assert status == 2
    assert "gives NaN or infinite values" in err.splitlines()[-1]


def test_another_size_in_the_middle(encode, embeddings_server) -> None:
    embeddings_server.vector = lambda text: [1.0] * (3 + (len(embeddings_server.requests) > 2))
    status, _, err = encode("--concurrency", 1)
    assert status == 2
    assert "vectors of 3 values before and of 4 now" in err.splitlines()[-1]


def test_nobody_listens(monkeypatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    encoder = OpenAIEncoder(
        "tiny", OpenAIEncoderOptions(base_url=f"http://user:password@127.0.0.1:{port}/v1", max_retries=0)
    )
    with pytest.raises(InputError, match=rf"http://127\.0\.0\.1:{port}/v1/? cannot be reached") as caught:
        encoder.encode(["text"])
    assert "password" not in str(caught.value) + json.dumps(encoder.settings())


def test_a_missing_key(monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="the environment variable OPENAI_API_KEY is not set"):
        OpenAIEncoder("text-embedding-3-small", OpenAIEncoderOptions())
    OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url="http://127.0.0.1:1/v1"))  # one's own server needs none


def test_long_texts_at_a_server(embeddings_server) -> None:
    text = "likes old films. " * 20  # 340 bytes
    cut = OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url, token_limit=100))
    assert cut.encode([text, "short"]).long_texts == 1
    sent = embeddings_server.requests[-1]["input"]
    assert sent[1] == "short"
    assert text.startswith(sent[0])
    assert 80 < len(sent[0]) <= 100
    assert sent[0].endswith(" ")
    embeddings_server.vector = lambda text: [3.0, 4.0]
    whole = OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url, token_limit=100, long="chunk"))
    encoded = whole.encode([text, "short"])
    assert "".join(embeddings_server.requests[-1]["input"][:-1]) == text
    np.testing.assert_allclose(encoded.vectors, [[3, 4], [3, 4]], rtol=1e-6)


def test_pieces_never_break_a_character(embeddings_server) -> None:
    text = "кино" * 50
    encoder = OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url, token_limit=33, long="chunk"))
    encoder.encode([text])
    sent = embeddings_server.requests[-1]["input"]
    assert "".join(sent) == text
    assert max(len(piece.encode()) for piece in sent) <= 33


def items(*embeddings: object, numbers: object = None) -> dict:
    numbers = range(len(embeddings)) if numbers is None else numbers
    return {"data": [{"index": index, "embedding": row} for index, row in zip(numbers, embeddings, strict=True)]}


BASE64 = base64.b64encode(np.array([1, 2.5], dtype="<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("answer", "vectors"),
    [
        (items([1, 2.5], [3, 4]), [[1, 2.5], [3, 4]]),
        (items([1, 2.5], [3, 4], numbers=[1, 0]), [[3, 4], [1, 2.5]]),
        (items(BASE64, [3, 4]), [[1, 2.5], [3, 4]]),
        ({"data": [{"embedding": [1, 2]}, {"embedding": [3, 4]}]}, [[1, 2], [3, 4]]),  # some servers do not number
        (items([1e39, 1], [1, 2]), [[np.inf, 1], [1, 2]]),  # refused with the name of the user, see above
    ],
)
def test_embeddings_in_their_order(embeddings_server, answer: dict, vectors) -> None:
    embeddings_server.answer = lambda body: answer
    encoder = OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url))
    np.testing.assert_array_equal(encoder.encode(["a", "b"]).vectors, np.float32(vectors))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (items([1, 2], [3, 4], numbers=[0, 0]), "does not number its embeddings"),
        (items([1, 2], [3, 4], numbers=[0, 2]), "does not number its embeddings"),
        (items([1, 2], [3, 4], numbers=[0, None]), "does not number its embeddings"),
        (items([1, 2], [3, 4], numbers=[0, True]), "does not number its embeddings"),
        (items([1, 2]), "answers 2 texts with 1 embeddings"),
        (items([1, 2], [3, 4], [5, 6]), "answers 2 texts with 3 embeddings"),
        (items([1, 2], [3]), "embeddings of 1 and of 2 values"),
        (items([1, 2], []), "something else than embeddings"),
        (items([1, 2], None), "something else than embeddings"),
        (items([1, 2], ["1", "2"]), "something else than embeddings"),
        (items([1, 2], [None, 2]), "something else than embeddings"),
        (items([1, 2], [[1, 2]]), "something else than embeddings"),
        (items([1, 2], [True, False]), "something else than embeddings"),
        (items([1, 2], "no base64!"), "something else than embeddings"),
        (items([1, 2], "AAA="), "something else than embeddings"),
        ({"data": {}}, "something else than embeddings"),
        ({"error": {"message": f"over quota of {SECRET}"}}, r"over quota of \*\*\*"),
        ([1], "something else than embeddings"),
    ],
)
def test_what_is_no_embeddings(embeddings_server, answer: object, message: str) -> None:
    embeddings_server.answer = lambda body: answer
    encoder = OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url))
    with pytest.raises(InputError, match=message) as caught:
        encoder.encode(["a", "b"])
    assert SECRET not in str(caught.value)
    assert len(embeddings_server.requests) == 1  # it has been answered, and is not asked again


def test_a_size_that_was_not_asked_for(embeddings_server) -> None:
    encoder = OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url, dimensions=3))
    with pytest.raises(InputError, match="answers with 4 values where 3 were asked for"):
        encoder.encode(["a"])


def test_a_key_in_a_long_error_is_masked_before_the_cut(embeddings_server) -> None:
    embeddings_server.faults = [(400, {}, {"error": {"message": "x" * 290 + SECRET}})]
    with pytest.raises(InputError) as caught:
        OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url)).encode(["a"])
    assert SECRET[:8] not in str(caught.value)


def test_texts_do_not_follow_a_redirect_to_another_host(embeddings_server) -> None:
    embeddings_server.faults = [(307, {"Location": "http://localhost:9/v1/embeddings"}, {})]
    with pytest.raises(InputError, match="redirects to http://localhost:9/v1/embeddings"):
        OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url)).encode(["a"])


def test_the_timeout_bounds_the_whole_request(embeddings_server) -> None:
    original = embeddings_server.answer
    embeddings_server.answer = lambda body: time.sleep(5) or original(body)
    started = time.monotonic()
    with pytest.raises(InputError, match="cannot be reached"):
        OpenAIEncoder("tiny", OpenAIEncoderOptions(base_url=embeddings_server.url, timeout=0.5, max_retries=0)).encode(
            ["a"]
        )
    assert time.monotonic() - started < 4
