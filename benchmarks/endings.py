"""What do a full disk, a read-only folder, closed streams and signals cost? Each command meets each, and goes on.

    python benchmarks/endings.py --out benchmarks/results/survive.jsonl

A command runs once to its end without being disturbed. Then, for each attack, it is disturbed, must end with one line
and the status that stands in docs/reliability.md, is started again as its documentation says, and must leave the same
result. Full disks and read-only folders are small file systems in memory, which only root may mount; they are left out
elsewhere.
"""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import survive
from shop_dataset import write_shop
from survive import (
    LLMDISTILL,
    Attack,
    digests,
    left_files,
    log_of,
    outcome_of,
    profiles_of,
    run,
    started,
    wait_until_begun,
)

_SECONDS = 600  # in which any command here ends


def summaries() -> Attack:
    """Profiles without an LLM; the same command continues."""
    start = [*LLMDISTILL, "generate", "--dataset=shop", "--config_files=shop.yaml", "--llm=none:summary", "--out=out"]

    return Attack(
        "generate, none:summary",
        start,
        lambda folder: start,
        profiles_of,
        lambda folder: write_shop(folder, users=3000),
        lambda folder: (folder / "out" / "profiles.jsonl").is_file(),
    )


def reducing() -> Attack:
    """Vectors of many users; the same command starts again."""
    start = [*LLMDISTILL, "reduce", "--dataset=ml-100k", "--vectors=vectors", "--dimensions=16", "--out=out"]

    def begin(folder: Path) -> None:
        from recbole_llmdistill.formats.vectors import write_binary

        (folder / "vectors").mkdir()
        write_binary(folder / "vectors" / "ml-100k.useremb.npz", *_vectors(20_000, 64))

    return Attack(
        "reduce",
        start,
        lambda folder: start,
        lambda folder: digests(folder / "out"),
        begin,
        lambda folder: any(folder.glob("out/.*reduce-*")),
    )


def importing() -> Attack:
    """Vectors of somebody else's; the same command starts again."""
    start = [*LLMDISTILL, "import", "given.npz", "--dataset=ml-100k", "--out=out"]

    def begin(folder: Path) -> None:
        users, vectors = _vectors(943, 512)
        np.savez(folder / "given.npz", user_id=users, user_emb=vectors)

    return Attack(
        "import",
        start,
        lambda folder: start,
        lambda folder: digests(folder / "out"),
        begin,
        lambda folder: any(folder.glob("out/.import-*")),
    )


def merging() -> Attack:
    """Two shards; the same command starts again."""
    start = [*LLMDISTILL, "merge", "one", "two", "--out=out"]

    def begin(folder: Path) -> None:
        for number, name in enumerate(("one", "two"), start=1):
            (folder / name).mkdir()
            manifest = {"dataset": "shop", "training_fingerprint": "sha256:ab", "shard": f"{number}/2", "users": 60_000}
            (folder / name / "manifest.json").write_text(json.dumps(manifest))
            with open(folder / name / "profiles.jsonl", "w") as file:
                for user in range(30_000):
                    file.write(json.dumps({"user_id": f"{name}{user}", "profile": "Likes tea. " * 20}) + "\n")

    return Attack(
        "merge",
        start,
        lambda folder: start,
        lambda folder: digests(folder / "out"),
        begin,
        lambda folder: (folder / "out" / ".lock").is_file(),
    )


def _vectors(users: int, dimensions: int) -> tuple[list[str], np.ndarray]:
    values = np.random.default_rng(0).standard_normal((users, dimensions)).astype(np.float32)
    return [str(user + 1) for user in range(users)], values


COMMANDS: dict[str, Callable[[], Attack]] = {
    **{"merge": merging, "import": importing, "reduce": reducing, "summary": summaries},
    **{name: survive.ATTACKS[name] for name in ("generate", "encode", "convert", "training", "compare", "tune")},
}


class Ended:
    """How a disturbed command ended.

    Args:
        statuses: of its processes, where there were several.
        expected: what the documentation promises of each.
    """

    def __init__(self, statuses: list[int], expected: set[int]) -> None:
        self.statuses, self.expected = statuses, expected


def signalled(*numbers: int) -> Callable[[Attack, Path], Ended]:
    """An attack by signals, each a moment after the one before."""

    def attack(command: Attack, folder: Path) -> Ended:
        if (
            signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        ):  # as of a shell's background; the command would inherit it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        process = started(command.start, folder)
        wait_until_begun(command, process, folder)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.3)
        return Ended([process.wait(_SECONDS)], {128 + numbers[0]})

    return attack


def without(redirection: str) -> Callable[[Attack, Path], Ended]:
    """An attack by a closed stream."""

    def attack(command: Attack, folder: Path) -> Ended:
        return Ended([run(["sh", "-c", f'exec "$@" {redirection}', "sh", *command.start], folder)], {0})

    return attack


def two_at_once(command: Attack, folder: Path) -> Ended:
    """The same command twice in one folder: both succeed, or one is told that the other is there."""
    processes = [started(command.start, folder) for _ in range(2)]
    return Ended([process.wait(_SECONDS) for process in processes], {0, 2})


