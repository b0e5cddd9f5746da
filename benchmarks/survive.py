"""What does ``kill -9`` at a random moment cost? Each long command is killed, continued, and compared with itself.

    python benchmarks/survive.py --kills 20 --out benchmarks/results/survive.jsonl

A command runs once to its end without being disturbed. Then, ``--kills`` times, it is started, killed at a random
moment between its first output and its end, and continued the way its documentation says until it ends. Every second
time its own process alone is killed, as the system does when memory runs out, and those that it has started must end
by themselves; the other times all are killed. Printed are how often the result was lost (the continued run failed), how
often it differed, processes and temporary files that were left behind in the end, and for ``generate`` how many
requests the LLM's server got beyond one per user. A command that ended before it was to be killed is started again. The
data are small: what is measured is not speed.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "helpers"))

from chat_server import ChatServer  # noqa: E402
from shop_dataset import write_shop  # noqa: E402
from tiny_dataset import write_tiny_dataset  # noqa: E402

RUN_RECBOLE = [sys.executable, "-m", "recbole_llmdistill.cli.run_recbole"]
LLMDISTILL = [sys.executable, "-m", "recbole_llmdistill.cli.llmdistill"]
TINY = [
    *("--dataset=tiny", "--load_col={'inter':['user_id','item_id','timestamp']}", "--hidden_size=16"),
    *("--show_progress=False", "--sequence_precision=float32"),
]


@dataclass
class Attack:
    """A command, how it is continued, and what must be the same in the end.

    Attributes:
        name: what the table calls it.
        start: its command line.
        again: (folder) -> command line that continues what was killed there.
        result: (folder) -> what it left behind, without times and paths.
        begin: (folder) -> puts its input there.
        begun: (folder) -> whether it has done something; killed before that, it has nothing to lose.
        server: an LLM's server that it asks, or None.
    """

    name: str
    start: list[str]
    again: Callable[[Path], list[str]]
    result: Callable[[Path], Any]
    begin: Callable[[Path], None]
    begun: Callable[[Path], bool]
    server: ChatServer | None = None


def training(name: str, *more: str) -> Attack:
    """Training in two stages; the log of the killed run says what continues it."""
    start = [*RUN_RECBOLE, "--model=SASRecDistill", *TINY, "--epochs=60", "--distill_epochs=30", *more]

    def again(folder: Path) -> list[str]:
        options = re.findall(r"continue it with (--distill_resume=\S+)", log_of(folder))
        state = Path(folder, options[-1].partition("=")[2]) if options else None
        return [*start, options[-1]] if state and state.is_file() else start

    def result(folder: Path) -> Any:
        import torch

        newest = max(folder.glob("saved/*.pth"), key=lambda file: file.stat().st_mtime)
        state = torch.load(newest, weights_only=True)
        digest = hashlib.sha256()
        for key, value in state["state_dict"].items():
            digest.update(key.encode() + value.numpy().tobytes())
        tested = re.findall(r"test result: (.*)", log_of(folder))
        return {"weights": digest.hexdigest(), "epoch": state["epoch"], "test": tested[-1]}

    return Attack(name, start, again, result, begin_tiny, lambda folder: "epoch 0 training" in log_of(folder))


def begin_tiny(folder: Path) -> None:
    """A data set with profile vectors."""
    (folder / "dataset" / "tiny").mkdir(parents=True)
    write_tiny_dataset(folder / "dataset" / "tiny")


def profiles_of(folder: Path) -> list[tuple[str, str]]:
    """What ``generate`` wrote of whom, in the order of the users."""
    lines = (folder / "out" / "profiles.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted((record["user_id"], record["profile"]) for record in map(json.loads, lines))


def generation(users: int = 60) -> Attack:
    """An LLM's server that takes its time; the same command continues."""
    server = ChatServer(delay=0.2)
    start = [
        *LLMDISTILL, "generate", "--dataset=shop", "--config_files=shop.yaml", "--llm=openai:tiny",
        f"--base-url={server.url}", "--concurrency=2", "--context-length=8192", "--out=out",
    ]  # fmt: skip

    return Attack(
        "generate",
        start,
        lambda folder: start,
        profiles_of,
        lambda folder: write_shop(folder, users=users),
        lambda folder: (folder / "out" / "profiles.jsonl").is_file(),
        server,
    )


