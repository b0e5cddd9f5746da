"""The example that recommends films by their titles."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "next_films.py"
TRAINING = ["--model=SASRecDistill", "--dataset=ml-100k", "--epochs=1", "--hidden_size=16", "--show_progress=False"]


def run(*command: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.slow
def test_titles_in_titles_out(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained = run("-m", "recbole_llmdistill.cli.run_recbole", *TRAINING)
    assert trained.returncode == 0, trained.stderr[-2000:]
    (checkpoint,) = Path("saved").glob("*.pth")
    done = run(str(EXAMPLE), str(checkpoint), "Star Wars", "Toy Story")
    assert done.returncode == 0, done.stderr[-2000:]
    titles = [line.strip().partition("  ")[2] for line in done.stdout.splitlines()]
    assert len(set(titles)) == 3
    assert not {"Star Wars", "Toy Story"} & set(titles)
    unknown = run(str(EXAMPLE), str(checkpoint), "Stair Wars")
    assert unknown.returncode == 1
    assert unknown.stderr == "MovieLens-100K has no film 'Stair Wars'\n"
