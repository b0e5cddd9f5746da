"""What does `llmdistill encode` take for many users? Seconds and peak memory, by number of users.

    python benchmarks/encode_scale.py --users 10000 100000 1000000

The users' texts are made of sentences of the shipped profiles, shuffled, and have their length (a median of 128 words);
every text is different. Peak memory is that of the whole process, texts and libraries included.
"""

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recbole_llmdistill.files.resources import properties

COMMAND = "import sys; from recbole_llmdistill.cli.llmdistill import main; sys.exit(main())"


def write_profiles(path: Path, users: int) -> None:
    """Texts for users 1 to ``users``."""
    lines = properties("profiles", "ml-100k", "profiles.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["profile"] for line in lines]
    sentences = sorted({sentence for text in texts for sentence in re.split(r"(?<=\.) ", text)})
    generator = random.Random(0)
    with open(path, "w", encoding="utf-8") as file:
        for user in range(1, users + 1):
            text = " ".join(generator.choices(sentences, k=8))
            file.write(json.dumps({"user_id": str(user), "profile": text}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[10_000, 100_000])
    arguments, encode = parser.parse_known_args()
    print("| users | texts, MB | vectors, MB | seconds | peak memory, MB |\n|---|---|---|---|---|")
    for users in arguments.users:
        with tempfile.TemporaryDirectory() as folder:
            profiles, out = Path(folder, "profiles.jsonl"), Path(folder, "out")
            write_profiles(profiles, users)
            command = [sys.executable, "-c", COMMAND, "encode", "--dataset=ml-100k", f"--profiles={profiles}"]
            start = time.perf_counter()
            subprocess.run([*command, f"--out={out}", "--no-text", *encode], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            # The largest child so far: right as long as the numbers of users ascend.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
            vectors = (out / "ml-100k.useremb.npz").stat().st_size / 1e6
            print(
                f"| {users:,} | {profiles.stat().st_size / 1e6:.0f} | {vectors:.0f} | {seconds:.0f} | {peak:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
