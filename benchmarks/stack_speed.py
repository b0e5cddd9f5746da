"""Does another Python or another set of packages change speed, memory or results? Start-up and the main command.

    python benchmarks/stack_speed.py --python old=old/bin/python --python "3.11=new/bin/python" --rounds 3

Every interpreter stands in an environment with a release of this package of its own. They take turns: import the
package, then train SASRecDistill on MovieLens-100K for ``--epochs`` epochs as the README's main command does. Printed
are medians of whole processes, the median epoch, peak resident memory, and the test result to its last digit.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from child import machine

IMPORT = "import recbole_llmdistill"
VERSIONS = """
import json, platform
from importlib import metadata
names = ("recbole-llmdistill", "torch", "numpy", "pandas", "ray")
found = {}
for name in names:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        found[name] = None
print(json.dumps({"python": platform.python_version(), **found}))
"""
TRAIN = """
import re, sys
from recbole_llmdistill.cli.run_recbole import main
status = main()
print("peak kB", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
sys.exit(status)
"""


def timed(python: str, *arguments: str, folder: str) -> tuple[float, str]:
    """Seconds of a process from start to end, and all that it printed.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [python, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{python} {' '.join(arguments)[:80]} failed:\n{done.stdout[-3000:]}")
    return seconds, done.stdout


def measure(python: str, epochs: int) -> dict:
    """One import and one training run."""
    with tempfile.TemporaryDirectory() as folder:
        imported, _ = timed(python, "-W", "ignore", "-c", IMPORT, folder=folder)
        command = ["--model=SASRecDistill", "--dataset=ml-100k", f"--epochs={epochs}", "--show_progress=False"]
        trained, log = timed(python, "-W", "ignore", "-c", TRAIN, *command, folder=folder)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    return {
        "import": imported,
        "main": trained,
        "epochs": [float(seconds) for seconds in re.findall(r"epoch \d+ training \[time: ([\d.]+)s", plain)],
        "peak_mib": int(re.search(r"peak kB (\d+)", plain).group(1)) / 1024,
        "result": re.findall(r"'(\w+@\d+)'[,:] (?:np\.float64\()?([\d.]+)", plain.split("test result")[1]),
    }


def main() -> None:
    """Measure all environments in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", required=True, metavar="NAME=PATH", help="repeatable")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, help="append the raw figures to this file of JSON lines")
    given = parser.parse_args()
    environments = {name: os.path.abspath(path) for name, _, path in (text.partition("=") for text in given.python)}
    versions = {name: json.loads(timed(python, "-c", VERSIONS, folder=".")[1]) for name, python in environments.items()}
    runs: dict[str, list[dict]] = {name: [] for name in environments}
    for number in range(given.rounds):
        for name, python in environments.items():
            print(f"round {number + 1} of {given.rounds}: {name}", file=sys.stderr)
            runs[name].append(measure(python, given.epochs))
    print(machine() + f", {given.rounds} rounds, {given.epochs} epochs")
    print("| environment | Python | torch, NumPy, pandas, Ray | import, s | command, s | epoch, s | peak, MiB | test |")
    print("|---|---|---|---|---|---|---|---|")
    for name, measured in runs.items():
        about = versions[name]
        epoch = statistics.median(seconds for run in measured for seconds in run["epochs"])
        middle = {key: statistics.median(run[key] for run in measured) for key in ("import", "main", "peak_mib")}
        results = sorted({" ".join(f"{metric} {value}" for metric, value in run["result"]) for run in measured})
        packages = ", ".join(str(about[package]) for package in ("torch", "numpy", "pandas", "ray"))
        print(
            f"| {name} | {about['python']} | {packages} | {middle['import']:.1f} | {middle['main']:.1f} | "
            f"{epoch:.2f} | {middle['peak_mib']:.0f} | {' or '.join(results)} |"
        )
        if given.out:
            with open(given.out, "a", encoding="utf-8") as file:
                file.write(json.dumps({"environment": name, "machine": machine(), **about, "runs": measured}) + "\n")


if __name__ == "__main__":
    main()
