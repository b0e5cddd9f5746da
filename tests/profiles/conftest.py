"""A small shop, servers that answer for it, and the command line in this process."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer
from shop_dataset import write_shop

from recbole_llmdistill.cli import llmdistill


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_shop(tmp_path)
    return tmp_path


@pytest.fixture
def serve() -> Iterator[Callable[..., ChatServer]]:
    servers = []

    def start(*args, **kwargs) -> ChatServer:
        servers.append(ChatServer(*args, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def command(monkeypatch) -> Callable[..., int]:
    """Runs ``llmdistill`` with arguments, returns its exit status."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["llmdistill", *map(str, arguments)])
        return llmdistill.main()

    return run


@pytest.fixture
def generate(command) -> Callable[..., int]:
    """Runs ``llmdistill generate`` for the shop."""

    def run(*arguments: str) -> int:
        return command("generate", "-d", "shop", "--config_files", "shop.yaml", *arguments)

    return run
