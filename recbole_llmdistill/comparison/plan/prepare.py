"""From what the user asks for to a plan that is ready to be run, with everything checked that can be."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recbole_llmdistill.comparison.held_out import HELD_OUT, HeldOut
from recbole_llmdistill.comparison.measures import NLL
from recbole_llmdistill.comparison.plan.arm import Arm
from recbole_llmdistill.comparison.plan.arm_config import ArmConfig, CommonSettings, configure
from recbole_llmdistill.comparison.plan.arms import build_arms
from recbole_llmdistill.comparison.plan.plan import Plan
from recbole_llmdistill.comparison.plan.profile_quality import profile_quality
from recbole_llmdistill.comparison.plan.split import held_out_cases, read_parts
from recbole_llmdistill.comparison.results import ResultsFolder
from recbole_llmdistill.data.dataset import DistillationDataset
from recbole_llmdistill.data.dataset_check import check_catalogue
from recbole_llmdistill.data.user_vectors import check_split
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically

if TYPE_CHECKING:
    from recbole.config import Config


def configured_arms(
    common: CommonSettings,
    reference: "Config",
    models: Sequence[str],
    controls: Sequence[str] = (),
    ablations: Sequence[str] = (),
    vectors: Mapping[str, str] | None = None,
    baseline: str | None = None,
) -> list[ArmConfig]:
    """Arms as of :func:`~.arms.build_arms`, each with its RecBole settings.

    A variant that has the very settings of the distilled model is left out.

    Raises:
        InputError: an unknown name, or a setting that RecBole or this package refuses.
    """
    if unused := [name for name in common.settings_of if name not in models]:
        raise InputError(f"--settings-of {unused[0]}: this model is not among --models {','.join(models)}")

    def final_settings(model: str) -> Mapping:
        # Without distillation, so that no profile file is looked for yet.
        return configure(Arm(model, model, "plain", {"distill_alpha": 0.0}), common, reference).final

    arms = build_arms(models, controls, ablations, vectors, baseline, final_settings)
    configs = [configure(arm, common, reference) for arm in arms]
    distilled = {config.identity for config in configs if config.arm.kind == "distilled"}
    return [config for config in configs if config.arm.kind != "ablation" or config.identity not in distilled]


def prepare(
    configs: Sequence[ArmConfig], common: CommonSettings, reference: "Config", seeds: int, out: Path
) -> tuple[Plan, ResultsFolder]:
    """Read the split, check profiles and earlier results against it, and write down plan, test cases and profile
    quality beside the results.

    Args:
        configs: the arms.
        common: settings of all of them.
        reference: config whose split and metrics they share.
        seeds: how many.
        out: folder of the results.

    Returns:
        The plan, and the folder, open for adding to it.

    Raises:
        InputError: an unusable split, profiles of another split, or results of other data in ``out``.
    """
    training, _, test = read_parts(reference)
    check_catalogue(reference, training.item_num - 1)
    held_out = held_out_cases(training, test)
    for path, mode in {
        config.profiles: config.final["profile_split_check"] for config in configs if config.profiles
    }.items():
        check_split(path, training, mode)
    folder = ResultsFolder(out, common.dataset, held_out.fingerprints)
    try:
        profiles = [config.profiles for config in configs if config.arm.kind == "distilled" and config.profiles]
        plan = Plan(
            common.dataset,
            [config.arm for config in configs],
            [config.identity for config in configs],
            list(range(seeds)),
            len(held_out.users),
            metric_names(reference),
            headline_metrics(reference),
            _write_quality(out, profiles[0], training, held_out) if profiles else None,
        )
        held_out.write(out / HELD_OUT)
        plan.write(out)
    except BaseException:
        folder.close()
        raise
    return plan, folder


def metric_names(config: "Config") -> list[str]:
    """Metrics of single cases that a config asks for, as RecBole calls them, and the likelihood."""
    from recbole.evaluator.base_metric import TopkMetric
    from recbole.evaluator.register import metrics_dict

    of_cases = [name.lower() for name in config["metrics"] if issubclass(metrics_dict[name.lower()], TopkMetric)]
    return [f"{name}@{k}" for k in config["topk"] for name in of_cases] + [NLL]


def headline_metrics(config: "Config") -> list[str]:
    """The metric that picks the epoch, recall at the same length where it is there, and the likelihood."""
    names = metric_names(config)
    valid = config["valid_metric"].lower()
    wanted = [valid, f"recall@{valid.partition('@')[2]}", NLL]
    return [name for name in dict.fromkeys(wanted) if name in names]


def _write_quality(folder: Path, profiles: Path, training: DistillationDataset, held_out: HeldOut) -> str:
    """Name of the file in ``folder`` with the quality of these profiles, computed once a folder and profile file."""
    digest = hashlib.sha256(profiles.read_bytes() + held_out.test_fingerprint.encode()).hexdigest()[:16]
    file = folder / f"profile_quality-{digest}.npy"
    if not file.is_file():
        quality = profile_quality(profiles, training, held_out.users)
        with written_atomically(file) as temporary:
            np.save(temporary, quality, allow_pickle=False)
    return file.name
