"""Servers on loopback, each a process of its own, which the test ends."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving_process import Server, start
from small_export import small_export


@pytest.fixture(scope="session")
def exported_once(tmp_path_factory) -> Path:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("fastapi")
    return small_export(tmp_path_factory.mktemp("exports") / "model")


@pytest.fixture
def serve(exported_once) -> Iterator[Callable[..., Server]]:
    """Function (arguments, model=folder) -> a server that listens."""
    started: list[subprocess.Popen] = []

    def make(*arguments: object, model: Path | None = None) -> Server:
        process = start("--model", model or exported_once, "--port", 0, *arguments)
        started.append(process)
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line + process.stderr.read()
        return Server(process, int(found[1]))

    yield make
    for process in started:
        process.kill()
        process.communicate()