def encoding() -> Attack:
    """A sentence encoder in batches of a few texts; the same command continues."""
    start = [
        *LLMDISTILL, "encode", "--dataset=ml-100k", "--encoder=encoder/tiny", "--batch-size=4", "--out=out",
    ]  # fmt: skip

    def begin(folder: Path) -> None:
        from tiny_sentence_encoder import build_sentence_encoder

        from recbole_llmdistill.files.resources import properties

        lines = properties("profiles", "ml-100k", "profiles.jsonl").read_text(encoding="utf-8").splitlines()
        build_sentence_encoder(folder / "encoder", [json.loads(line)["profile"] for line in lines])

    return Attack(
        "encode",
        start,
        lambda folder: start,
        lambda folder: digests(folder / "out"),
        begin,
        lambda folder: any(folder.glob("out/.*/batches.jsonl")),
    )


def conversion(rows: int = 1_000_000) -> Attack:
    """A click log; the same command starts again."""
    start = [*LLMDISTILL, "convert", "csv", "--input=log.csv", "--out=dataset/shop"]

    def begin(folder: Path) -> None:
        drawn = random.Random(0)
        with open(folder / "log.csv", "w", encoding="utf-8") as file:
            file.write("user_id,item_id,timestamp\n")
            for row in range(rows):
                file.write(f"u{drawn.randrange(rows // 20)},i{drawn.randrange(5000)},{1_600_000_000 + row}\n")

    return Attack(
        "convert",
        start,
        lambda folder: start,
        lambda folder: digests(folder / "dataset" / "shop"),
        begin,
        lambda folder: any(folder.glob("dataset/.shop.partial-*")),
    )


def tuning() -> Attack:
    """A search; ``--resume`` continues what has a journal."""
    start = [
        *LLMDISTILL,
        "tune",
        "--model=SASRecDistill",
        *TINY,
        "--trials=4",
        "--epochs=8",
        "--concurrency=1",
        "--out=found",
    ]

    def result(folder: Path) -> Any:
        best = json.loads((folder / "found" / "best.json").read_text(encoding="utf-8"))
        rows = list(csv.DictReader((folder / "found" / "trials.csv").read_text(encoding="utf-8").splitlines()))
        kept = {key: best[key] for key in ("trial", "values", "valid_score", "test_result", "epochs_trained")}
        return kept, [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    def again(folder: Path) -> list[str]:
        return [*start, "--resume"] if (folder / "found" / "journal.jsonl").is_file() else start

    return Attack(
        "tune", start, again, result, begin_tiny, lambda folder: (folder / "found" / "journal.jsonl").is_file()
    )


def comparing() -> Attack:
    """A comparison; the same command continues."""
    start = [
        *LLMDISTILL, "compare", "--models=SASRecDistill", *TINY, "--seeds=2", "--epochs=4", "--out=out",
    ]  # fmt: skip

    def result(folder: Path) -> Any:
        lines = (folder / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
        records = sorted(map(json.loads, lines), key=lambda record: (record["label"], record["seed"]))
        return [(record["label"], record["seed"], record["test"]) for record in records]

    return Attack(
        "compare", start, lambda folder: start, result, begin_tiny, lambda folder: any(folder.glob("out/logs/*.log"))
    )


ATTACKS: dict[str, Callable[[], Attack]] = {
    "training": lambda: training("training, both stages"),
    "training-nproc": lambda: training("training, --nproc=2", "--nproc=2"),
    "generate": generation,
    "encode": encoding,
    "convert": conversion,
    "tune": tuning,
    "compare": comparing,
}


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder that does not tell of times."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.suffix != ".json" and not file.name.startswith(".")
    }


def log_of(folder: Path) -> str:
    """What the commands have said there."""
    log = folder / "log.txt"
    return log.read_text(errors="replace") if log.is_file() else ""


def started(command: list[str], folder: Path, **options: Any) -> subprocess.Popen:
    """A command in a folder, its output appended to ``log.txt`` there; its processes are a group of their own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        if "stdout" not in options:
            options["stdout"] = options["stderr"] = stack.enter_context(open(folder / "log.txt", "a"))
        return subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, **options
        )


def run(command: list[str], folder: Path) -> int:
    """Run a command to its end; its exit status."""
    return started(command, folder).wait()


def wait_until_begun(attack: Attack, process: subprocess.Popen, folder: Path) -> None:
    """Return when the command has done something, or has ended."""
    while process.poll() is None and not attack.begun(folder):
        time.sleep(0.02)


def undisturbed(attack: Attack, folder: Path) -> float:
    """Run it to its end.

    Returns:
        Seconds from the first thing that it did.

    Raises:
        SystemExit: it failed.
    """
    process = started(attack.start, folder)
    wait_until_begun(attack, process, folder)
    begun = time.monotonic()
    if process.wait():
        raise SystemExit(f"{attack.name} failed undisturbed:\n{log_of(folder)[-3000:]}")
    return time.monotonic() - begun


def kill(attack: Attack, folder: Path, seconds: float, alone: bool) -> int | None:
    """Start it and kill it so many seconds after the first thing that it did.

    Args:
        attack: the command.
        folder: with its input.
        seconds: until then.
        alone: its own process alone rather than all.

    Returns:
        Its exit status, or None if it was killed.
    """
    process = started(attack.start, folder)
    wait_until_begun(attack, process, folder)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL) if alone else os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def working_in(folder: Path) -> list[str]:
    """Command lines of the processes whose working folder lies in ``folder``."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(" ".join(process.cmdline())[:200])
    return found


def left_processes(folder: Path, seconds: float = 60) -> tuple[list[str], float]:
    """What still works in ``folder`` after so many seconds, and how long the last one that ended took to."""
    begin = time.monotonic()
    while (found := working_in(folder)) and time.monotonic() - begin < seconds:
        time.sleep(0.1)
    return found, time.monotonic() - begin


def left_files(folder: Path) -> list[str]:
    """Temporary files and folders of commands that have ended."""
    marks = (".tmp-", ".partial-", ".import-", ".reduce-", ".encode-", ".claim")
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if any(mark in path.name for mark in marks)]


