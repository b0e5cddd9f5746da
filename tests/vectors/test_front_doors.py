"""``encode`` and ``reduce`` from Python: without a command line, also within a running event loop."""

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest

from recbole_llmdistill import encode, reduce
from recbole_llmdistill.api.encode import EncodeOptions
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import read_profile_file


def test_from_texts_to_short_vectors(tmp_path: Path, monkeypatch, capsys) -> None:
    arguments = ["notebook", "--epochs=3", "-f", "kernel.json"]
    monkeypatch.setattr(sys, "argv", arguments)
    level = logging.getLogger().level
    full = encode(dataset="ml-100k", out=tmp_path / "full", ngrams=1, show_progress=False)
    short = reduce(
        dataset="ml-100k", vectors=tmp_path / "full", out=tmp_path / "short", dimensions=8, show_progress=False
    )
    assert full.shape == (943, 1, 64)
    assert [path.name for path in full.files] == ["ml-100k.useremb.npz", "ml-100k.useremb"]
    assert short.full_dimensions == 64
    assert short.shape == read_profile_file(short.files[0]).vectors.shape == (943, 1, 8)
    manifest = json.loads((tmp_path / "short" / "manifest.json").read_text())
    assert manifest["encoder"]["ngrams"] == 1
    assert any("943 users" in note for note in full.messages.notes)
    assert sys.argv is arguments
    assert logging.getLogger().level == level
    assert capsys.readouterr() == ("", "")


def test_in_a_running_event_loop(tmp_path: Path, write_profiles, embeddings_server) -> None:
    folder = write_profiles({f"{user}": f"text of user {user}" for user in range(1, 9)})
    options = EncodeOptions(
        dataset="ml-100k", profiles=folder, out=tmp_path / "v", encoder="openai:tiny", base_url=embeddings_server.url
    )

    async def cell():
        return encode(options, text=False, show_progress=False)

    result = asyncio.run(cell())
    assert result.shape == (8, 1, 4)
    assert [path.name for path in result.files] == ["ml-100k.useremb.npz"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"dimensions": 0}, "--dimensions=0: input should be greater"),
        ({"dimension": 8}, "dimension: no encoder has such an option; did you mean dimensions"),
        ({"prefix": "query: "}, "--prefix means nothing to --encoder=tfidf"),
        ({"encoder": ""}, "--encoder=: "),
        ({"out": None}, "--out=None"),
        ({"settings": {"embeding_size": 1}}, "embedding_size"),
    ],
)
def test_bad_input_is_one_kind_of_error(tmp_path: Path, keywords: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        encode(**{"dataset": "ml-100k", "out": tmp_path / "v", **keywords})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InputError, match="--vectors: field required"):
        reduce(dataset="ml-100k")
