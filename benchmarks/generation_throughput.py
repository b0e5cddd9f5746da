"""How many requests per second generation sends, and what memory it takes for a million users.

    python benchmarks/generation_throughput.py --users 20000
    python benchmarks/generation_throughput.py --users 1000000 --limit 200000 --no-http

The server answers at once, in a process of its own, so what is measured is this side: histories to text, the client,
the checks, the files. Histories are made up: 20 interactions a user with 20,000 items. Beside it the same number of
requests is sent by the bare client in a loop, which is the most that can be had from it on the machine at that time.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from recbole_llmdistill.formats.entity import USERS
from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.generation import ProfileWriter, Progress, generate
from recbole_llmdistill.profiles.history.histories import FieldColumn, Histories
from recbole_llmdistill.profiles.history.item_text import Catalogue
from recbole_llmdistill.profiles.ledger import Ledger
from recbole_llmdistill.profiles.llm.openai import OpenAIBackend, OpenAIOptions
from recbole_llmdistill.profiles.llm.protocol import Answer, Request
from recbole_llmdistill.profiles.prompts import load_prompt
from recbole_llmdistill.profiles.strategies import STRATEGIES

ITEMS, LENGTH, PORT = 20_000, 20, 8799
PROFILE = "Preferences: mostly calm drama. " + "This person likes thoughtful works from many countries. " * 15

SERVER = f"""
import asyncio, json
body = json.dumps({{"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [{{"index": 0,
  "message": {{"role": "assistant", "content": {PROFILE!r}}}, "finish_reason": "stop"}}],
  "usage": {{"prompt_tokens": 500, "completion_tokens": 180, "total_tokens": 680}}}}).encode()
model = {{"id": "m", "object": "model", "created": 1, "owned_by": "x"}}
models = json.dumps({{"object": "list", "data": [model]}}).encode()
head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""
    def data_received(self, data):
        self.received += data
        while (end := self.received.find(b"\\r\\n\\r\\n")) >= 0:
            header = self.received[:end].lower()
            length = int(header.split(b"content-length:")[1].split(b"\\r\\n")[0]) if b"content-length:" in header else 0
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length:]
            content = models if header.startswith(b"get") else body
            self.transport.write(head % len(content) + content)
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", {PORT})
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class InstantBackend:
    """Answers in this process: what is left is everything but the client."""

    llm, context_length, concurrency = "instant", 8192, 64

    def count_tokens(self, text: str) -> int:
        return len(text) // 3

    async def answer(self, request: Request) -> Answer:
        await asyncio.sleep(0)
        return Answer(PROFILE, "stop", 500, 180)

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


def made_up_histories(users: int) -> Histories:
    draw = np.random.default_rng(0)
    first = np.arange(users) * (LENGTH + 2)
    return Histories(
        catalogue=Catalogue(
            ("title", "genres"), ["", *(f"Title of item {item} | Comedy Drama" for item in range(ITEMS))], frozenset()
        ),
        columns=(FieldColumn("rating", draw.integers(0, 5, users * (LENGTH + 2), dtype=np.int32), list("12345")),),
        tokens=np.array([f"u{user}" for user in range(users)]),
        first=first,
        end=first + LENGTH,
        last=first + LENGTH + 2,
        items=draw.integers(1, ITEMS + 1, users * (LENGTH + 2), dtype=np.int32),
        without_training=0,
        training_fingerprint="",
    )


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def run(arguments: argparse.Namespace, histories: Histories, folder: Path) -> None:
    backend = InstantBackend() if arguments.no_http else OpenAIBackend("m", options())
    prompt = load_prompt("neutral-short").fitted(values=True, dates=False)
    await backend.start()
    window = ContextBudget(backend.count_tokens, backend.context_length, {prompt.name: prompt.max_tokens})
    writer = ProfileWriter(histories, [prompt], STRATEGIES["merge_after"], backend, window)
    ledger = Ledger(folder, USERS, {}, histories.tokens)
    limit = arguments.limit or arguments.users
    start, cpu = time.perf_counter(), time.process_time()

    def report(progress: Progress) -> None:
        if progress.profiles % max(1, limit // 5) == 0:
            print(f"  after {progress.profiles:>9,} users: {resident_mib():,.0f} MiB resident")

    await generate(writer, np.arange(limit), ledger, Progress(), report)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"generate: {limit / seconds:,.0f} users/s, {cpu / limit * 1e3:.2f} ms of processor time a user")
    ledger.close()
    await backend.close()


async def bare_client(requests: int, text: str) -> None:
    backend = OpenAIBackend("m", options())
    await backend.start()
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 400, "temperature": 0}
    numbers = iter(range(requests))

    async def work() -> None:
        for _ in numbers:
            response = await backend.client.chat.completions.with_raw_response.create(**body)
            json.loads(response.text)

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(64)))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"bare client: {requests / seconds:,.0f} requests/s, {cpu / requests * 1e3:.2f} ms of processor time each")
    await backend.close()


def options() -> OpenAIOptions:
    return OpenAIOptions(base_url=f"http://127.0.0.1:{PORT}/v1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--limit", type=int, help="ask for so many of them only")
    parser.add_argument("--no-http", action="store_true", help="answer in this process, to see memory without waiting")
    arguments = parser.parse_args()
    print(f"{arguments.users:,} users; before: {resident_mib():,.0f} MiB")
    histories = made_up_histories(arguments.users)
    print(f"histories of {LENGTH} interactions per user: {resident_mib():,.0f} MiB")
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(run(arguments, histories, Path(folder)))
        if not arguments.no_http:
            text = (
                load_prompt("neutral-short")
                .fitted(values=True, dates=False)
                .render("create", histories.header, histories[0].lines)
            )
            asyncio.run(bare_client(min(arguments.users, 5000), text))
    finally:
        server.terminate()
        server.wait()
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
