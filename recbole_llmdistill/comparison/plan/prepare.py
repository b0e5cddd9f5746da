"""From what the user asks for to a comparison that is ready to run, with everything checked that can be."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from recbole_llmdistill.comparison.comparison import Comparison, cached_quality, headline_metrics
from recbole_llmdistill.comparison.plan.arm_config import ArmConfig, CommonSettings, configure
from recbole_llmdistill.comparison.plan.arms import Arm, build_arms
from recbole_llmdistill.comparison.results import ResultsFolder
from recbole_llmdistill.comparison.run.held_out import held_out_cases, read_parts
from recbole_llmdistill.data.dataset_check import check_catalogue
from recbole_llmdistill.data.user_vectors import check_split
from recbole_llmdistill.errors import InputError


def configured_arms(
    common: CommonSettings,
    reference,
    models: Sequence[str],
    controls: Sequence[str] = (),
    ablations: Sequence[str] = (),
    profiles: Mapping[str, str] | None = None,
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

    arms = build_arms(models, controls, ablations, profiles, baseline, final_settings)
    configs = [configure(arm, common, reference) for arm in arms]
    distilled = {config.identity for config in configs if config.arm.kind == "distilled"}
    return [config for config in configs if config.arm.kind != "ablation" or config.identity not in distilled]


def prepare(configs: Sequence[ArmConfig], common: CommonSettings, reference, seeds: int, out: Path) -> Comparison:
    """Read the split, check profiles and earlier results against it.

    Raises:
        InputError: an unusable split, profiles of another split, or results of other data in ``out``.
    """
    parts = read_parts(reference)
    check_catalogue(reference, parts[0].item_num - 1)
    held_out = held_out_cases(parts[0], parts[2])
    for path, mode in {
        config.profiles: config.final["profile_split_check"] for config in configs if config.profiles
    }.items():
        check_split(path, parts[0], mode)
    folder = ResultsFolder(out, common.dataset, held_out.fingerprints)
    quality = None
    if profiles := next(
        (config.profiles for config in configs if config.arm.kind == "distilled" and config.profiles), None
    ):
        quality = cached_quality(out, profiles, parts[0], held_out)
    return Comparison(configs, range(seeds), folder, held_out, quality, headline_metrics(reference))
