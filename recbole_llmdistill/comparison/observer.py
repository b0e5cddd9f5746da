"""Who wants to hear of a comparison while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recbole_llmdistill.comparison.plan.plan import Plan
    from recbole_llmdistill.comparison.results import Results


class Observer:
    """Told what happens while runs are made; this one says nothing, a class derived from it may."""

    def begin(self, plan: Plan, results: Results) -> None:
        """The plan is made and checked; what ``results`` lack of it is run now."""

    def run_ended(self, record: dict[str, Any]) -> None:
        """A run has ended, well or not, and is among the results."""

    def end(self) -> None:
        """All runs have been made."""
