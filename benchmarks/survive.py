"""What does ``kill -9`` at a random moment cost? Each long command is killed, continued, and compared with itself.

    python benchmarks/survive.py --kills 20 --out benchmarks/results/survive.jsonl

A command runs once to its end without being disturbed. Then, ``--kills`` times, it is started, killed with all its
processes after a random share of the time that it took, and continued the way its documentation says until it ends.
Printed are how often the result was lost (the continued run failed), how often it differed, and for ``generate`` how
many requests the LLM's server got beyond one per user. The data are small: what is measured is not speed.
"""

import argparse
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "generation"), str(TESTS / "profiles")]

from chat_server import ChatServer  # noqa: E402
from shop_dataset import write_shop  # noqa: E402
from tiny_dataset import write_tiny_dataset  # noqa: E402

RUN_RECBOLE = [sys.executable, "-m", "recbole_llmdistill.cli.run_recbole"]
LLMDISTILL = [sys.executable, "-m", "recbole_llmdistill.cli.llmdistill"]
TINY = [
    *("--dataset=tiny", "--load_col={'inter':['user_id','item_id','timestamp']}", "--hidden_size=16"),
    *("--show_progress=False", "--distill_precision=float32"),
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
        server: an LLM's server that it asks, or None.
    """

    name: str
    start: list[str]
    again: Callable[[Path], list[str]]
    result: Callable[[Path], Any]
    begin: Callable[[Path], None]
    server: ChatServer | None = None
    kills: list[dict] = field(default_factory=list)


def training(name: str, *more: str) -> Attack:
    """Training in two stages; the log of the killed run says what continues it."""
    start = [*RUN_RECBOLE, "--model=SASRecDistill", *TINY, "--epochs=60", "--distill_epochs=30", *more]

    def again(folder: Path) -> list[str]:
        options = re.findall(r"continue it with (--distill_resume=\S+)", (folder / "log.txt").read_text())
        state = Path(folder, options[-1].partition("=")[2]) if options else None
        return [*start, options[-1]] if state and state.is_file() else start

    def result(folder: Path) -> Any:
        import torch

        newest = max(folder.glob("saved/*.pth"), key=lambda file: file.stat().st_mtime)
        state = torch.load(newest, weights_only=True)
        digest = hashlib.sha256()
        for key, value in state["state_dict"].items():
            digest.update(key.encode() + value.numpy().tobytes())
        tested = re.findall(r"test result: (.*)", (folder / "log.txt").read_text())
        return {"weights": digest.hexdigest(), "epoch": state["epoch"], "test": tested[-1]}

    return Attack(name, start, again, result, begin_tiny)


def begin_tiny(folder: Path) -> None:
    """A data set with profile vectors."""
    (folder / "dataset" / "tiny").mkdir(parents=True)
    write_tiny_dataset(folder / "dataset" / "tiny")


def generation(users: int = 60) -> Attack:
    """An LLM's server that takes its time; the same command continues."""
    server = ChatServer(delay=0.2)
    start = [
        *LLMDISTILL, "generate", "--dataset=shop", "--config_files=shop.yaml", "--llm=openai:tiny",
        f"--base-url={server.url}", "--concurrency=2", "--context-length=8192", "--out=out",
    ]  # fmt: skip

    def result(folder: Path) -> Any:
        lines = (folder / "out" / "profiles.jsonl").read_text(encoding="utf-8").splitlines()
        return sorted((record["user_id"], record["profile"]) for record in map(json.loads, lines))

    return Attack(
        "generate", start, lambda folder: start, result, lambda folder: write_shop(folder, users=users), server
    )


def encoding() -> Attack:
    """A sentence encoder in batches of a few texts; the same command continues."""
    start = [
        *LLMDISTILL, "encode", "--dataset=ml-100k", "--encoder=encoder/tiny", "--batch-size=4", "--out=out",
    ]  # fmt: skip

    def begin(folder: Path) -> None:
        from tiny_sentence_encoder import build_sentence_encoder

        from recbole_llmdistill.resources import properties

        lines = properties("profiles", "ml-100k", "profiles.jsonl").read_text(encoding="utf-8").splitlines()
        build_sentence_encoder(folder / "encoder", [json.loads(line)["profile"] for line in lines])

    return Attack("encode", start, lambda folder: start, lambda folder: digests(folder / "out"), begin)


def conversion(rows: int = 3_000_000) -> Attack:
    """A click log; the same command starts again."""
    start = [*LLMDISTILL, "convert", "csv", "--input=log.csv", "--out=dataset/shop"]

    def begin(folder: Path) -> None:
        drawn = random.Random(0)
        with open(folder / "log.csv", "w", encoding="utf-8") as file:
            file.write("user_id,item_id,timestamp\n")
            for row in range(rows):
                file.write(f"u{drawn.randrange(rows // 20)},i{drawn.randrange(5000)},{1_600_000_000 + row}\n")

    return Attack("convert", start, lambda folder: start, lambda folder: digests(folder / "dataset" / "shop"), begin)


def tuning() -> Attack:
    """A search; ``--resume`` continues what has a journal."""
    start = [*LLMDISTILL, "tune", "--model=SASRecDistill", *TINY, "--trials=4", "--epochs=8", "--out=found"]

    def result(folder: Path) -> Any:
        best = json.loads((folder / "found" / "best.json").read_text(encoding="utf-8"))
        rows = list(csv.DictReader((folder / "found" / "trials.csv").read_text(encoding="utf-8").splitlines()))
        kept = {key: best[key] for key in ("trial", "values", "valid_score", "test_result", "epochs_trained")}
        return kept, [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    def again(folder: Path) -> list[str]:
        return [*start, "--resume"] if (folder / "found" / "journal.jsonl").is_file() else start

    return Attack("tune", start, again, result, begin_tiny)


def comparing() -> Attack:
    """A comparison; the same command continues."""
    start = [
        *LLMDISTILL, "compare", "--models=SASRecDistill", *TINY, "--seeds=2", "--epochs=4", "--out=out",
    ]  # fmt: skip

    def result(folder: Path) -> Any:
        lines = (folder / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
        records = sorted(map(json.loads, lines), key=lambda record: (record["label"], record["seed"]))
        return [(record["label"], record["seed"], record["test"]) for record in records]

    return Attack("compare", start, lambda folder: start, result, begin_tiny)


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


def run(command: list[str], folder: Path, seconds: float | None = None) -> tuple[int | None, float]:
    """Run a command in a folder, its output appended to ``log.txt``; kill it with all its processes after a while.

    Returns:
        Its exit status, None if it was killed, and the seconds that it ran.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    with open(folder / "log.txt", "a") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(seconds), time.monotonic() - started
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None, time.monotonic() - started


def survive(attack: Attack, kills: int, seed: int) -> dict:
    """Kill one command ``kills`` times.

    Returns:
        Counts for the table: tries, lost, different, requests beyond one per user.
    """
    drawn = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        source, undisturbed = Path(name, "source"), Path(name, "undisturbed")
        source.mkdir()
        attack.begin(source)
        shutil.copytree(source, undisturbed)
        status, duration = run(attack.start, undisturbed)
        if status:
            raise SystemExit(f"{attack.name} failed undisturbed:\n{(undisturbed / 'log.txt').read_text()[-3000:]}")
        expected = attack.result(undisturbed)
        per_user = sum(attack.server.asked.values()) if attack.server else 0
        outcome = {"attack": attack.name, "tries": kills, "killed": 0, "lost": 0, "different": 0, "asked_again": 0}
        for number in range(kills):
            folder = Path(name, str(number))
            shutil.copytree(source, folder)
            if attack.server:
                attack.server.asked.clear()
            moment = duration * drawn.uniform(0.05, 1)
            killed, _ = run(attack.start, folder, moment)
            outcome["killed"] += killed is None
            status = run(attack.again(folder), folder)[0] if killed is None else killed
            print(f"{attack.name} {number + 1}/{kills}: killed after {moment:.1f} of {duration:.1f} s", file=sys.stderr)
            try:
                found = attack.result(folder)
            except (OSError, ValueError, LookupError) as error:
                found = error
            if found != expected:  # a command killed as it ended may refuse to begin again, and nothing is lost
                outcome["lost" if status else "different"] += 1
                print(found, (folder / "log.txt").read_text()[-2000:], file=sys.stderr)
            if attack.server:
                outcome["asked_again"] += sum(attack.server.asked.values()) - per_user
            shutil.rmtree(folder)
    return outcome


def main() -> None:
    """Run the attacks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attacks", nargs="*", default=list(ATTACKS), help=f"of {', '.join(ATTACKS)}; default: all")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, help="append the counts to this file of JSON lines")
    given = parser.parse_args()
    rows = [
        "| command | killed at a random moment | lost | other result | requests asked again |",
        "|---|---|---|---|---|",
    ]
    for name in given.attacks:
        outcome = survive(ATTACKS[name](), given.kills, given.seed)
        again = outcome["asked_again"] if name == "generate" else "-"
        rows.append(
            f"| {outcome['attack']} | {outcome['killed']} | {outcome['lost']} | {outcome['different']} | {again} |"
        )
        if given.out:
            with open(given.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(outcome) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
