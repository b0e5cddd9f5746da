"""From models and variants to the arms of a comparison."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recbole_llmdistill.comparison.plan.ablations import ablation_settings
from recbole_llmdistill.comparison.plan.arm import Arm
from recbole_llmdistill.config.model_names import base_model, explain_unknown_model
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.own_models import resolve
from recbole_llmdistill.registry import MODELS

PLAIN: dict[str, Any] = {"distill_alpha": 0.0, "item_knowledge": "none", "item_target_smoothing": 0.0}
"""Settings that make a distilled model the plain one in the same way."""

# Their names alone would be taken for the models on whole sequences, which this package's tables are about.
_WHOLE_ELSEWHERE = ("SASRec", "BERT4Rec")

CONTROLS: dict[str, tuple[str, dict[str, Any]]] = {
    "shuffled": ("{distilled}, profiles shuffled", {"vectors_control": "shuffled"}),
    "random": ("{distilled}, random vectors", {"vectors_control": "random"}),
    "items-permuted": ("{distilled}, item texts permuted", {"item_control": "permuted"}),
    "items-random": ("{distilled}, random item vectors", {"item_control": "random"}),
    "items-cooccurrence": ("{distilled}, item vectors of co-occurrence", {"item_control": "cooccurrence"}),
    "both-shuffled": (
        "{distilled}, profiles and item texts shuffled",
        {"vectors_control": "shuffled", "item_control": "permuted"},
    ),
    "smoothed": ("{plain}, smoothed by popularity", {**PLAIN, "sequence_popularity_smoothing": 0.1}),
}
"""Controls of a distilled model by name: the label, and the settings. They tell knowledge from regularisation."""


def build_arms(
    models: Sequence[str],
    controls: Sequence[str] = (),
    ablations: Sequence[str] = (),
    vectors: Mapping[str, str] | None = None,
    baseline: str | None = None,
    configured: Callable[[str], Mapping[str, Any]] = lambda _: {},
) -> list[Arm]:
    """The arms of a comparison, baselines before what is compared with them.

    A distilled model brings along its plain twin: the same model in the same way without distillation. Every arm is
    compared with the plain twin of its own base model, or where there is none with the first plain twin, or the first
    arm; ``baseline`` names one for all.

    Args:
        models: RecBole's names, or ``module:Class`` of one's own.
        controls: names in :data:`CONTROLS`, for each distilled model.
        ablations: names in ``properties/comparison/ablations.yaml``, likewise.
        vectors: name -> file or folder of further profile vectors, likewise.
        baseline: label of an arm, or name of a model.
        configured: gives the final settings of a distilled model.

    Raises:
        InputError: an unknown model, control, ablation or baseline; names the nearest.
    """
    models = [resolve(name) for name in models]
    for name in models:
        if problem := explain_unknown_model(name):
            raise InputError(f"--models: {problem}")
    if unknown := [name for name in controls if name not in CONTROLS]:
        raise InputError(f"--controls: unknown control {unknown[0]!r}; known: {', '.join(CONTROLS)}")
    distilled = [name for name in dict.fromkeys(models) if name in MODELS]
    settings = {name: configured(name) for name in distilled}
    twins = {base_model(name): _plain_label(name, settings[name]) for name in distilled}
    arms: list[Arm] = []
    for name in dict.fromkeys(models):
        if name in MODELS:
            plain = Arm(twins[base_model(name)], name, "plain", PLAIN)
            arms += [plain, Arm(name, name, "distilled", {}, plain.label)]
            arms += _controls(name, plain.label, controls, settings[name])
            arms += _variants(name, plain.label, ablations, vectors or {}, settings[name])
        else:
            label = f"{name} (prefixes)" if name in twins or name in _WHOLE_ELSEWHERE else name
            arms.append(Arm(label, name, "other", {}, twins.get(name)))
    if (ablations or controls or vectors) and not any(arm.kind == "distilled" for arm in arms):
        raise InputError("--controls, --ablate and --vectors vary a distilled model; add one, e.g. SASRecDistill")
    return _with_baselines(arms, baseline)


def _plain_label(name: str, settings: Mapping[str, Any]) -> str:
    whole = settings.get("sequence_training", "whole") == "whole"
    return f"{base_model(name)} ({'whole sequences' if whole else 'distillation off'})"


def _controls(name: str, plain: str, controls: Sequence[str], settings: Mapping[str, Any]) -> list[Arm]:
    of_items = [control for control in controls if "item_control" in CONTROLS[control][1]]
    texts = settings.get("item_knowledge", "none") != "none" or settings.get("item_target_smoothing", 0)
    if of_items and not texts:
        raise InputError(
            f"--controls={of_items[0]}: {name} has item_knowledge=none; set e.g. --item_knowledge=residual, or leave "
            "the control out"
        )
    return [
        Arm(label.format(distilled=name, plain=plain), name, "control", settings, plain)
        for label, settings in map(CONTROLS.__getitem__, dict.fromkeys(controls))
    ]


def _variants(
    name: str, plain: str, ablations: Sequence[str], vectors: Mapping[str, str], settings: Mapping[str, Any]
) -> list[Arm]:
    arms = [
        Arm(f"{name}, {ablation} {label}", name, "ablation", {key: value}, plain)
        for ablation in dict.fromkeys(ablations)
        for key, label, value in ablation_settings(ablation, name, settings)
    ]
    paths = vectors.items()
    return arms + [Arm(f"{name}, {label}", name, "ablation", {"vectors_path": path}, plain) for label, path in paths]


def _with_baselines(arms: list[Arm], baseline: str | None) -> list[Arm]:
    labels = [arm.label for arm in arms]
    default: str | None = next((arm.label for arm in arms if arm.kind == "plain"), labels[0])
    if baseline is not None:
        of_model = [arm.label for arm in arms if arm.model == baseline and arm.kind in ("distilled", "other")]
        default = baseline if baseline in labels else of_model[0] if of_model else None
        if default is None:
            nearest = difflib.get_close_matches(baseline, labels, n=3, cutoff=0) or labels
            raise InputError(f"--baseline: no arm is called {baseline!r}; nearest: {'; '.join(nearest)}")

    def of(arm: Arm) -> str | None:
        if baseline is None and (arm.baseline in labels or arm.kind == "plain"):
            return arm.baseline
        return None if arm.label == default else default

    return [Arm(arm.label, arm.model, arm.kind, arm.settings, of(arm)) for arm in arms]
