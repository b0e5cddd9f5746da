"""Running means of what stage one and two look like, for the log."""

import math

import torch


class TrainingReport:
    """Means over the batches of an epoch, kept on the device until they are read."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, **values: torch.Tensor) -> None:
        """Add one batch's scalars."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Means since the last call, and start again."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means


class CollapseWatch:
    """Notices a target that shrinks towards a constant (DESIGN: bridge ``down`` with a jointly trained T)."""

    SHARE_LEFT = 0.1
    """Below this share of its first value the spread of the target counts as collapsed."""

    def __init__(self) -> None:
        self.first_spread = math.nan
        self.warned = False

    def warning(self, means: dict[str, float], beta_cap: float) -> str | None:
        """One line the first time that an epoch's mean spread of the target has collapsed, else ``None``.

        Args:
            means: what :meth:`TrainingReport.take` gave for an epoch.
            beta_cap: upper bound of beta, for the message.
        """
        if "target_spread" not in means:
            return None
        spread = means["target_spread"]
        if math.isnan(self.first_spread):
            self.first_spread = spread
        if self.warned or spread >= self.SHARE_LEFT * self.first_spread:
            return None
        self.warned = True
        return (
            f"The distillation target is collapsing: its spread over users fell from {self.first_spread:.3g} to "
            f"{spread:.3g} (beta {means['beta']:.3g}, cap {beta_cap:g}), so the student learns to copy a "
            "constant. Set distill_bridge=up, whose target stands still."
        )
