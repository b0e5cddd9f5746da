"""Searches in processes of their own, and what they leave behind."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

SPACE = """
learning_rate: {loguniform: [0.001, 0.02]}
hidden_dropout_prob: {quniform: [0.1, 0.5, 0.1]}
distill_alpha: {uniform: [0.1, 0.8]}
"""


def start(command: list[str], output: Path) -> subprocess.Popen:
    if not any(argument.startswith("--epochs") for argument in command):
        command = [*command, "--epochs=4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(output, "w") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "recbole_llmdistill.cli.run_hyper", *command],
            env=environment, stdout=stream, stderr=stream,
        )  # fmt: skip


def search(command: list[str], status: int = 0) -> str:
    process = start(command, Path("output.txt"))
    assert process.wait(timeout=400) == status, Path("output.txt").read_text()[-3000:]
    return Path("output.txt").read_text()


def rows(out: str = "found") -> list[dict]:
    with open(Path(out, "trials.csv")) as file:
        return list(csv.DictReader(file))


def without_time(table: list[dict]) -> list[dict]:
    return [{**row, "seconds": ""} for row in table]


def best(out: str = "found") -> dict:
    return json.loads(Path(out, "best.json").read_text())


def evaluations(journal: str) -> list[dict]:
    return [json.loads(line) for line in journal.splitlines() if '"evaluation"' in line and line.endswith("}}")]
