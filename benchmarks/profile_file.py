"""How fast, and in how much memory, are profile vectors read? Our binary, NumPy's compressed archive, RecBole's text.

    python benchmarks/profile_file.py --users 140000 --dimensions 256

And in how much memory is the binary reduced to 64 dimensions by ``llmdistill reduce``? Every reading is a process of
its own; its memory is the peak resident set above that of a process which only imports the reader. "Read and summed"
adds up all vectors after reading, so that a mapped file is really read.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from recbole_llmdistill.formats.vectors import write_binary, write_text

FORMATS = {
    "binary": (".useremb.npz", write_binary),
    "compressed": (".npz", lambda path, users, vectors: np.savez_compressed(path, user_id=users, user_emb=vectors)),
    "text": (".useremb", write_text),
}
READ = r"""
import json, re, sys, time
from pathlib import Path
from recbole_llmdistill.formats.vectors import read_profile_file
def peak():  # not getrusage, whose peak a new process inherits
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read()).group(1)) * 1024
before = peak()
start = time.perf_counter()
vectors = read_profile_file(Path(sys.argv[1])).vectors if len(sys.argv) > 1 else None
read = time.perf_counter() - start
if vectors is not None:
    float(vectors.sum())
print(json.dumps({"seconds": read, "summed": time.perf_counter() - start, "peak": peak() - before}))
"""


REDUCE = r"""
import json, re, sys, time
from pathlib import Path
from recbole_llmdistill.formats.vectors import read_profile_file
from recbole_llmdistill.vectors.reducers import linear
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS
from recbole_llmdistill.vectors.reducing import reduce_vectors
import sklearn.manifold, sklearn.neighbors
def kilobytes(name):
    return int(re.search(name + r":\s+(\d+)", open("/proc/self/status").read()).group(1))
before, start = kilobytes("VmHWM"), time.perf_counter()
path = Path(sys.argv[1])
reduce_vectors(read_profile_file(path), REDUCERS.choose("pca", {}), "x", path.parent / "out", text=False)
print(json.dumps({"seconds": time.perf_counter() - start, "peak": (kilobytes("VmHWM") - before) * 1024}))
"""


def run(code: str, path: Path) -> dict:
    """What a process of its own prints as its last line."""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=140_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--folder", type=Path, help="where the files are written; default: the system's for such files")
    arguments = parser.parse_args()
    users = [str(user) for user in range(arguments.users)]
    vectors = np.random.default_rng(0).normal(size=(arguments.users, arguments.dimensions)).astype(np.float32)
    size = vectors.nbytes
    print(f"{arguments.users} x {arguments.dimensions} float32: {size / 1e6:.0f} MB\n")
    print("| file | MB | write s | read s | read and summed s | memory / size |")
    print("|---|---|---|---|---|---|")
    footer = ""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name in arguments.formats:
            suffix, write = FORMATS[name]
            path = Path(folder) / f"x{suffix}"
            start = time.perf_counter()
            write(path, users, vectors)
            written = time.perf_counter() - start
            read = run(READ, path)
            print(
                f"| {name} | {path.stat().st_size / 1e6:.0f} | {written:.1f} | {read['seconds']:.2f} | "
                f"{read['summed']:.2f} | {read['peak'] / size:.2f} |",
                flush=True,
            )
            if name == "binary":
                reduced = run(REDUCE, path)
                text = f"{reduced['seconds']:.1f} s and {reduced['peak'] / size:.2f} x the size of the vectors"
                footer = f"\nreduced to 64 dimensions by PCA in {text}"
            path.unlink()
    print(footer)


if __name__ == "__main__":
    main()
