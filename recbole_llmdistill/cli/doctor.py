"""``llmdistill doctor``: what is wrong with this installation, and the command that fixes it."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import recbole_llmdistill
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.compat import missing_recbole
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties

DISTRIBUTION = "recbole-llmdistill"
OLDEST_PYTHON = (3, 11)
VOID_PINS = {
    "ray": "because RecBole imports Ray for searches alone, and `llmdistill tune` makes these on a current Ray",
    "colorlog": "because the one formatter that RecBole takes from it is in later releases, too",
    "colorama": "because the one function that RecBole takes from it is in later releases, too",
}
"""Pins of RecBole 1.2.1 that hold back every current stack, and why nothing needs them."""


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        state: ``ok``, ``note`` (works, but is not what the tests ran with) or ``WRONG``.
        text: what was found.
        fix: the command that fixes it, if it is wrong.
    """

    state: str
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.state:<6}{self.text}" + (f"; fix: {self.fix}" if self.fix else "")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser("doctor")
    parser.add_argument("--dataset", "-d", help="also check that this data set has fitting profiles, e.g. ml-100k")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Print one line a check; status 1 if anything is wrong."""
    checks = []
    for check in _checks(arguments, settings):
        print(check, flush=True)
        checks.append(check)
    return int(any(check.state == "WRONG" for check in checks))


def _checks(arguments: argparse.Namespace, settings: list[str]) -> Iterator[Check]:
    yield check_python()
    yield from check_packages()
    yield from check_recboles_pins()
    registered = check_models()
    yield registered
    yield check_gpu()
    if registered.state == "WRONG":
        return
    leave_to_recbole(settings, arguments.parser)
    if arguments.dataset:
        yield check_profiles(arguments.dataset)
    elif settings:
        raise InputError(f"{settings[0]}: settings belong to a data set; add --dataset=NAME")


def check_python() -> Check:
    """Python 3.11 or newer, as the package's metadata says."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Check("ok", f"Python {found}")
    needed = ".".join(map(str, OLDEST_PYTHON))
    return Check(
        "WRONG", f"Python {found}, needed is {needed} or newer", f"python{needed} -m venv .venv, and install in it"
    )


def check_packages() -> Iterator[Check]:
    """Each package of the tested set: present, within the range that works, and the tested version or not."""
    needed = _requirements()
    for name, tested in tested_versions().items():
        fix = missing_recbole.COMMAND if name == "recbole" else f"pip install {name}=={tested}"
        extra, allowed = needed.get(name, (None, SpecifierSet()))
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            if extra:
                fix = f"pip install '{DISTRIBUTION}[{extra}]'"
                yield Check("note", f"{name} is not installed, and needed only for {fix}")
            else:
                yield Check("WRONG", f"{name} is not installed", fix)
            continue
        if not allowed.contains(found, prereleases=True):
            yield Check("WRONG", f"{name} {found}, needed is {allowed}", fix)
        elif Version(found).public == Version(tested).public:
            yield Check("ok", f"{name} {found}")
        else:
            yield Check("note", f"{name} {found}; the tests ran with {tested}")


def check_recboles_pins() -> Iterator[Check]:
    """What RecBole's own metadata asks for and does not find; `pip check` reports the same."""
    try:
        requirements = map(Requirement, metadata.requires("recbole") or [])
    except metadata.PackageNotFoundError:
        return
    for item in requirements:
        if item.marker is not None and not item.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(item.name)
        except metadata.PackageNotFoundError:
            found = None
        if found is not None and item.specifier.contains(found, prereleases=True):
            continue
        text = f"RecBole's metadata asks for {item.name}{item.specifier}, found is {found or 'none'}"
        if reason := VOID_PINS.get(item.name):
            yield Check("note", f"{text}: void, {reason}; pip may say so too, and nothing needs to be done")
        else:
            yield Check("WRONG", text, f"pip install '{item.name}{item.specifier}'")


def tested_versions() -> dict[str, str]:
    """Package -> version of ``properties/constraints.txt``."""
    lines = properties("constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def _requirements() -> dict[str, tuple[str | None, SpecifierSet]]:
    """Package -> the extra that asks for it (``None``: all installations do), and the versions that work."""
    try:
        declared = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:  # a checkout that is only on the path
        return {}
    needed: dict[str, tuple[str | None, SpecifierSet]] = {
        "recbole": (None, Requirement(missing_recbole.REQUIREMENT).specifier)
    }
    for item in map(Requirement, declared.get_all("Requires-Dist") or []):
        extras = (None, *(declared.get_all("Provides-Extra") or []))
        extra = next(e for e in extras if item.marker is None or item.marker.evaluate({"extra": e or ""}))
        if extra is None or item.name not in needed:
            needed[item.name] = (extra, item.specifier)
    return needed


def check_models() -> Check:
    """RecBole imports, and finds our models by name."""
    fix = f"pip install -c {properties('constraints.txt')} {DISTRIBUTION} && {missing_recbole.COMMAND}"
    recbole_llmdistill.register()
    if recbole_llmdistill.import_error is not None:
        return Check("WRONG", f"no model is registered: {recbole_llmdistill.import_error}", fix)
    from recbole.utils import get_model

    from recbole_llmdistill.registry import MODELS

    try:
        for name in MODELS:
            get_model(name)
    except Exception as error:  # whatever a broken package raises is what is wrong
        return Check("WRONG", f"models cannot be registered: {error!r}", fix)
    return Check("ok", f"RecBole knows SASRecDistill, BERT4RecDistill and {len(MODELS) - 2} others")


def check_gpu() -> Check:
    """GPU or not; both work."""
    try:
        import torch
    except ImportError as error:
        return Check("WRONG", f"torch cannot be imported: {error}", f"pip install torch=={tested_versions()['torch']}")
    if torch.cuda.is_available():
        return Check("ok", f"GPU: {torch.cuda.get_device_name(0)}")
    return Check("ok", f"no GPU, training runs on the CPU with {torch.get_num_threads()} threads")


def check_profiles(dataset: str) -> Check:
    """The profiles that training would use fit the data set and its training split."""
    import logging

    from recbole.data import create_dataset

    from recbole_llmdistill.config.settings import DistillationSettings
    from recbole_llmdistill.data.dataset_check import check_dataset
    from recbole_llmdistill.data.user_vectors import load_user_vectors
    from recbole_llmdistill.data.vector_lookup import find_profile_file

    logging.getLogger().setLevel(logging.ERROR)
    try:
        config = build_config("SASRecDistill", dataset)
        check_dataset(config)
        training_part, _, _ = create_dataset(config).build()
        profiles = load_user_vectors(training_part, DistillationSettings.from_config(config))
    except InputError as error:
        return Check("WRONG", str(error))
    users = training_part.inter_feat[training_part.uid_field].unique()
    covered = int(profiles.present[users].any(dim=1).sum())
    return Check("ok", f"{find_profile_file(config)} covers {covered} of {len(users)} training users of {dataset}")
