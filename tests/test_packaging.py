"""A wheel in an empty folder does what the checkout does."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def build_wheel(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(CHECKOUT)],
        check=True, capture_output=True, timeout=200,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_a_wheel_runs_the_main_command_in_an_empty_folder(tmp_path) -> None:
    wheel = build_wheel(tmp_path / "dist")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {
        path.relative_to(CHECKOUT).as_posix()
        for top in ("properties", "dataset_converters")
        for path in (CHECKOUT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"recbole_llmdistill/{name}" for name in shipped} <= set(names)

    venv.create(tmp_path / "venv", with_pip=True)
    commands = tmp_path / "venv" / "bin"
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONPATH", None)

    def install(*requirements: str | Path) -> None:
        done = subprocess.run(
            [commands / "pip", "install", "-q", *requirements],
            check=True, capture_output=True, text=True, timeout=1200, env=environment,
        )  # fmt: skip
        assert "dependency conflicts" not in done.stderr

    install("torch==2.13.0")
    install("-c", CHECKOUT / "constraints.txt", wheel)
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [commands / command[0], *command[1:]],
            cwd=empty, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    for command in ("run_recbole", "--model=SASRecDistill", "--dataset=ml-100k"), ("llmdistill", "doctor"):
        without_recbole = run(*command)
        assert without_recbole.returncode in (1, 2)
        assert "Traceback" not in without_recbole.stderr
        assert "pip install --no-deps recbole==1.2.1" in without_recbole.stdout + without_recbole.stderr
    imported = run("python", "-c", "import recbole_llmdistill; from recbole.quick_start import run_recbole")
    assert imported.stderr.splitlines()[-1].endswith("RecBole is not installed: pip install --no-deps recbole==1.2.1")

    install("--no-deps", "recbole==1.2.1")
    trained = run("run_recbole", "--model=SASRecDistill", "--dataset=ml-100k", "--epochs=1")
    assert trained.returncode == 0, trained.stderr[-3000:]
    assert "distillation loss: " in trained.stderr
    assert "test result" in trained.stderr
    assert "Warning" not in trained.stderr
    healthy = run("llmdistill", "doctor", "--dataset=ml-100k")
    assert healthy.returncode == 0, healthy.stdout
    assert str(tmp_path / "venv") in healthy.stdout.splitlines()[-1]  # the profiles inside the wheel
    converters = run("python", "-c", "import recbole_llmdistill.dataset_converters as c; print(c.__file__)")
    assert str(tmp_path / "venv") in converters.stdout, converters.stderr