def outcome_of(attack: Attack, folder: Path, expected: Any) -> str:
    """Continue a killed command to its end: ``same``, ``different`` or ``lost``."""
    status = run(attack.again(folder), folder)
    try:
        found = attack.result(folder)
    except (OSError, ValueError, LookupError) as error:
        found = error
    if found == expected:  # a command killed as it ended may refuse to begin again, and nothing is lost
        return "same"
    print(found, log_of(folder)[-2000:], file=sys.stderr)
    return "lost" if status else "different"


def survive(attack: Attack, kills: int, seed: int) -> dict[str, Any]:
    """Kill one command ``kills`` times.

    Returns:
        Counts for the table.
    """
    drawn = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        source, whole = Path(name, "source"), Path(name, "undisturbed")
        source.mkdir()
        attack.begin(source)
        shutil.copytree(source, whole)
        duration = undisturbed(attack, whole)
        expected = attack.result(whole)
        per_user = sum(attack.server.asked.values()) if attack.server else 0
        counts: dict[str, Any] = {
            **{"attack": attack.name, "tries": kills, "ended_before": 0, "lost": 0, "different": 0},
            **{"left_processes": 0, "left_files": 0, "asked_again": 0, "longest_orphan_seconds": 0.0},
        }
        number = 0
        while number < kills:
            folder = Path(name, "killed")
            shutil.copytree(source, folder)
            if attack.server:
                attack.server.asked.clear()
            alone, moment = number % 2 == 0, duration * drawn.random()
            if kill(attack, folder, moment, alone) is not None:
                counts["ended_before"] += 1
                duration *= 0.8  # the machine has become faster
                shutil.rmtree(folder)
                continue
            number += 1
            left, seconds = left_processes(folder)
            counts["left_processes"] += bool(left)
            counts["longest_orphan_seconds"] = round(max(counts["longest_orphan_seconds"], seconds), 1)
            outcome = outcome_of(attack, folder, expected)
            counts[outcome] = counts.get(outcome, 0) + 1
            files = left_files(folder)
            counts["left_files"] += bool(files)
            print(
                f"{attack.name} {number}/{kills}: killed {'alone' if alone else 'with all'} {moment:.1f} of "
                f"{duration:.1f} s in: {outcome}; {seconds:.1f} s until all had ended, left {left} {files}",
                file=sys.stderr,
                flush=True,
            )
            if attack.server:
                counts["asked_again"] += sum(attack.server.asked.values()) - per_user
            shutil.rmtree(folder)
    return counts


def main() -> None:
    """Run the attacks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attacks", nargs="*", default=list(ATTACKS), help=f"of {', '.join(ATTACKS)}; default: all")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, help="append the counts to this file of JSON lines")
    given = parser.parse_args()
    columns = ("tries", "lost", "different", "left_processes", "left_files")
    rows = [
        "| command | killed at a random moment | lost | other result | processes left | files left | asked again |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in given.attacks:
        outcome = survive(ATTACKS[name](), given.kills, given.seed)
        again = outcome["asked_again"] if name == "generate" else "-"
        rows.append(f"| {' | '.join(str(outcome[column]) for column in ('attack', *columns))} | {again} |")
        if given.out:
            with open(given.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(outcome) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
