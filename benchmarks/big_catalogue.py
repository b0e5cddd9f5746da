"""What a training step costs with a big catalogue: time and peak memory of each recommendation loss.

    python benchmarks/big_catalogue.py --items 1000000

SASRecDistill's step (forward, backward, Adam) on random windows, all of whose positions have a target, without
distillation. Every loss is measured in a process of its own, which is held to ``--memory`` GiB of address space: a loss
that needs more ends there, and its row says so. Beside the time stands the CPU time of all threads, which other
programs on the machine disturb less. `gbce, 256 a position` is gSASRec's way of drawing, written out here to compare
with: every position has negatives of its own, where 64 positions share them in this package.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

LOSSES = {
    "softmax": {},
    "sampled_softmax, 1024": {"sequence_loss": "sampled_softmax", "sequence_negatives": 1024},
    "sampled_softmax, 8192": {"sequence_loss": "sampled_softmax", "sequence_negatives": 8192},
    "gbce, 256": {"sequence_loss": "gbce", "sequence_negatives": 256},
    "gbce, 1024": {"sequence_loss": "gbce", "sequence_negatives": 1024},
    "gbce, 256 a position": {"sequence_loss": "gbce", "sequence_negatives": 256},
}
BATCH, LENGTH = 128, 50


def gbce_with_negatives_of_each_position(loss, states, item_embeddings, targets, bias):
    """The same formula, with ``[N, M]`` negatives instead of ``[M]``."""
    import torch
    from torch.nn import functional as F

    n_negatives, n_items = loss.negatives.n_negatives, loss.negatives.n_items
    negatives = torch.randint(1, n_items, (len(targets), n_negatives))
    items = F.embedding(torch.cat([targets.unsqueeze(1), negatives], dim=1), item_embeddings)  # [N, 1 + M, H]
    scores = (items @ states.unsqueeze(2)).squeeze(2) - loss.prior
    is_target = negatives == targets.unsqueeze(1)
    others = F.softplus(scores[:, 1:]).masked_fill(is_target, 0).sum(dim=1)
    return ((loss.beta * F.softplus(-scores[:, 0]) + others) / (1 + n_negatives - is_target.sum(dim=1))).mean()


def measure(name: str, n_items: int, steps: int) -> None:
    """Train some steps in this process and print, as JSON, what each took and the peak resident memory in MiB.

    Of a step: seconds and CPU seconds of forward and backward, then of Adam.
    """
    import torch
    from recbole.config import Config
    from recbole.data.interaction import Interaction

    from recbole_llmdistill.data.dataset import target_list_field
    from recbole_llmdistill.model.sasrecdistill import SASRecDistill

    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    config = Config("SASRecDistill", "ml-100k", config_dict={"distill_alpha": 0.0, **LOSSES[name]})
    torch.manual_seed(0)
    # All that the model asks of a data set: how many items there are, and how popular they are in training.
    popular = (n_items ** torch.rand(10 * n_items)).long().clamp(1, n_items - 1)
    part = SimpleNamespace(num=lambda _field: n_items, inter_feat={"item_id": popular}, iid_field="item_id")
    model = SASRecDistill(config, part).train()
    if name.endswith("a position"):
        model.recommendation_loss.forward = lambda *inputs: gbce_with_negatives_of_each_position(
            model.recommendation_loss, *inputs
        )
    optimizer = torch.optim.Adam(model.parameters())
    windows = popular[torch.randint(len(popular), (BATCH, LENGTH + 1))]
    del popular, part
    batch = Interaction(
        {
            "user_id": torch.arange(BATCH),
            "item_id_list": windows[:, :-1],
            "item_length": torch.full((BATCH,), LENGTH),
            target_list_field(config): windows[:, 1:],
        }
    )
    seconds = []
    for _ in range(steps):
        clocks = [(time.perf_counter(), time.process_time())]
        optimizer.zero_grad()
        model.calculate_loss(batch).backward()
        clocks.append((time.perf_counter(), time.process_time()))
        optimizer.step()
        clocks.append((time.perf_counter(), time.process_time()))
        seconds.append([clocks[part + 1][clock] - clocks[part][clock] for part in (0, 1) for clock in (0, 1)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


def run(name: str, n_items: int, steps: int, memory: float) -> dict | None:
    """:func:`measure` in a process of its own; None if the memory does not suffice."""
    limit = int(memory * 2**30)
    command = [sys.executable, __file__, "--items", str(n_items), "--steps", str(steps), "--measure", name]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "can't allocate memory" not in done.stderr:
        sys.exit(done.stderr)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=4, help="training steps; the first is not counted")
    parser.add_argument("--memory", type=float, default=8.0, help="GiB of address space that a process may use")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--measure", choices=LOSSES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.items, arguments.steps)
        return

    import torch

    print(
        f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}; {arguments.items:,} items, ", end=""
    )
    print(f"batch {BATCH} x {LENGTH}, d 64; at most {arguments.memory:g} GiB of address space")
    logits = BATCH * LENGTH * arguments.items * 4 / 2**30
    print(f"(logits of all positions and items at once would take {logits:.0f} GiB, with their gradient twice that)\n")
    print("| loss | forward + backward, s (CPU s) | Adam, s (CPU s) | peak memory, MiB |\n|---|---|---|---|")
    for name in arguments.losses:
        result = run(name, arguments.items, arguments.steps, arguments.memory)
        if result is None:
            print(f"| {name} | does not fit | | > {arguments.memory * 1024:.0f} |", flush=True)
            continue
        step, step_cpu, adam, adam_cpu = map(statistics.median, zip(*result["seconds"][1:], strict=True))
        cells = f"{step:.2f} ({step_cpu:.2f}) | {adam:.2f} ({adam_cpu:.2f}) | {result['peak_mib']:.0f}"
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
