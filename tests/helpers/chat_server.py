"""A small server that speaks the chat-completions protocol, and injects faults where a test asks for them."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROFILE = "Preferences: mostly drama. " + "This person likes calm and thoughtful works from many countries. " * 4


class ChatServer:
    """Serves on loopback until :meth:`stop`.

    Args:
        answer: text of the answer to a prompt, or its message, or (either, finish reason).
        fault: name of a fault for a prompt that is asked for the n-th time (from 1), or a function that answers by the
            request's handler, or None.
    """

    def __init__(
        self,
        answer: Callable[[str], str | dict | tuple[str | dict, str]] = lambda prompt: PROFILE,
        fault: Callable[[str, int], str | Callable | None] = lambda prompt, attempt: None,
        models: tuple[str, ...] = ("tiny",),
        key: str | None = None,
        delay: float = 0.0,
        max_model_len: int | None = None,
    ) -> None:
        self.answer, self.fault, self.models, self.key, self.delay = answer, fault, models, key, delay
        self.max_model_len = max_model_len
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}
        self.bodies: list[dict] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.polls_until_done = 2
        self.refuses: Callable[[dict], dict | None] = lambda body: None
        self.models_body: bytes | None = None
        self.after_batch: Callable[[dict], None] = lambda batch: None
        server = self

        class Handler(_Handler):
            chat = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *args: None  # a client that has heard enough
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def complete(self, body: dict) -> dict:
        prompt = body["messages"][-1]["content"]
        found = self.answer(prompt)
        text, finish = found if isinstance(found, tuple) else (found, "stop")
        message = text if isinstance(text, dict) else {"role": "assistant", "content": text}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": len(prompt.split()),
                "completion_tokens": len(str(text).split()),
                "total_tokens": 0,
            },
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    chat: ChatServer

    def log_message(self, *args) -> None:
        pass

    def send(self, status: int, content: bytes | dict, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refused(self) -> bool:
        key = self.chat.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return False
        given = self.headers.get("Authorization")
        self.send(401, {"error": {"message": f"Incorrect API key provided: {given}", "code": "invalid_api_key"}})
        return True

    def do_GET(self) -> None:
        chat = self.chat
        if self.refused():
            return
        path = self.path.removeprefix("/v1").split("?")[0]
        if path == "/models" and chat.models_body is not None:
            self.send(200, chat.models_body)
        elif path == "/models":
            data = [{"id": name, "object": "model", "created": 1, "owned_by": "test"} for name in chat.models]
            if chat.max_model_len:
                data = [{**model, "max_model_len": chat.max_model_len} for model in data]
            self.send(200, {"object": "list", "data": data})
        elif path == "/batches":
            self.send(200, {"object": "list", "data": list(chat.batches.values()), "has_more": False})
        elif path.startswith("/batches/"):
            batch = chat.batches[path.removeprefix("/batches/")]
            batch["polls"] += 1
            if batch["polls"] >= chat.polls_until_done and batch["status"] == "in_progress":
                self.finish_batch(batch)
            self.send(200, batch)
        elif path.startswith("/files/"):
            self.send(200, chat.files[path.split("/")[2]])
        else:
            self.send(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return
        path = self.path.removeprefix("/v1")
        if path == "/chat/completions":
            self.chat_completion(json.loads(raw))
        elif path == "/files":
            content = raw.split(b'filename="', 1)[1].split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
            name = f"file-{len(self.chat.files)}"
            self.chat.files[name] = content
            file = {"id": name, "object": "file", "bytes": len(content), "created_at": 1, "filename": "x"}
            self.send(200, {**file, "purpose": "batch", "status": "processed"})
        elif path == "/batches":
            body = json.loads(raw)
            batch = {
                "id": f"batch-{len(self.chat.batches)}",
                "object": "batch",
                "endpoint": body["endpoint"],
                "input_file_id": body["input_file_id"],
                "completion_window": "24h",
                "status": "in_progress",
                "created_at": 1,
                "metadata": body.get("metadata"),
                "polls": 0,
            }
            self.chat.batches[batch["id"]] = batch
            self.send(200, batch)
        else:
            self.send(404, {"error": {"message": "not found"}})

    def finish_batch(self, batch: dict) -> None:
        lines = []
        for line in self.chat.files[batch["input_file_id"]].splitlines():
            request = json.loads(line)
            with self.chat.lock:
                self.chat.asked[request["body"]["messages"][-1]["content"]] += 1
            refusal = self.chat.refuses(request["body"])
            body = refusal or self.chat.complete(request["body"])
            response = {"status_code": 400 if refusal else 200, "body": body}
            lines.append(json.dumps({"custom_id": request["custom_id"], "response": response, "error": None}))
        name = f"out-{batch['id']}"
        self.chat.files[name] = "\n".join(lines).encode()
        batch |= {"status": "completed", "output_file_id": name}
        self.chat.after_batch(batch)

    def chat_completion(self, body: dict) -> None:
        chat = self.chat
        prompt = body["messages"][-1]["content"]
        with chat.lock:
            chat.asked[prompt] += 1
            attempt = chat.asked[prompt]
            chat.bodies.append(body)
            chat.times.setdefault(prompt, []).append(time.monotonic())
            chat.under_way += 1
            chat.most_under_way = max(chat.most_under_way, chat.under_way)
        try:
            time.sleep(chat.delay)
            if (refusal := chat.refuses(body)) is not None:
                self.send(400, refusal)
            else:
                self.answer_or_fail(body, chat.fault(prompt, attempt))
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with chat.lock:
                chat.under_way -= 1

    def answer_or_fail(self, body: dict, fault: str | Callable | None) -> None:
        if fault is None:
            answer = self.chat.complete(body)
            with self.chat.lock:
                self.chat.answered[body["messages"][-1]["content"]] += 1
            self.send(200, answer)
        elif callable(fault):
            fault(self, body)
        elif fault == "429":
            self.send(429, {"error": {"message": "slow down"}}, {"Retry-After": "1"})
        elif fault == "quota":
            self.send(
                429, {"error": {"message": "pay first", "code": "insufficient_quota"}}, {"x-should-retry": "false"}
            )
        elif fault == "500":
            self.send(500, {"error": {"message": "oops"}})
        elif fault == "400":
            self.send(400, {"error": {"message": "this prompt is not wanted"}})
        elif fault == "junk":
            self.send(200, b'{"choices": [{"mess')
        elif fault == "cut":
            body = json.dumps(self.chat.complete(body)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault == "hang":
            time.sleep(2)
            self.close_connection = True
        else:
            raise ValueError(fault)
