"""Whatever a server sends, its user fails and no other; keys and histories stay where they belong."""

import base64
import gzip
import json
import time
from pathlib import Path

import pytest
from chat_server import PROFILE

KEY = "sk-a-very-secret-key-1234"
VICTIM = "Number 3 | tool | view | 0.01"  # in the prompt of user u1


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def endpoint(server, *more: str) -> list[str]:
    return ["--llm", "openai:tiny", "--base-url", server.url, "--out", "out", "--limit=4", *more]


def raw(body: bytes, headers: dict[str, str] | None = None, status: int = 200):
    return lambda handler, request: handler.send(status, body, headers)


def changed(change):
    """A completion with something changed."""

    def answer(handler, request):
        completion = handler.chat.complete(request)
        change(completion)
        handler.send(200, json.dumps(completion).encode())

    return answer


def cut_for_good(handler, request) -> None:
    handler.answer_or_fail(request, "cut")


FAULTS = {
    "content a number": (changed(lambda c: c["choices"][0]["message"].update(content=7)), "no_json"),
    "content null": (changed(lambda c: c["choices"][0]["message"].update(content=None)), "empty"),
    "content a list of numbers": (changed(lambda c: c["choices"][0]["message"].update(content=[1, None])), "empty"),
    "no message": (changed(lambda c: c["choices"][0].pop("message")), "no_json"),
    "message null": (changed(lambda c: c["choices"][0].update(message=None)), "no_json"),
    "no choices": (changed(lambda c: c.pop("choices")), "no_json"),
    "choices empty": (changed(lambda c: c.update(choices=[])), "no_json"),
    "choices a text": (changed(lambda c: c.update(choices="x")), "no_json"),
    "an error with status 200": (changed(lambda c: c.update(error={"message": "overloaded", "code": 502})), "http"),
    "aborted": (changed(lambda c: c["choices"][0].update(finish_reason="abort")), "truncated"),
    "Gemini's word": (changed(lambda c: c["choices"][0].update(finish_reason="MAX_TOKENS")), "truncated"),
    "filtered": (changed(lambda c: c["choices"][0].update(finish_reason="SAFETY")), "refused"),
    "nested": (raw(b'{"choices": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "no_json"),
    "no JSON": (raw(b"<html>gateway</html>"), "no_json"),
    "a number": (raw(b"7"), "no_json"),
    "nothing": (raw(b""), "no_json"),
    "bytes": (raw(bytes(range(256))), "no_json"),
    "long header": (raw(b"{}", {"X-Long": "x" * 9000}), "no_json"),
    "no gzip": (raw(b"{}", {"Content-Encoding": "gzip"}), "no_json"),
    "too long": (raw(b" " * 17 * 2**20), "no_json"),
    "a bomb": (raw(gzip.compress(b" " * 64 * 2**20), {"Content-Encoding": "gzip"}), "no_json"),
    "an error that is too long": (raw(b"x" * 17 * 2**20, status=400), "no_json"),
    "cut for good": (cut_for_good, "connection"),
    "status 300": (raw(b"", status=300), "http"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_answer_fails_its_user_alone(shop, serve, generate, capsys, fault: str) -> None:
    answer, reason = FAULTS[fault]
    server = serve(fault=lambda prompt, attempt: answer if VICTIM in prompt else None)
    assert generate(*endpoint(server, "--retries=0")) == 1
    (failure,) = lines(shop / "out" / "failures.jsonl")
    assert (failure["user_id"], failure["reason"]) == ("u1", reason)
    assert len(failure["detail"]) < 500
    assert len(lines(shop / "out" / "profiles.jsonl")) == 3
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("usage", ["1e400", "NaN", "-5", '"many"', "[1]", "true", "9" * 400])
def test_counts_that_are_none(shop, serve, generate, usage: str) -> None:
    body = '{"choices": [{"message": {"content": %s}}], "usage": {"prompt_tokens": %s, "completion_tokens": "12"}}'
    server = serve(fault=lambda prompt, attempt: raw((body % (json.dumps(PROFILE), usage)).encode()))
    assert generate(*endpoint(server, "--limit=1")) == 0
    (record,) = lines(shop / "out" / "profiles.jsonl")
    assert (record["prompt_tokens"], record["completion_tokens"]) == (0, 12)


def test_content_in_parts_and_a_thought_beside_it(shop, serve, generate) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    server = serve(lambda prompt: {"content": [thought, {"type": "text", "text": PROFILE}]})
    assert generate(*endpoint(server)) == 0
    assert {record["profile"] for record in lines(shop / "out" / "profiles.jsonl")} == {PROFILE.strip()}
    only_thought = serve(lambda prompt: ({"content": None, "reasoning_content": "Hm. " * 9}, "length"))
    assert generate(*endpoint(only_thought, "--out", "second")) == 1
    for failure in lines(shop / "second" / "failures.jsonl"):
        assert failure["reason"] == "truncated"
        assert "--reasoning-parser" in failure["detail"]
        assert failure["reasoning"] == "Hm. " * 9


@pytest.mark.parametrize("strategy", ["merge_after", "update"])
def test_thoughts_are_neither_kept_nor_fed_back(tmp_path, serve, generate, strategy: str) -> None:
    from shop_dataset import write_shop

    write_shop(tmp_path, users=1, length=150)
    said = "<think>SECRET THOUGHT</think>\n\n" + "Likes many things. " * 12
    server = serve(lambda prompt: said, max_model_len=2000)
    assert generate("--llm", "openai:tiny", "--base-url", server.url, "--out", "out", "--strategy", strategy) == 0
    assert len(server.asked) > 2
    assert not any("SECRET THOUGHT" in prompt for prompt in server.asked)
    (record,) = lines(tmp_path / "out" / "profiles.jsonl")
    assert record["profile"] == ("Likes many things. " * 12).strip()
    parts = lines(tmp_path / "out" / "parts.jsonl")
    assert [part["answer"] for part in parts] == [said] * len(server.asked)  # what is paid is kept


@pytest.mark.parametrize("where", ["body", "header"])
def test_the_timeout_bounds_the_whole_request(shop, serve, generate, where: str) -> None:
    def drip(handler, request) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 900\r\n\r\n" if where == "body" else b"X: "))
        for _ in range(60):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.25)

    server = serve(fault=lambda prompt, attempt: drip)
    started = time.monotonic()
    assert generate(*endpoint(server, "--limit=1", "--timeout=1", "--retries=0")) == 1
    assert time.monotonic() - started < 8
    (failure,) = lines(shop / "out" / "failures.jsonl")
    assert failure["reason"] == "timeout"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_prompts_do_not_follow_a_redirect_to_another_host(shop, serve, generate, capsys, status: int) -> None:
    other = serve()
    target = other.url.replace("127.0.0.1", "localhost") + "/chat/completions"
    server = serve(fault=lambda prompt, attempt: raw(b"", {"Location": target}, status))
    assert generate(*endpoint(server)) == 2
    said = capsys.readouterr().err.strip().split("\n")[-1]
    assert f"redirects to {target} (status {status}), which was not followed" in said
    assert not other.asked
    assert sum(server.asked.values()) <= 4


def test_a_redirect_within_the_host_is_followed(shop, serve, generate) -> None:
    hop = raw(b"", {"Location": "/v1/chat/completions"}, 307)
    server = serve(fault=lambda prompt, attempt: hop if attempt == 1 else None)
    assert generate(*endpoint(server)) == 0
    assert set(server.answered.values()) == {1}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("form", [KEY, base64.b64encode(f"Bearer {KEY}".encode()).decode(), "x" * 290 + KEY])
def test_the_key_reaches_no_file(shop, serve, generate, monkeypatch, capsys, batch: bool, form: str) -> None:
    from recbole_llmdistill.profiles.llm import openai_batch

    monkeypatch.setattr(openai_batch.OpenAIBatchBackend.__init__, "__defaults__", (0.05, 0.1))
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")  # as a file of secrets ends
    error = raw(json.dumps({"error": {"message": f"denied {form}"}}).encode(), status=400)
    server = serve(
        lambda prompt: "" if VICTIM in prompt else f"{PROFILE} {form}",
        key=KEY,
        fault=lambda prompt, attempt: error if VICTIM in prompt else None,
    )
    assert generate(*endpoint(server, "--api-key-env=MY_KEY"), *(["--batch"] if batch else [])) == 1
    said = capsys.readouterr()
    written = "".join(path.read_text() for path in (shop / "out").iterdir())
    assert "***" in written
    for secret in (KEY, KEY[:12], form[-20:]):
        assert secret not in written + said.out + said.err


def test_a_key_in_place_of_its_variable(shop, serve, generate, capsys) -> None:
    assert generate(*endpoint(serve(), f"--api-key-env={KEY}")) == 2
    said = capsys.readouterr()
    assert "not the key itself" in said.err
    assert KEY not in said.err + said.out


def test_secrets_of_the_address_stay_out_of_the_manifest(shop, serve, generate) -> None:
    server = serve()
    address = f"{server.url}?code={KEY}"
    generate("--llm", "openai:tiny", "--base-url", address, "--out", "out", "--limit=1")
    for path in (shop / "out").iterdir() if (shop / "out").exists() else ():
        assert KEY not in path.read_text()


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Unsupported value: 'temperature' does not support 0 with this model.", "param": "temperature"},
        {"message": "`temperature` must be strictly positive"},
        {"message": "Extra inputs are not permitted: temperature, seed"},
        {"message": "Unsupported parameter: use 'max_completion_tokens' instead.", "param": "max_tokens"},
    ],
)
@pytest.mark.parametrize("batch", [False, True])
def test_a_parameter_that_the_model_refuses_is_left_out(
    shop, serve, generate, monkeypatch, capsys, error: dict, batch: bool
) -> None:
    from recbole_llmdistill.profiles.llm import openai_batch

    monkeypatch.setattr(openai_batch.OpenAIBatchBackend.__init__, "__defaults__", (0.05, 0.1))
    name = "max_tokens" if "max_completion" in error["message"] else "temperature"
    server = serve()
    server.refuses = lambda body: {"error": error} if name in body else None
    assert generate(*endpoint(server, "--concurrency=1"), *(["--batch"] if batch else [])) == 0
    assert set(server.answered.values() if not batch else [1]) == {1}
    assert sum(server.asked.values()) == (8 if batch else 5)  # one refusal, or one refused batch
    if not batch:
        assert name not in server.bodies[-1]
    if name == "temperature":
        assert capsys.readouterr().err.count("refuses temperature=0 and is asked without it") == 1
    else:
        assert server.bodies[-1]["max_completion_tokens"] == 400 if not batch else True


def test_a_prompt_that_speaks_of_temperature_changes_nothing(shop, serve, generate, capsys) -> None:
    error = raw(json.dumps({"error": {"message": "invalid prompt: temperature sensor"}}).encode(), status=400)
    server = serve(fault=lambda prompt, attempt: error if VICTIM in prompt else None)
    assert generate(*endpoint(server, "--concurrency=1")) == 1
    assert "temperature" in server.bodies[-1]
    assert "asked without" not in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--timeout=0", "--timeout=nan", "--retries=-1", "--temperature=nan"])
def test_limits_that_are_none(shop, serve, generate, capsys, option: str) -> None:
    server = serve()
    assert generate(*endpoint(server, option)) == 2
    assert option.split("=")[0] in capsys.readouterr().err
    assert not server.asked


@pytest.mark.parametrize("models", [b"[1]", b'{"data": "x"}', b'{"data": [1, {"id": 5}]}', b'{"data": [{"id": "tiny", '
                                    b'"max_model_len": 1e400}]}'])  # fmt: skip
def test_a_strange_list_of_models(shop, serve, generate, capsys, models: bytes) -> None:
    server = serve()
    server.models_body = models
    status = generate(*endpoint(server))
    assert status in (0, 2)
    if status == 2:
        assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("address", ["http://[::1/v1", "localhost:8000/v1", "ftp://host/v1", "http:///v1"])
def test_what_is_no_address(shop, generate, capsys, address: str) -> None:
    assert generate("--llm", "openai:tiny", "--base-url", address, "--out", "out") == 2
    assert "--base-url: no address of a server" in capsys.readouterr().err
