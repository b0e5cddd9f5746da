"""Where does the time of an epoch go, in RecBole and here? By PyTorch's profiler.

    python benchmarks/epoch_profile.py

MovieLens-100K, the sizes of ``peer_speed.py``, distillation on. Of each library one epoch is profiled, RecBole's first
and our third, in a process of its own. An operation counts its own time, without that of operations that it calls;
what the profiler does not see is Python, NumPy, and the loader. Profiling slows an epoch down: take shares from here
and times from ``peer_speed.py``.
"""

import argparse
import json
import re
import sys

from child import machine, run_child

# The first group whose pattern an operation's name matches.
GROUPS = {
    "matrix products": r"addmm|aten::(mm|bmm|linear|matmul|baddbmm)\b|scaled_dot_product|mkldnn",
    "dropout: random numbers, masks": r"dropout|bernoulli|ByteDropout|random",
    "softmax and cross-entropy": r"softmax|nll_loss|logsumexp|cross_entropy|LinearCrossEntropy|aten::exp\b",
    "layer norm": r"layer_norm",
    "GELU": r"gelu|erf",
    "embeddings, gathering": r"embedding|index|gather|scatter|one_hot",
    "optimizer, clipping": r"adam|_foreach|norm\b|Optimizer",
}
REST = "element by element, copies, sums"
UNSEEN = "Python, NumPy, loader"


def shares(run: dict) -> dict[str, float]:
    """Seconds of the profiled epoch in each group."""
    seconds = dict.fromkeys([*GROUPS, REST], 0.0)
    for operation, own in run["operations"].items():
        group = next((name for name, pattern in GROUPS.items() if re.search(pattern, operation)), REST)
        seconds[group] += own
    return {**seconds, UNSEEN: max(run["seconds"][-1] - sum(seconds.values()), 0.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["SASRec", "BERT4Rec"], default="SASRec")
    parser.add_argument("--recbole-python", default=sys.executable, help="it needs RecBole on NumPy 1, pandas 2")
    parser.add_argument("--operations", type=int, default=0, help="also list this many operations of each library")
    arguments = parser.parse_args()

    settings = json.dumps({"distill_epochs": 10**6})
    runs = {
        "RecBole": run_child(
            "train_recbole.py", "--model", arguments.model, "--profile", python=arguments.recbole_python
        ),
        "here": run_child(
            "train_llmdistill.py", "--model", arguments.model, "--settings", settings, "--epochs", 3, "--profile"
        ),
    }
    print(f"{machine()}, {runs['here']['threads']} threads, torch {runs['here']['versions']['torch']}\n")
    columns = {library: shares(run) for library, run in runs.items()}
    print(f"| {arguments.model}, one epoch | RecBole, s | | here, s | |\n|---|---|---|---|---|")
    for group in columns["here"]:
        cells = [
            f"{of_library[group]:.2f} | {of_library[group] / sum(of_library.values()):.0%}"
            for of_library in columns.values()
        ]
        print(f"| {group} | {' | '.join(cells)} |")
    print(f"| all | {' | '.join(f'{sum(of_library.values()):.2f} | ' for of_library in columns.values())} |")
    for library, run in runs.items():
        largest = sorted(run["operations"].items(), key=lambda item: -item[1])[: arguments.operations]
        for operation, own in largest:
            print(f"{library}: {operation} {own:.3f} s")


if __name__ == "__main__":
    main()
