"""How commands end."""

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recbole_llmdistill.cli.exit_status import cli_errors
from recbole_llmdistill.errors import InputError


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("what, where, what to do"), 2, "error: what, where, what to do"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a"),
            2,
            "error: out/a: No space left on device; make room and start it again",
        ),
        (OSError(errno.EROFS, "Read-only file system", "log"), 2, "error: log: Read-only file system"),
    ],
)
def test_one_line_and_a_status(capsys, error: BaseException, status: int, line: str) -> None:
    @cli_errors
    def command() -> None:
        raise error

    assert command() == status
    assert capsys.readouterr().err == line + "\n"


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    program = (
        "import sys; from recbole_llmdistill.cli.exit_status import cli_errors\n"
        "@cli_errors\n"
        "def command():\n"
        "    for _ in range(100_000): print('a line', flush=True)\n"
        "sys.exit(command())"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "a line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


def test_an_error_of_the_system_that_is_a_mistake_in_here_keeps_its_traceback() -> None:
    @cli_errors
    def command() -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(OSError, match="Bad file descriptor"):
        command()


SLOW_COMMAND = """
import sys, time
from pathlib import Path
from recbole_llmdistill.cli.exit_status import cli_errors
@cli_errors
def command():
    try:
        Path("began").touch()
        time.sleep(100)
    finally:
        Path("cleared").touch()
        time.sleep(float(sys.argv[1]))
sys.exit(command())
"""


def begin(clearing_seconds: float, **options) -> subprocess.Popen:
    """The command above, once it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SLOW_COMMAND, str(clearing_seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
    while not Path("began").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM"), (signal.SIGHUP, "ended by SIGHUP")],
)
def test_a_signal_clears_up_and_is_told(tmp_path, monkeypatch, number: int, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    process = begin(0)
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", line + "\n")
    assert process.returncode == 128 + number
    assert Path("cleared").exists()


def test_a_second_ctrl_c_does_not_wait_for_the_clearing_up(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    process = begin(100)
    process.send_signal(signal.SIGINT)
    while not Path("cleared").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "interrupted\n")
    assert process.returncode == 130


def test_nohup_stays_in_force(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    process = begin(0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143


def test_closed_streams_do_not_let_output_into_files(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = (
        "import os, subprocess, sys; from recbole_llmdistill.cli.exit_status import cli_errors\n"
        "@cli_errors\n"
        "def command():\n"
        "    with open('result', 'w') as file:\n"
        "        print('a line', flush=True); print('another', file=sys.stderr, flush=True)\n"
        "        subprocess.run(['echo', 'of a child']); sys.stdin.read()\n"
        "        file.write(str(file.fileno() > 2))\n"
        "sys.exit(command())"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], check=False)
    assert done.returncode == 0
    assert Path("result").read_text() == "True"


def test_a_full_device_as_standard_output_is_told() -> None:
    program = (
        "import sys; from recbole_llmdistill.cli.exit_status import cli_errors\n"
        "sys.exit(cli_errors(lambda: print('a line'))())"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: a file, or the output of this command: No space left on device; make room and start it again\n"
    )


def test_ctrl_c_while_recbole_is_imported(tmp_path: Path) -> None:
    (tmp_path / "recbole").mkdir()
    (tmp_path / "recbole" / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    (tmp_path / "llmdistill").write_text("import sys, llmdistill_commands; sys.exit(llmdistill_commands.llmdistill())")
    command = [sys.executable, "-W", "ignore", str(tmp_path / "llmdistill"), "compare", "--models=SASRec", "--out=out"]
    done = subprocess.run([*command, "--dataset=ml-100k"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize("error", [RuntimeError("unexpected pos 640 vs 598"), OSError(errno.EBADF, "Bad descriptor")])
def test_an_error_that_a_library_makes_of_an_interruption_is_one(capsys, error: Exception) -> None:
    @cli_errors
    def command() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise error from None

    assert command() == 143
    assert capsys.readouterr().err == "ended by SIGTERM\n"


def test_the_same_error_without_an_interruption_keeps_its_traceback() -> None:
    @cli_errors
    def command() -> None:
        raise RuntimeError("unexpected pos 640 vs 598")

    with pytest.raises(RuntimeError):
        command()
