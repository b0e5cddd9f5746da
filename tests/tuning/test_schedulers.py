"""What the schedulers stop, against the rules worked out by hand."""

import statistics

import numpy as np
import pytest
from ray.tune.schedulers import MedianStoppingRule

from recbole_llmdistill.tuning.schedulers import build_scheduler, default_grace_epochs


class DrawnTrial:
    """As much of Ray's trial as a scheduler looks at."""

    status = "PENDING"

    def __init__(self, number: int) -> None:
        self.trial_id = f"t{number}"


class Runner:
    """As much of Ray's runner: there are always others that wait."""

    def get_live_trials(self) -> list[DrawnTrial]:
        return [DrawnTrial(99)]


def curves(count: int, epochs: int) -> np.ndarray:
    """Best validation metric so far, ``[trials, epochs]``."""
    random = np.random.default_rng(5)
    return np.maximum.accumulate(random.uniform(0.2, 1, (count, 1)) * np.linspace(0.5, 1, epochs), axis=1)


def epochs_of(scheduler, scores: np.ndarray, mode: str) -> list[int]:
    """Epochs that each trial gets, one trial after the other."""
    scheduler.set_search_properties("best_score", mode)
    spent = []
    for number, curve in enumerate(scores):
        trial = DrawnTrial(number)
        scheduler.on_trial_add(Runner(), trial)
        for epoch, score in enumerate(curve, start=1):
            result = {"epoch": epoch, "best_score": score}
            decision = scheduler.on_trial_result(Runner(), trial, result)
            assert decision in ("CONTINUE", "STOP")
            if decision == "STOP":
                break
        scheduler.on_trial_complete(Runner(), trial, result)
        spent.append(epoch)
    return spent


@pytest.mark.parametrize("mode", ["max", "min"])
def test_asha_goes_on_with_the_better_half_at_each_doubling(mode: str) -> None:
    scores = curves(20, 25) * (1 if mode == "max" else -1)
    reached: dict[int, list[float]] = {3: [], 6: [], 12: [], 24: []}
    expected = []
    for curve in scores:
        spent = 25
        for rung, others in reached.items():
            score = curve[rung - 1] * (1 if mode == "max" else -1)
            stop = bool(others) and score < statistics.median(others)
            others.append(score)
            if stop:
                spent = rung
                break
        expected.append(spent)
    assert epochs_of(build_scheduler("asha", 25, 3), scores, mode) == expected
    assert sum(expected) < 20 * 25 / 2


def test_the_median_rule_stops_what_is_below_the_others_means_and_never_pauses() -> None:
    scores = curves(12, 20)
    finished: list[np.ndarray] = []
    expected = []
    for curve in scores:
        spent = 20
        for epoch in range(5, 21):
            others = [other for other in finished if len(other) >= epoch]
            if len(others) >= 3 and curve[epoch - 1] < np.median([other[4:epoch].mean() for other in others]):
                spent = epoch
                break
        finished.append(curve[:spent])
        expected.append(spent)
    assert epochs_of(build_scheduler("median", 20, 5), scores, "max") == expected
    assert min(expected) < 20
    with pytest.raises(AssertionError):  # what ours is there for
        epochs_of(MedianStoppingRule(time_attr="epoch", grace_period=5), scores, "max")


def test_without_a_scheduler_all_trials_end() -> None:
    assert epochs_of(build_scheduler("none", 20, 5), curves(6, 20), "max") == [20] * 6


def test_a_grace_of_more_epochs_than_there_are() -> None:
    assert epochs_of(build_scheduler("asha", 2, 7), curves(6, 2), "max") == [2] * 6
    assert [default_grace_epochs(epochs) for epochs in (1, 7, 8, 50)] == [1, 1, 1, 6]
