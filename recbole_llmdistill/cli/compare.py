"""``llmdistill compare``: the paper's table on anybody's data, with seeds, significance and controls."""

import argparse
import logging
import sys
import time
from pathlib import Path

from tqdm import tqdm

from recbole_llmdistill.cli.recbole_arguments import leave_to_recbole
from recbole_llmdistill.errors import InputError

_FAILED = 1
_ALL_CONTROLS = "shuffled,random,smoothed"


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "compare",
        description="Train and test models on one split with several seeds, and say what the differences are worth. "
        "A distilled model brings along the same model without distillation. Runs that --out holds are not repeated.",
        epilog="Settings of RecBole are given as for training, --key=value, and hold for all models.",
        allow_abbrev=False,
    )
    parser.add_argument("--dataset", "-d", required=True, help="name of the data set, e.g. ml-100k")
    parser.add_argument("--models", "-m", required=True, help="names of RecBole's models and ours, separated by commas")
    parser.add_argument("--seeds", type=_positive, default=5, metavar="N", help="seeds 0 to N-1 (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder of results; the same folder goes on")
    parser.add_argument(
        "--jobs", type=_positive, default=1, metavar="N", help="runs side by side (default %(default)s)"
    )
    parser.add_argument(
        "--baseline", metavar="NAME", help="what all are compared with; default: the plain twin of each"
    )
    parser.add_argument("--report-only", action="store_true", help="tables of the runs that are there; run nothing")
    parser.add_argument("--config_files", help="RecBole yaml files for all models, separated by spaces")
    parser.add_argument(
        "--settings-of", action="append", default=[], metavar="MODEL=FILE", help="a yaml file for one model; repeatable"
    )
    vary = parser.add_argument_group("variants of the distilled models")
    vary.add_argument(
        "--controls",
        nargs="?",
        const=_ALL_CONTROLS,
        metavar="NAMES",
        help=f"what tells knowledge from regularisation: {_ALL_CONTROLS} (default all of them)",
    )
    vary.add_argument("--ablate", metavar="NAMES", help="pooling,layer,loss,alpha,beta,epochs,bridge or some of them")
    vary.add_argument(
        "--profiles", action="append", default=[], metavar="NAME=PATH", help="other profile vectors; repeatable"
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Make the missing runs, write tables, page and figure, print the tables; status 1 if an arm has no result."""
    leave_to_recbole(settings, arguments.parser)
    sys.argv[1:] = []  # RecBole would let the command line count for more than what sets an arm apart
    given = dict(setting.removeprefix("--").split("=", 1) for setting in settings)
    logging.getLogger().setLevel(logging.ERROR)

    from recbole_llmdistill.comparison.plan.arm_config import CommonSettings, reference_config
    from recbole_llmdistill.comparison.plan.prepare import configured_arms, prepare
    from recbole_llmdistill.data.dataset_check import check_dataset

    common = CommonSettings(
        arguments.dataset,
        tuple((arguments.config_files or "").split()),
        given,
        _pairs("--settings-of", arguments.settings_of),
    )
    reference = reference_config(common)
    check_dataset(reference)
    configs = configured_arms(
        common,
        reference,
        _names(arguments.models),
        _names(arguments.controls),
        _names(arguments.ablate),
        _pairs("--profiles", arguments.profiles),
        arguments.baseline,
    )
    comparison = prepare(configs, common, reference, arguments.seeds, arguments.out)
    with comparison.folder:
        if not arguments.report_only:
            _make_runs(comparison, arguments.jobs)
        return _report(comparison, reference)


def _make_runs(comparison, jobs: int) -> None:
    """Make what is missing, a line each, and say how long the rest will take once that can be known."""
    from recbole_llmdistill.comparison.run.live import finished_line, remaining_seconds, spell_seconds

    missing, total = comparison.missing(), len(comparison.runs())
    cases, seeds = len(comparison.held_out.users), len(comparison.seeds)
    print(
        f"{comparison.folder.dataset}: {cases:,} test cases; {len(comparison.arms)} arms with {seeds} "
        f"seed{'s' * (seeds > 1)} are {total} runs: {total - len(missing)} are in {comparison.folder.path}, "
        f"{len(missing)} to be made, {jobs} at a time",
        flush=True,
    )
    if not missing:
        print()
        return
    estimated = False
    started = time.perf_counter()
    with tqdm(total=len(missing), unit="run", file=sys.stderr, disable=None) as bar:
        for record in comparison.make_missing_runs(jobs):
            bar.update()
            bar.write(finished_line(record, comparison.headline), file=sys.stdout)
            left = remaining_seconds(comparison, jobs)
            if left is not None and not estimated:
                estimated = True
                bar.write(
                    f"each arm has run once; the other {len(comparison.missing())} runs take about "
                    f"{spell_seconds(left)}",
                    file=sys.stdout,
                )
            sys.stdout.flush()
    print(f"made in {spell_seconds(time.perf_counter() - started)}\n")


def _report(comparison, reference) -> int:
    from recbole_llmdistill.comparison.report.files import notes, write_report
    from recbole_llmdistill.comparison.report.tables import accuracy_table, changes_table, controls_table, costs_table

    failures = comparison.failures()
    if not any(comparison.records(arm.label) for arm in comparison.arms):
        label, reason = next(iter(failures.items()), ("", "nothing was run"))
        raise InputError(f"no run has succeeded; {label}: {reason}; logs are in {comparison.folder.path / 'logs'}")
    short = accuracy_table(comparison, comparison.headline)
    for table in (short, changes_table(comparison), controls_table(comparison), costs_table(comparison)):
        if table is not None and table.rows:
            print(table.as_text(), end="\n\n")
    for line in notes(comparison):
        print(line)
    for file in write_report(comparison, reference):
        print(f"wrote {file}")
    return _FAILED if failures else 0


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{option} {text}: written {option} NAME=PATH")
        pairs[name] = value
    return pairs


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number
