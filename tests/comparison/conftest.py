"""Shared by the tests of comparisons: the command, and an arm ready to be run in this process."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recbole_llmdistill.cli import llmdistill
from recbole_llmdistill.comparison.held_out import HeldOut
from recbole_llmdistill.comparison.plan.arm_config import ArmConfig, CommonSettings, reference_config
from recbole_llmdistill.comparison.plan.prepare import configured_arms
from recbole_llmdistill.comparison.plan.split import held_out_cases, read_parts

SMALL = {
    "hidden_size": "16",
    "inner_size": "32",
    "load_col": "{'inter': ['user_id', 'item_id', 'timestamp']}",
    "MAX_ITEM_LIST_LENGTH": "10",
    "train_batch_size": "16",
    "epochs": "2",
    "state": "ERROR",
}
"""Settings of the data set ``tiny`` as the command line has them."""


@pytest.fixture
def command(tiny, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Function (arguments) -> exit status, standard output and error of ``llmdistill compare`` in this process."""

    def run(*arguments: str) -> tuple[int, str, str]:
        settings = [f"--{key}={value}" for key, value in SMALL.items()]
        monkeypatch.setattr(sys, "argv", ["llmdistill", "compare", *arguments, *settings])
        level = logging.getLogger().level
        try:
            status = llmdistill.main()
        finally:
            logging.getLogger().setLevel(level)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def common(tiny) -> CommonSettings:
    """The settings of all arms for the data set ``tiny``."""
    return CommonSettings("tiny", settings={**SMALL, "data_path": str(tiny.parent)})


@pytest.fixture
def arms_of(common) -> Callable[..., list[ArmConfig]]:
    """Function (models, ...) -> arms with their settings."""
    reference = reference_config(common)
    return lambda models, *variants: configured_arms(common, reference, models, *variants)


@pytest.fixture
def held_out(common) -> HeldOut:
    """The test cases of ``tiny``."""
    training, _, test = read_parts(reference_config(common))
    return held_out_cases(training, test)


@pytest.fixture
def job_of(common, held_out, tmp_path) -> Callable[[ArmConfig, int], dict[str, Any]]:
    """Function (arm, seed) -> what a run's process is told."""
    file = Path(tmp_path, "held_out.npz")
    held_out.write(file)

    def make(config: ArmConfig, seed: int) -> dict[str, Any]:
        settings = {**config.settings, "seed": seed, "show_progress": False}
        return {
            "model": config.arm.model,
            "dataset": common.dataset,
            "config_files": config.files,
            "settings": settings,
            "held_out": str(file),
        }

    return make
