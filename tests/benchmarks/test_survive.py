"""What ``kill -9``, full disks, closed streams and signals cost, by what measured docs/reliability.md."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def scripts():
    """The two scripts as modules."""
    import endings
    import survive

    return survive, endings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["training", "training-nproc", "generate", "encode", "convert", "tune", "compare"])
def test_kill_9_loses_nothing(scripts, name: str) -> None:
    survive, _ = scripts
    attack = survive.ATTACKS[name]()
    counts = survive.survive(attack, kills=2, seed=1)
    assert counts["same"] == 2, counts
    assert (counts["left_processes"], counts["left_files"]) == (0, 0), counts
    if attack.server:
        assert counts["asked_again"] <= 2 * 2  # those under way, two at a time


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "attacks"),
    [
        ("merge", ["SIGTERM", "file size limit", "full disk", "read-only folder", "two at once"]),
        ("reduce", ["SIGHUP", "file size limit", "full disk", "read-only folder", "two at once"]),
        ("import", ["Ctrl-C", "file size limit", "full disk", "read-only folder", "two at once"]),
        ("summary", ["Ctrl-C twice", "file size limit", "full disk", "read-only folder", "closed stdout"]),
        ("generate", ["SIGTERM", "Ctrl-C twice", "two at once", "closed stderr"]),
        ("encode", ["SIGTERM", "file size limit", "full disk", "read-only folder", "two at once", "closed stdout"]),
        ("convert", ["SIGTERM", "Ctrl-C twice", "file size limit", "full disk", "read-only folder", "two at once"]),
        ("training", ["SIGTERM", "file size limit", "full disk", "read-only folder", "two at once"]),
        ("compare", ["SIGTERM", "Ctrl-C twice", "full disk"]),
        ("tune", ["SIGTERM", "Ctrl-C twice", "two at once"]),
    ],
)
def test_a_disturbed_command_says_so_in_a_line_and_goes_on(scripts, tmp_path: Path, name: str, attacks) -> None:
    _, endings = scripts
    command = endings.COMMANDS[name]()
    source = endings.prepare(command, tmp_path)
    for attack in attacks:
        if attack in endings.AS_ROOT and not endings.may_mount():
            continue
        met = endings.meet(command, source, attack)
        assert met["as_documented"], met
        assert met["result"] == "same", met
        assert met["left_files"] == [], met