def file_too_large(command: Attack, folder: Path) -> Ended:
    """No file may grow beyond half of the largest that the command writes, as on a full disk."""
    limit = _largest_output(command) // 2
    process = started(
        command.start, folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    return Ended([process.wait(_SECONDS)], {2} if command.name != "compare" else {1, 2})


def disk_full(command: Attack, folder: Path) -> Ended:
    """A file system that has room for half of what the command writes."""
    with _mounted(folder, _size(folder) + _written[command.name] // 2) as remount:
        status = run(command.start, folder)
        remount(2**30)
        Path(folder, "log.txt").write_text(log_of(folder))
        _outcomes[command.name] = outcome_of(command, folder, _results[command.name])
    return Ended([status], {2} if command.name != "compare" else {1, 2})


def read_only(command: Attack, folder: Path) -> Ended:
    """A file system that is mounted read-only."""
    with _mounted(folder, 2**30) as remount, tempfile.TemporaryFile() as log:
        remount("ro")
        status = started(command.start, folder, stdout=log, stderr=log).wait(_SECONDS)
        remount("rw")
        log.seek(0)
        Path(folder, "log.txt").write_bytes(log.read())
        _outcomes[command.name] = outcome_of(command, folder, _results[command.name])
    return Ended([status], {2})


ATTACKS: dict[str, Callable[[Attack, Path], Ended]] = {
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGHUP": signalled(signal.SIGHUP),
    "Ctrl-C": signalled(signal.SIGINT),
    "Ctrl-C twice": signalled(signal.SIGINT, signal.SIGINT),
    "closed stdout": without(">&-"),
    "closed stderr": without("2>&-"),
    "two at once": two_at_once,
    "file size limit": file_too_large,
    "full disk": disk_full,
    "read-only folder": read_only,
}
"""Name -> disturbs a command in a folder with its input."""
AS_ROOT = ("full disk", "read-only folder")

_results: dict[str, Any] = {}  # of the undisturbed run, by the command's name
_written: dict[str, int] = {}  # bytes that it wrote
_largest: dict[str, int] = {}  # bytes of the largest file that it wrote
_outcomes: dict[str, str] = {}


def _largest_output(command: Attack) -> int:
    return _largest[command.name]


def _size(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@contextmanager
def _mounted(folder: Path, size: int) -> Iterator[Callable[[int | str], None]]:
    """Move what lies in a folder into a small file system that is mounted there; gives what changes its options."""
    held = folder.with_name(f"{folder.name}-held")
    folder.rename(held)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(size, 2**16)}", "none", folder], check=True)
    try:
        shutil.copytree(held, folder, dirs_exist_ok=True)

        def remount(option: int | str) -> None:
            change = f"remount,size={option}" if isinstance(option, int) else f"remount,{option}"
            subprocess.run(["mount", "-o", change, folder], check=True)

        yield remount
        shutil.copytree(folder, held, dirs_exist_ok=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
        held.rename(folder)


def may_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
        return done.returncode == 0 and subprocess.run(["umount", folder], check=False).returncode == 0


def meet(command: Attack, source: Path, name: str) -> dict[str, Any]:
    """Let a command meet an attack, and go on.

    Args:
        command: one whose undisturbed run has been made by :func:`prepare`.
        source: folder with its input.
        name: of the attack.

    Returns:
        A line for the table: the statuses, what was said last, and whether all was as documented.
    """
    folder = source.with_name("attacked")
    shutil.copytree(source, folder)
    _outcomes.clear()
    ended = ATTACKS[name](command, folder)
    said = log_of(folder)
    outcome = _outcomes.get(command.name) or outcome_of(command, folder, _results[command.name])
    files = left_files(folder)
    shutil.rmtree(folder)
    lines = re.findall(r"error: .*|interrupted|ended by SIG\w+", said)  # of two at once, one may write behind a bar
    return {
        "attack": name,
        "command": command.name,
        "statuses": ended.statuses,
        "line": lines[-1] if lines else "",
        "as_documented": set(ended.statuses) <= ended.expected
        and "Traceback" not in said
        and (bool(lines) or not any(ended.statuses) or "stderr" in name),
        "result": outcome,
        "left_files": files,
        "said": said[-3000:],
    }


def prepare(command: Attack, folder: Path) -> Path:
    """Run a command undisturbed; the folder with its input."""
    source, whole = folder / "source", folder / "whole"
    source.mkdir()
    command.begin(source)
    shutil.copytree(source, whole)
    survive.undisturbed(command, whole)
    _results[command.name] = command.result(whole)
    before = {path.relative_to(source) for path in source.rglob("*")} | {Path("log.txt")}
    written = [path for path in whole.rglob("*") if path.is_file() and path.relative_to(whole) not in before]
    _written[command.name] = sum(path.stat().st_size for path in written)
    _largest[command.name] = max(path.stat().st_size for path in written)
    return source


def main() -> None:
    """Let the commands meet the attacks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), help=f"of {', '.join(COMMANDS)}; default: all")
    parser.add_argument("--attacks", help="separated by commas; default: all")
    parser.add_argument("--out", type=Path, help="append the outcomes to this file of JSON lines")
    given = parser.parse_args()
    names = given.attacks.split(",") if given.attacks else list(ATTACKS)
    if not may_mount():
        names = [name for name in names if name not in AS_ROOT]
    print("| command | attack | statuses | as documented | result after going on |\n|---|---|---|---|---|")
    for name in given.commands:
        command = COMMANDS[name]()
        with tempfile.TemporaryDirectory() as folder:
            source = prepare(command, Path(folder))
            for attack in names:
                met = meet(command, source, attack)
                statuses = ", ".join(map(str, met["statuses"]))
                good = "yes" if met["as_documented"] else "no"
                print(f"| {command.name} | {attack} | {statuses} | {good} | {met['result']} |", flush=True)
                said = met.pop("said")
                if good == "no" or met["result"] != "same" or met["left_files"]:
                    print(f"{met}\n{said}\n", file=sys.stderr, flush=True)
                if given.out:
                    with open(given.out, "a", encoding="utf-8") as file:
                        file.write(json.dumps(met) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
