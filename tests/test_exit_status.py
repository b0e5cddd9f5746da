"""How commands end."""

import subprocess
import sys

import pytest

from recbole_llmdistill.cli.exit_status import ends_with_one_line
from recbole_llmdistill.errors import InputError


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("what, where, what to do"), 2, "error: what, where, what to do"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_one_line_and_a_status(capsys, error: BaseException, status: int, line: str) -> None:
    @ends_with_one_line
    def command() -> None:
        raise error

    assert command() == status
    assert capsys.readouterr().err == line + "\n"


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    program = (
        "import sys; from recbole_llmdistill.cli.exit_status import ends_with_one_line\n"
        "@ends_with_one_line\n"
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
