"""Files and folders that are there as a whole or not at all, and what killed processes leave."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from recbole.trainer import Trainer

from recbole_llmdistill.compat.checkpoint_names import claim
from recbole_llmdistill.compat.checkpoints import read_checkpoint, write_checkpoint
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.scratch_folder import put_in_place, scratch_folder

KILLED = """
import os, signal
from pathlib import Path
from recbole_llmdistill.files.atomic_write import written_atomically
from recbole_llmdistill.files.scratch_folder import scratch_folder
with written_atomically(Path("vectors.npz")) as temporary, scratch_folder(".shop.partial-", Path(".")) as folder:
    temporary.write_text("half")
    (folder / "log").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path = Path(".")) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")

    def fail() -> None:
        with written_atomically(path) as temporary:
            temporary.write_text("half")
            assert temporary.suffix == ".json"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "before"
    assert names(tmp_path) == ["a.json"]


def test_two_at_once_do_not_meet_in_one_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with written_atomically(path) as first:
        first.write_text("first")
        with written_atomically(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.npz"]


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(names()) == 2
    with scratch_folder(".shopping.partial-", tmp_path), scratch_folder(".shop.partial-", tmp_path) as folder:
        assert len([name for name in names() if name.startswith(".shop.")]) == 1
        put_in_place(folder, tmp_path / "shop")
    with written_atomically(tmp_path / "other.npz") as temporary:
        temporary.write_text("whole")
    assert names() == ["other.npz", "shop"]
    assert names(tmp_path / "shop") == []


def test_a_living_process_keeps_its_temporary_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "import time; time.sleep(100)")
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program])
    try:
        while len(names()) < 2 or not list(Path(".").glob(".shop*/log")):
            time.sleep(0.01)
        with written_atomically(tmp_path / "other.npz") as temporary, scratch_folder(".shop.partial-", tmp_path):
            temporary.write_text("whole")
        assert len(names()) == 3
    finally:
        process.kill()
        process.wait()


def test_an_error_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as error, written_atomically(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / "a.json")
    with pytest.raises(FileNotFoundError) as error, written_atomically(tmp_path / "no" / "a.json"):
        pass
    assert error.value.filename == str(tmp_path / "no" / "a.json")


def test_one_command_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    with lock_output(tmp_path / "out"), pytest.raises(InputError, match="another command is writing there"):
        lock_output(tmp_path / "out")
    lock_output(tmp_path / "out").release()


class Owner:
    """Has a checkpoint's name."""


def test_two_runs_of_one_second_have_checkpoints_of_their_own(tmp_path: Path) -> None:
    path, one = tmp_path / "SASRec-now.pth", Owner()
    assert claim(path, one)
    assert not claim(path, Owner())
    del one
    assert names(tmp_path) == []
    assert claim(path, Owner())


def test_recbole_names_checkpoints_after_the_second(tmp_path: Path) -> None:
    import inspect

    source = inspect.getsource(inspect.unwrap(Trainer.__init__))
    assert '"{}-{}.pth".format(self.config["model"], get_local_time())' in source


def test_a_checkpoint_that_does_not_fit_says_why_and_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    write_checkpoint({"state_dict": {"a": torch.arange(3)}}, path)
    program = (
        "import resource, sys, torch; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "from recbole_llmdistill.compat.checkpoints import write_checkpoint\n"
        "try: write_checkpoint({'state_dict': {'a': torch.zeros(100_000)}}, sys.argv[1])\n"
        "except OSError as error: print(error.strerror, error.filename)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"File too large {path}\n", done.stderr
    assert torch.equal(read_checkpoint(path)["state_dict"]["a"], torch.arange(3))
    assert names(tmp_path) == ["model.pth"]
