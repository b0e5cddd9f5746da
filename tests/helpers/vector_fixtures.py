"""Profile texts, a small real sentence encoder, and a small real embeddings server."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_sentence_encoder import build_sentence_encoder

from recbole_llmdistill.files.resources import properties


@pytest.fixture
def llmdistill(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: status, standard output, standard error."""
    from recbole_llmdistill.cli.llmdistill import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["llmdistill", *map(str, arguments)])
        capsys.readouterr()
        status = main()
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def shipped_texts() -> dict[str, str]:
    """User -> text of the shipped profiles of ml-100k."""
    lines = properties("profiles", "ml-100k", "profiles.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["user_id"]: record["profile"] for record in map(json.loads, lines)}


@pytest.fixture
def write_profiles(tmp_path: Path) -> Callable[..., Path]:
    """Writes records or user -> text as ``profiles.jsonl`` into a folder, with a manifest unless told otherwise."""

    def write(profiles: dict | list, folder: str = "profiles", manifest: bool = True) -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        if isinstance(profiles, dict):
            profiles = [{"user_id": user, "profile": text} for user, text in profiles.items()]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in profiles)
        (path / "profiles.jsonl").write_text(lines, encoding="utf-8")
        if manifest:
            (path / "manifest.json").write_text('{"dataset": "ml-100k", "training_fingerprint": "sha256:ab"}')
        return path

    return write


@pytest.fixture(scope="session")
def sentence_encoder(tmp_path_factory, shipped_texts) -> Path:
    """Folder of a small real sentence encoder, its vocabulary made of the shipped texts."""
    return build_sentence_encoder(tmp_path_factory.mktemp("encoder"), shipped_texts.values())


class EmbeddingsServer:
    """A server of the OpenAI embeddings protocol on the loopback: deterministic vectors of four values.

    Attributes:
        url: its address.
        requests: the requests' bodies.
        authorizations: the requests' keys.
        faults: answers to give first, each (status, headers, body); taken one per request.
        vector: from a text to its vector.
    """

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.authorizations: list[str] = []
        self.faults: list[tuple[int, dict, dict]] = []
        self.vector: Callable[[str], list[float]] = lambda text: [
            float(len(text)),
            float(text.count("e")),
            float(len(text.split())),
            1.0,
        ]
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.requests.append(body)
                    outer.authorizations.append(self.headers.get("Authorization", ""))
                    fault = outer.faults.pop(0) if outer.faults else None
                status, headers, answer = fault or (200, {}, outer.answer(body))
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: (
            None
        )  # a client that has heard enough; it would print into another test
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, body: dict) -> dict:
        """Vectors in reverse order, as the protocol allows: the index tells which is which."""
        data = [
            {"object": "embedding", "index": index, "embedding": self.vector(text)}
            for index, text in enumerate(body["input"])
        ][::-1]
        return {
            "object": "list",
            "model": body["model"],
            "data": data,
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def embeddings_server():
    server = EmbeddingsServer()
    yield server
    server.stop()
