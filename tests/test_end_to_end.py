"""The whole road by the script that users are shown: generate, encode, inspect, train."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_llmdistill.formats.vectors import read_profile_file

SCRIPT = Path(__file__).resolve().parents[1] / "run_scripts" / "end_to_end.sh"


@pytest.mark.slow
def test_from_a_data_set_to_a_distilled_model(tmp_path) -> None:
    commands = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", SCRIPT, "ml-100k", "none:summary", "work", "--epochs=1", "--show_progress=False"],
        env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "The profiles were written from this very training split." in done.stdout
    assert "distillation loss: " in done.stderr
    assert len(read_profile_file(tmp_path / "work" / "vectors" / "ml-100k.useremb.npz").tokens) == 943
    fingerprints = {
        json.loads((tmp_path / "work" / stage / "manifest.json").read_text())["training_fingerprint"]
        for stage in ("profiles", "vectors")
    }
    assert len(fingerprints) == 1
