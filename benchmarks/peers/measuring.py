"""What the training programs of all libraries share: arguments, the clock, evaluation, early stopping, the result.

Each of them runs in a process and an environment of its own, trains one model and prints its result as one line of
JSON. Needs NumPy alone.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from interactions import Interactions
from ranking import evaluate
from sizes import SIZES


class StopTraining(Exception):
    """Raised out of a training loop that has run long enough."""


def arguments(description: str) -> argparse.Namespace:
    """Parse the command line that all training programs have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--interactions", help="file written by interactions.py; with RecBole only to evaluate")
    parser.add_argument("--model", choices=["SASRec", "BERT4Rec"], default="SASRec")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate-every", type=int, default=0, help="epochs; 0: never")
    parser.add_argument("--patience", type=int, default=10**6, help="evaluations without a better validation NDCG")
    parser.add_argument("--profile", action="store_true", help="profile the last epoch: seconds of each operation")
    parser.add_argument("--settings", type=json.loads, default={}, help="settings of the library, as JSON")
    parser.add_argument("--sizes", type=json.loads, default={}, help="of RecTools and RePlay, as in sizes.py, as JSON")
    parser.add_argument("--accelerator", default="cpu", help="of RecTools and RePlay, as Lightning names it: cpu, gpu")
    parser.add_argument("--precision", default="32-true", help="of RecTools and RePlay, as Lightning names it")
    given = parser.parse_args()
    given.sizes = {**SIZES, **given.sizes}
    if given.evaluate_every and not given.interactions:
        parser.error("--evaluate-every needs --interactions")
    return given


class Run:
    """Clock and record of one training run.

    Args:
        given: parsed command line.
        score: as in :func:`ranking.evaluate`; puts the model into evaluation mode itself.
    """

    def __init__(self, given: argparse.Namespace, score: Callable[[Sequence[np.ndarray]], np.ndarray]) -> None:
        self.given = given
        self.score = score
        self.interactions = Interactions.read(given.interactions) if given.interactions else None
        self.seconds: list[float] = []
        self.targets: list[int] = []
        self.evaluations: list[dict] = []
        self.peak_mib = 0.0
        self.profiler = None

    def begin_epoch(self) -> None:
        """Start the clock."""
        if self.given.profile and len(self.seconds) == self.given.epochs - 1:
            from torch.profiler import ProfilerActivity, profile

            self.profiler = profile(activities=[ProfilerActivity.CPU])
            self.profiler.start()
        self.started = time.perf_counter()
        self.targets.append(0)

    def count(self, targets: int) -> None:
        """Note training targets (positions with a loss) of the running epoch."""
        self.targets[-1] += int(targets)

    def end_epoch(self) -> None:
        """Stop the clock; evaluate where it is due.

        Raises:
            StopTraining: validation NDCG has not risen for ``--patience`` evaluations, or all epochs are done.
        """
        if self.given.accelerator != "cpu":
            import torch

            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self.started)
        if self.profiler:
            self.profiler.stop()
        if not self.evaluations:  # the peak is that of loading and training; ru_maxrss is in KiB on Linux
            self.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        epoch = len(self.seconds)
        if self.given.evaluate_every and epoch % self.given.evaluate_every == 0:
            parts = {
                part: evaluate(self.score, self.interactions.histories(part), self.interactions.held_out(part))
                for part in ("valid", "test")
            }
            self.evaluations.append({"epoch": epoch, **parts})
            print(f"epoch {epoch} ({sum(self.seconds):.0f} s): {parts}", file=sys.stderr, flush=True)
            of_validation = [evaluation["valid"]["ndcg@10"] for evaluation in self.evaluations]
            if len(of_validation) - 1 - int(np.argmax(of_validation)) >= self.given.patience:
                raise StopTraining
        if epoch == self.given.epochs:
            raise StopTraining

    def operations(self) -> dict[str, float]:
        """Seconds that the profiled epoch spent in each operation itself, without those that it called."""
        averages = self.profiler.key_averages() if self.profiler else []
        return {event.key: event.self_cpu_time_total / 1e6 for event in averages if event.self_cpu_time_total}

    def report(self, sizes: dict[str, int] | None = None, **versions: str) -> None:
        """Print the result as the last line of standard output, with ``sizes`` of what was trained on."""
        import torch

        result = {
            "seconds": self.seconds,
            "targets": self.targets,
            "peak_mib": self.peak_mib,
            "gpu_peak_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0,
            "threads": torch.get_num_threads(),
            "evaluations": self.evaluations,
            "sizes": sizes or {},
            "operations": self.operations(),
            "versions": {**versions, "torch": torch.__version__, "numpy": np.__version__},
        }
        print("\n" + json.dumps(result), flush=True)
