"""Which settings an ablation varies; ``properties/comparison/ablations.yaml`` says it."""

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.registry import MODELS

_LAYERS = "layers"


def ablations() -> dict[str, dict[str, Any]]:
    """Name of each ablation -> the setting and its values."""
    return yaml.safe_load(properties("comparison", "ablations.yaml").read_text(encoding="utf-8"))


def ablation_settings(name: str, model_name: str, settings: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Setting, name of its value in the table, and value, of each variant.

    Args:
        name: an ablation.
        model_name: of the distilled model.
        settings: its final ones.

    Raises:
        InputError: no such ablation, or nothing to vary in this model.
    """
    known = ablations()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise InputError(f"--ablate: unknown ablation {name!r}; {hint}known: {', '.join(known)}")
    ((key, values),) = known[name].items()
    model = MODELS[model_name]
    if values == _LAYERS:
        values = range(model.number_of_layers(settings) or 0)
    elif key == "distill_pooling":
        values = [value for value in values if value in model.poolings()]
    if not values:
        raise InputError(f"--ablate={name}: {model_name} has no choice of {key}; leave it out")
    named = values.items() if isinstance(values, dict) else [(value, value) for value in values]
    return [(key, str(label), value) for label, value in named]
