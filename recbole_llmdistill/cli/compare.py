"""``llmdistill compare``: the paper's table on anybody's data, with seeds, significance and controls."""

import argparse
import logging
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from recbole_llmdistill.api.compare import CompareOptions, compare
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.cli.recbole_arguments import leave_to_recbole
from recbole_llmdistill.comparison.observer import Observer

if TYPE_CHECKING:
    from recbole_llmdistill.comparison.plan.plan import Plan
    from recbole_llmdistill.comparison.results import Results

_FAILED = 1


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "compare",
        description="Train and test models on one split with several seeds, and say what the differences are worth. "
        "A distilled model brings along the same model without distillation. Runs that --out holds are not repeated.",
        epilog="Settings of RecBole are given as for training, --key=value, and hold for all models.",
        allow_abbrev=False,
    )
    add_options(parser, CompareOptions)
    parser.add_argument("--profiles", action="append", default=[], help=argparse.SUPPRESS)  # as it was called before
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Make the missing runs, write tables, page and figure, print the tables; status 1 if an arm has no result."""
    leave_to_recbole(settings, arguments.parser)
    logging.getLogger().setLevel(logging.ERROR)

    if arguments.profiles:
        print("hint: --profiles NAME=PATH is now called --vectors NAME=PATH", file=sys.stderr)
        arguments.vectors = [*arguments.profiles, *getattr(arguments, "vectors", [])]
    arguments.settings = dict(setting.removeprefix("--").split("=", 1) for setting in settings)
    options = from_arguments(CompareOptions, arguments)
    with closing(_Progress(options.jobs)) as progress:
        result = compare(options, progress)
    for table in result.summary:
        print(table.as_text(), end="\n\n")
    for line in result.notes:
        print(line)
    for file in result.files:
        print(f"wrote {file}")
    return _FAILED if result.failures else 0


class _Progress(Observer):
    """A line per run, a bar, and how long the rest will take once that can be known.

    Args:
        jobs: runs side by side.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._estimated = False
        self._bar: tqdm | None = None

    def begin(self, plan: "Plan", results: "Results") -> None:
        """Say what there is and what is missing."""
        self._plan, self._results = plan, results
        missing, total = len(plan.missing(results)), len(plan.runs())
        seeds = len(plan.seeds)
        print(
            f"{plan.dataset}: {plan.cases:,} test cases; {len(plan.arms)} arms with {seeds} "
            f"seed{'s' * (seeds > 1)} are {total} runs: {total - missing} are in {results.path}, "
            f"{missing} to be made, {self._jobs} at a time",
            flush=True,
        )
        if not missing:
            print()
            return
        self._started = time.perf_counter()
        self._bar = tqdm(total=missing, unit="run", file=sys.stderr, disable=None)

    def run_ended(self, record: dict[str, Any]) -> None:
        """A line of it."""
        from recbole_llmdistill.comparison.run.live import finished_line, format_duration, remaining_seconds

        assert self._bar is not None  # a run ends only where one was missing
        self._bar.update()
        self._bar.write(finished_line(record, self._plan.headline), file=sys.stdout)
        left = remaining_seconds(self._plan, self._results, self._jobs)
        if left is not None and not self._estimated:
            self._estimated = True
            self._bar.write(
                f"each arm has run once; the other {len(self._plan.missing(self._results))} runs take about "
                f"{format_duration(left)}",
                file=sys.stdout,
            )
        sys.stdout.flush()

    def end(self) -> None:
        """How long it took."""
        from recbole_llmdistill.comparison.run.live import format_duration

        if self._bar is not None:
            self.close()
            print(f"made in {format_duration(time.perf_counter() - self._started)}\n")

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        if self._bar is not None:
            self._bar.close()
