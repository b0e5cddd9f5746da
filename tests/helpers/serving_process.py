"""``llmdistill serve`` as a process of its own, on loopback."""

import http.client
import json
import signal
import subprocess
import sys
from typing import Any, NamedTuple


class Server(NamedTuple):
    """A running ``llmdistill serve``."""

    process: subprocess.Popen
    port: int

    def ask(
        self, method: str, path: str, body: object = None, headers: dict | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON (or text) and headers of the answer, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            raw = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, path, raw, {"Content-Type": "application/json"} if headers is None else headers)
            response = connection.getresponse()
            content = response.read()
            is_json = response.getheader("content-type") == "application/json"
            return response.status, json.loads(content) if is_json else content.decode(), dict(response.getheaders())
        finally:
            connection.close()

    def recommend(self, **body: object) -> tuple[int, Any, dict[str, str]]:
        return self.ask("POST", "/recommend", body)

    def end(self) -> tuple[int, str, str]:
        """Status, the rest of the output, and errors."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def start(*arguments: object) -> subprocess.Popen:
    code = f"import sys, llmdistill_commands; sys.argv = {['llmdistill', 'serve', *map(str, arguments)]!r}; "
    code += "sys.exit(llmdistill_commands.llmdistill())"
    return subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True)
