"""What stops a trial early."""

from typing import Any, Literal, get_args

from recbole_llmdistill.tuning.records import EPOCHS

Scheduler = Literal["none", "asha", "median"]
SCHEDULERS: tuple[Scheduler, ...] = get_args(Scheduler)


def default_grace_epochs(epochs: int) -> int:
    """Epochs that every trial trains at least: an eighth of all."""
    return max(1, epochs // 8)


def build_scheduler(name: str, epochs: int, grace_epochs: int) -> Any:
    """Ray's scheduler.

    Args:
        name: ``none`` lets every trial train to its end; ``asha`` (asynchronous successive halving) compares a trial
            with those that came as far before it, at ``grace_epochs`` times 1, 2, 4 ..., and goes on with the better
            half; ``median`` stops a trial whose best is below the median of the others' running means.
        epochs: of the longest trial.
        grace_epochs: of the shortest.
    """
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule

    if name == "asha":
        return ASHAScheduler(time_attr=EPOCHS, max_t=epochs, grace_period=min(grace_epochs, epochs), reduction_factor=2)
    if name == "median":

        class NeverPausing(MedianStoppingRule):
            """Ray's pauses a trial until there are enough others, and what it goes on with has to start again."""

            def _on_insufficient_samples(self, *_trial: Any) -> str:
                return self.CONTINUE

        return NeverPausing(time_attr=EPOCHS, grace_period=grace_epochs)
    return FIFOScheduler()
