"""The converters and the settings of their data sets arrive in a wheel, and work from it in an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_convert_from_a_wheel(tmp_path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(".git", "build", "*.egg-info", "__pycache__"))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)  # where an environment of uv has no pip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    for path in (CHECKOUT / "dataset_converters").glob("*.py"):
        assert f"recbole_llmdistill/dataset_converters/{path.name}" in names
    for path in (CHECKOUT / "properties" / "dataset" / "converted").glob("*.yaml"):
        assert f"recbole_llmdistill/properties/dataset/converted/{path.name}" in names
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "log.csv").write_text("user_id,item_id,timestamp\nu,i,1400000000\nu,j,1400000001\n")
    code = "import sys, llmdistill_commands as c; print(c.__file__); sys.exit(c.llmdistill())"
    done = subprocess.run(
        [sys.executable, "-c", code, "convert", "csv", "--input", "log.csv", "--out", "dataset/own"],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "installed") in done.stdout
    assert (empty / "dataset" / "own" / "own.yaml").is_file()
