"""``llmdistill export``: a checkpoint in, a folder out, which ``recommend`` reads."""

import json
import sys
from pathlib import Path

import pytest
import torch

from recbole_llmdistill.cli.llmdistill import main

pytest.importorskip("onnxruntime")


def command(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["llmdistill", *map(str, arguments)])
    capsys.readouterr()
    return main(), *capsys.readouterr()


def test_export_and_recommend(monkeypatch, capsys, checkpoint) -> None:
    file = checkpoint()
    status, out, err = command(monkeypatch, capsys, "export", "--checkpoint", file, "--out", "folder")
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("folder: SASRecDistill as onnx fp32, 60 items, ")
    assert second == "Scores are those of PyTorch within 1e-05, over batches of several shapes."
    Path("rows.jsonl").write_text(json.dumps(["i1", "i2"]) + "\n[]\n")
    written = []
    for source in (file, "folder"):
        arguments = ["--checkpoint", source, "--sequences", "rows.jsonl", "--topk", 5, "--overwrite"]
        assert command(monkeypatch, capsys, "recommend", *arguments, "--out", "r.jsonl")[0] == 0
        rows = map(json.loads, Path("r.jsonl").read_text().splitlines())
        written.append([(row["item_ids"], row["source"]) for row in rows])
    assert written[0] == written[1]
    arguments = ["--checkpoint", "folder", "--users", "all", "--topk", 5]
    status, out, err = command(monkeypatch, capsys, "recommend", *arguments, "--out", "u.csv")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err == "error: folder is an export, which holds no histories of users; give --sequences\n"


def test_weights_that_are_no_numbers(monkeypatch, capsys, checkpoint) -> None:
    file = checkpoint()
    state = torch.load(file, weights_only=True)
    state["state_dict"]["position_embedding.weight"][0, 0] = torch.nan
    torch.save(state, file)
    status, out, err = command(monkeypatch, capsys, "export", "--checkpoint", file, "--out", "folder")
    assert (status, out) == (2, "")
    assert err == f"error: {file}: the weight position_embedding.weight holds NaN; train again\n"
    assert not Path("folder").exists()
