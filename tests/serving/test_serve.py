"""``llmdistill serve`` over HTTP: answers, refusals, overload, reloading and its end."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving_process import start
from small_export import SMALL_ITEMS, best_by_hand, small_export


def metric(server, name: str) -> float:
    text = server.ask("GET", "/metrics")[1]
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_answers(serve) -> None:
    server = serve()
    long = [f"i{number}" for number in range(1, 31)]
    sequences = [["i3", "i9"], [], ["new", "i4", "newer"], ["new"], long]
    status, answer, _ = server.recommend(sequences=sequences, k=5)
    assert status == 200
    found = answer["recommendations"]
    assert [row["items"] for row in found] == [
        best_by_hand(["i3", "i9"], 5), ["i1", "i2", "i3", "i4", "i5"], best_by_hand(["i4"], 5),
        ["i1", "i2", "i3", "i4", "i5"], best_by_hand(long, 5),
    ]  # fmt: skip
    assert [row["source"] for row in found] == ["model", "popularity", "model", "popularity", "model"]
    assert [row["unknown_items"] for row in found] == [0, 0, 2, 1, 0]
    assert found[1]["scores"] == [SMALL_ITEMS - place for place in range(5)]
    unseen = server.recommend(sequences=[long], k=SMALL_ITEMS, exclude_seen=True)[1]["recommendations"][0]
    assert unseen["items"] == best_by_hand(long, SMALL_ITEMS, exclude_seen=True)
    assert len(unseen["scores"]) == SMALL_ITEMS - 30


def test_who_waits_is_answered_in_batches_and_as_alone(serve) -> None:
    server = serve("--threads", 1)
    sequences = [[f"i{1 + (number * step) % SMALL_ITEMS}" for step in range(1, 2 + number % 9)] for number in range(60)]

    def ask(sequence: list[str]) -> list[str]:
        return server.recommend(sequences=[sequence], k=1 + len(sequence))[1]["recommendations"][0]["items"]

    with ThreadPoolExecutor(20) as threads:
        together = list(threads.map(ask, sequences * 5))
    assert together == [best_by_hand(sequence, 1 + len(sequence)) for sequence in sequences] * 5
    assert metric(server, "llmdistill_batch_sequences_sum") == len(together)
    assert metric(server, "llmdistill_batch_sequences_count") < len(together)
    assert metric(server, 'llmdistill_requests_total{path="/recommend",status="200"}') == len(together)


def test_whole_numbers_are_tokens_and_pages_are_there(serve) -> None:
    server = serve()
    assert server.recommend(sequences=[[7]])[1]["recommendations"][0]["unknown_items"] == 1
    status, health, _ = server.ask("GET", "/health")
    assert (status, health["status"], health["items"], health["model"]) == (200, "ok", SMALL_ITEMS, "MeanOfItems")
    assert "swagger" in server.ask("GET", "/docs")[1]
    described = server.ask("GET", "/openapi.json")[1]
    assert set(described["paths"]) == {"/recommend", "/health", "/metrics"}
    assert metric(server, "process_resident_memory_bytes") > 1e6


def test_what_is_refused_is_one_json_error(serve) -> None:
    server = serve("--most-bytes", 5000, "--most-items", 20, "--most-sequences", 3, "--most-k", 40)
    deep = b"[" * 4000
    for body, expected, message in [
        (b"{", 422, "body: no JSON"),
        (deep, 422, "body: no JSON"),
        (b"\xff\xfe", 422, "body"),
        (b"", 422, "body: Field required"),
        ([], 422, "body: Input should be a valid dictionary"),
        ({}, 422, "sequences: Field required"),
        ({"sequences": []}, 422, "sequences: List should have at least 1 item"),
        ({"sequences": ["i1"]}, 422, "sequences.0: Input should be a valid list"),
        ({"sequences": [["i1", None]]}, 422, "sequences.0.1: Input should be a valid string"),
        ({"sequences": [[True]]}, 422, "sequences.0.0: Input should be a valid string"),
        ({"sequences": [["i1"]], "k": 0}, 422, "k: Input should be greater than or equal to 1"),
        ({"sequences": [["i1"]], "k": 41}, 422, "k: 41 is more than the 40 that this service allows"),
        (b'{"sequences": [["i1"]], "k": NaN}', 422, "k: Input should be a finite number"),
        ({"sequences": [["i1"]], "topk": 3}, 422, "topk: Extra inputs are not permitted"),
        ({"sequences": [["i1"]] * 4}, 422, "sequences: 4 of them, at most 3 are allowed"),
        ({"sequences": [["i1"], ["i1"] * 21]}, 422, "sequences.1: 21 items, at most 20 are allowed"),
        (b" " * 5001, 413, "body: at most 5,000 bytes are allowed"),
    ]:
        status, answer, _ = server.ask("POST", "/recommend", body)
        assert status == expected, (body, answer)
        assert list(answer) == ["error"]
        assert answer["error"].startswith(message), (body, answer)
        assert "\n" not in answer["error"]
    assert server.ask("POST", "/recommend", b"{}", {})[:2] == (
        415, {"error": "body: send JSON, with the header Content-Type: application/json"},
    )  # fmt: skip
    assert server.ask("GET", "/recommend")[:2] == (405, {"error": "Method Not Allowed"})
    assert server.ask("GET", "/nothing")[:2] == (404, {"error": "Not Found"})
    assert server.recommend(sequences=[["i1"]])[0] == 200
    assert server.end()[::2] == (0, "")


def test_a_k_beyond_the_catalogue(serve) -> None:
    status, answer, _ = serve().recommend(sequences=[["i1"]], k=SMALL_ITEMS + 1)
    assert (status, answer) == (422, {"error": f"k: 51 is more than the {SMALL_ITEMS} items in the catalogue"})


def test_a_body_without_a_length_is_read_as_far_as_allowed(serve) -> None:
    server = serve("--most-bytes", 1000)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST /recommend HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall((b"1f4\r\n" + b" " * 500 + b"\r\n") * 3)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_beyond_the_queue_it_is_503_and_when_to_come_again(serve) -> None:
    server = serve("--most-waiting", 2)
    status, answer, headers = server.recommend(sequences=[["i1"], ["i2"], ["i3"]])
    assert (status, answer) == (503, {"error": "2 sequences wait already; try again later"})
    assert int(headers["retry-after"]) >= 1
    assert server.recommend(sequences=[["i1"], ["i2"]])[0] == 200


def test_an_empty_sequence_without_popularity(serve, tmp_path) -> None:
    server = serve(model=small_export(tmp_path / "model", counts=None))
    status, answer, _ = server.recommend(sequences=[["i1"], []])
    assert status == 422
    assert answer["error"].startswith("sequences.1: it has no item that the model knows, and")


def test_a_new_export_takes_over_without_a_lost_request(serve, tmp_path, exported_once) -> None:
    folder = Path(shutil.copytree(exported_once, tmp_path / "model"))
    other = small_export(tmp_path / "other", seed=1)
    server = serve(model=folder)
    versions = {server.ask("GET", "/health")[1]["version"]: 0}
    answers, stop = [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(server.recommend(sequences=[["i3", "i9"]], k=3))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    shutil.rmtree(folder)  # as a deployment without tact would do it: what is served stays
    server.process.send_signal(signal.SIGHUP)
    assert "not loaded, MeanOfItems" in server.process.stderr.readline()
    shutil.copytree(other, folder)
    server.process.send_signal(signal.SIGHUP)
    assert server.process.stdout.readline().startswith("loaded again: MeanOfItems")
    versions[server.ask("GET", "/health")[1]["version"]] = 1
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for status, *_ in answers} == {200}
    seen = {answer["version"] for _, answer, _ in answers}
    assert seen == versions.keys()
    for _, answer, _ in answers:
        seed = versions[answer["version"]]
        assert answer["recommendations"][0]["items"] == best_by_hand(["i3", "i9"], 3, seed=seed)
    assert metric(server, 'llmdistill_reloads_total{result="done"}') == 1
    assert metric(server, 'llmdistill_reloads_total{result="failed"}') == 1
    assert server.end()[0] == 0


def test_a_damaged_export_is_not_taken(serve, tmp_path, exported_once) -> None:
    folder = Path(shutil.copytree(exported_once, tmp_path / "model"))
    server = serve(model=folder)
    (folder / "model.onnx").write_bytes(b"cut")
    server.process.send_signal(signal.SIGHUP)
    line = server.process.stderr.readline()
    assert line.startswith("warning: not loaded, MeanOfItems fp32, 50 items, version ")
    assert "model.onnx: 3 bytes, where" in line
    assert server.recommend(sequences=[["i3"]])[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_begun_requests_are_answered_at_the_end(serve, number: int) -> None:
    server = serve()
    body = b'{"sequences": [["i3", "i9"]], "k": 3}'
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(20)
        head = f"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body[:5])
        time.sleep(0.2)
        server.process.send_signal(number)
        time.sleep(0.3)
        connection.sendall(body[5:])
        assert connection.recv(2000).startswith(b"HTTP/1.1 200")
    out, err = server.process.communicate(timeout=20)
    assert (server.process.returncode, out, err) == (0, "ended; begun requests were answered\n", "")
    with pytest.raises(ConnectionRefusedError):
        server.recommend(sequences=[["i1"]])


def of_another_schema(folder: Path) -> None:
    file = folder / "settings.json"
    file.write_text(file.read_text().replace('"schema": 1', '"schema": 2'))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "{used}"], "--port={used}: in use by another process; give another one"),
        (["--host", "no.such.host.invalid"], "--host=no.such.host.invalid: no address of this machine"),
        (["--port", "70000"], "--port=70000: input should be less than or equal to 65535"),
        (["--model", "none"], "--model=none is no folder"),
        (["--model", "cut"], "cut/items.json: cannot be read"),
        (["--model", "later"], "later/settings.json: its schema is 2, known here is 1"),
        (["--learning_rate=1"], "argument '--learning_rate=1' is not understood"),
    ],
)
def test_what_it_cannot_start_with_is_one_line(exported_once, arguments: list, message: str) -> None:
    for name, damage in (("cut", lambda folder: (folder / "items.json").unlink()), ("later", of_another_schema)):
        damage(Path(shutil.copytree(exported_once, name)))
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = str(used.getsockname()[1])
        usual = ["--model", exported_once, "--port", 0]
        process = start(*usual, *(argument.format(used=port) for argument in arguments))
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {message.format(used=port)}")


def test_without_its_extra_it_says_what_to_install(exported_once) -> None:
    code = "import sys; sys.modules['fastapi'] = None\nimport llmdistill_commands\n"
    code += f"sys.argv = ['llmdistill', 'serve', '--model', {str(exported_once)!r}]\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(llmdistill_commands.llmdistill())"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: serve needs fastapi: pip install 'recbole-llmdistill[serve]'\n"


def test_the_docker_file_copies_what_is_there_and_installs_what_serve_needs() -> None:
    """Where it cannot be built."""
    checkout = Path(__file__).parents[2]
    text = (checkout / "Dockerfile").read_text().replace("\\\n", " ")
    sent = {line[1:] for line in (checkout / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for line in text.splitlines() if line.startswith("COPY ") for name in line.split()[1:-1]}
    assert copied == sent
    assert all((checkout / name).exists() for name in copied)
    extras = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    needed = {re.match(r"[a-z-]+", requirement)[0] for requirement in extras["serve"]}
    assert needed <= set(text.split())
