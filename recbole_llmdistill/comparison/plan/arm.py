"""What is compared: an arm is a model with settings of its own, under a name for the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["plain", "distilled", "control", "ablation", "other"]


@dataclass(frozen=True)
class Arm:
    """A row of the table.

    Attributes:
        label: its name there.
        model: RecBole's name of the model.
        kind: what it is for; ``other`` is a model that has nothing to do with distillation.
        settings: what sets it apart from the model's settings in this comparison.
        baseline: label of the arm that it is compared with; None for the baseline itself.
    """

    label: str
    model: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)
    baseline: str | None = None
