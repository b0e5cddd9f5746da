"""Benchmarks that few can run at their size: that they run at all."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "row"),
    [
        (
            "gpu_training.py",
            "--users 100 --items 200 --interactions 5000 --hidden 16 --length 20 --epochs 2",
            "| SASRecDistill |",
        ),
        ("big_catalogue.py", "--items 2000 --steps 2", "| gbce, 1024 |"),
        ("inference.py", "--rounds 1 --out inference.json", "| full_sort_topk, 256 |"),
    ],
)
def test_the_script_prints_its_table(script: str, arguments: str, row: str, tmp_path) -> None:
    command = [sys.executable, str(BENCHMARKS / script), *arguments.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert row in done.stdout
