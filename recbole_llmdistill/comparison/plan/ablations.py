"""Which settings an ablation varies; ``properties/comparison/ablations.yaml`` says it."""

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties

_LAYERS = "layers"


def ablations() -> dict[str, dict[str, Any]]:
    """Name of each ablation -> the setting and its values."""
    return yaml.safe_load(properties("comparison", "ablations.yaml").read_text(encoding="utf-8"))


def ablation_settings(name: str, settings: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Setting, name of its value in the table, and value, of each variant.

    Args:
        name: an ablation.
        settings: of the distilled model; ``n_layers`` is read.

    Raises:
        InputError: no such ablation; names the nearest.
    """
    known = ablations()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise InputError(f"--ablate: unknown ablation {name!r}; {hint}known: {', '.join(known)}")
    ((key, values),) = known[name].items()
    if values == _LAYERS:
        values = range(settings["n_layers"])
    named = values.items() if isinstance(values, dict) else [(value, value) for value in values]
    return [(key, str(label), value) for label, value in named]
