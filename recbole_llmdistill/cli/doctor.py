"""``llmdistill doctor``: what is wrong with this installation, and the command that mends it."""

import argparse
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

import recbole_llmdistill
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.resources import properties

DISTRIBUTION = "recbole-llmdistill"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        state: ``ok``, ``note`` (works, but is not what the tests ran with) or ``WRONG``.
        text: what was found.
        mend: the command that mends it, if it is wrong.
    """

    state: str
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.state:<6}{self.text}" + (f"; mend: {self.mend}" if self.mend else "")


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser("doctor", help="check the installation, and that profiles fit a data set")
    parser.add_argument("--dataset", "-d", help="also check that this data set has fitting profiles, e.g. ml-100k")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Print one line a finding; status 1 if anything is wrong."""
    findings = []
    for finding in _findings(arguments.dataset, settings):
        print(finding, flush=True)
        findings.append(finding)
    return int(any(finding.state == "WRONG" for finding in findings))


def _findings(dataset: str | None, settings: list[str]) -> Iterator[Finding]:
    yield check_python()
    yield from check_packages()
    registered = check_models()
    yield registered
    yield check_gpu()
    if registered.state == "WRONG":
        return
    if dataset:
        yield check_profiles(dataset, settings)


def check_python() -> Finding:
    """Python 3.11, because of the Ray release that RecBole asks for."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == (3, 11):
        return Finding("ok", f"Python {found}")
    return Finding("WRONG", f"Python {found}, needed is 3.11", "python3.11 -m venv .venv, and install anew in it")


def check_packages() -> Iterator[Finding]:
    """Each package of the tested set: present, within the range that works, and the tested version or not."""
    allowed = _allowed_ranges()
    for name, tested in tested_versions().items():
        mend = f"pip install {name}=={tested}"
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            state = "note" if allowed and name not in allowed else "WRONG"  # only an extra asks for it
            yield Finding(state, f"{name} is not installed", mend)
            continue
        same = found.split("+")[0] == tested
        if name in allowed and not allowed[name].contains(found, prereleases=True):
            yield Finding("WRONG", f"{name} {found}, needed is {allowed[name]}", mend)
        elif same:
            yield Finding("ok", f"{name} {found}")
        else:
            yield Finding("note", f"{name} {found}; the tests ran with {tested}")


def tested_versions() -> dict[str, str]:
    """Package -> version of ``properties/constraints.txt``."""
    lines = properties("constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def _allowed_ranges():
    try:
        required = map(Requirement, metadata.requires(DISTRIBUTION) or [])
    except metadata.PackageNotFoundError:  # a checkout that is only on the path
        return {}
    return {item.name: item.specifier for item in required if item.marker is None}


def check_models() -> Finding:
    """RecBole and its Ray import, and find our models by name."""
    mend = f"pip install -c {properties('constraints.txt')} {DISTRIBUTION}"
    if recbole_llmdistill.import_error is not None:
        return Finding("WRONG", f"RecBole cannot be imported: {recbole_llmdistill.import_error}", mend)
    from recbole.utils import get_model

    from recbole_llmdistill.registry import MODELS

    try:
        for name in MODELS:
            get_model(name)
        importlib.import_module("ray.tune")
    except Exception as error:  # whatever a broken package raises is the finding
        return Finding("WRONG", f"models cannot be registered: {error!r}", mend)
    return Finding("ok", f"RecBole knows {', '.join(MODELS)}")


def check_gpu() -> Finding:
    """GPU or not; both work."""
    try:
        import torch
    except ImportError as error:
        return Finding(
            "WRONG", f"torch cannot be imported: {error}", f"pip install torch=={tested_versions()['torch']}"
        )
    if torch.cuda.is_available():
        return Finding("ok", f"GPU: {torch.cuda.get_device_name(0)}")
    return Finding("ok", f"no GPU, training runs on the CPU with {torch.get_num_threads()} threads")


def check_profiles(dataset: str, settings: list[str]) -> Finding:
    """The profiles that training would use fit the data set and its training split."""
    import logging

    from recbole.data import create_dataset

    from recbole_llmdistill.data.profile_lookup import find_profile_file
    from recbole_llmdistill.data.profiles import load_user_profiles
    from recbole_llmdistill.settings import DistillationSettings

    logging.getLogger().setLevel(logging.ERROR)
    leave_to_recbole(settings)
    try:
        config = build_config("SASRecDistill", dataset)
        if not _has_interactions(config):
            raise InputError(f"data set {dataset!r}: no {dataset}.inter in {config['data_path']}")
        training_part, _, _ = create_dataset(config).build()
        profiles = load_user_profiles(training_part, DistillationSettings.from_config(config))
    except InputError as error:
        return Finding("WRONG", str(error))
    users = training_part.inter_feat[training_part.uid_field].unique()
    covered = int(profiles.present[users].any(dim=1).sum())
    return Finding("ok", f"{find_profile_file(config)} covers {covered} of {len(users)} training users of {dataset}")


def _has_interactions(config) -> bool:
    from pathlib import Path

    return any(Path(config["data_path"]).glob(f"{config['dataset']}*.inter"))
