"""What draws the trials. All but ``random`` learn from those before, and need a library of the extra ``tune``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal, get_args

from recbole_llmdistill.errors import InputError

if TYPE_CHECKING:
    from recbole_llmdistill.tuning.space import Space

Searcher = Literal["random", "hyperopt", "optuna", "bayesopt"]
SEARCHERS: tuple[Searcher, ...] = get_args(Searcher)
_LIBRARY = {"hyperopt": "hyperopt", "optuna": "optuna", "bayesopt": "bayes_opt"}


def needs_real_domains(name: str) -> bool:
    """Whether the searcher knows real intervals alone."""
    return name == "bayesopt"


def check_searcher(name: str, space: Space) -> None:
    """Refuse a searcher that cannot be had, or that cannot search this space.

    Raises:
        InputError: names the extra, or the settings that the searcher has no domain for.
    """
    if name in _LIBRARY:
        try:
            importlib.import_module(_LIBRARY[name])
        except ImportError as error:
            raise InputError(
                f"--searcher={name} needs {error.name or _LIBRARY[name]}: pip install 'recbole-llmdistill[tune]'"
            ) from error
    if needs_real_domains(name) and (choices := sorted(space.distributions.keys() - space.real_domains().keys())):
        raise InputError(
            f"--searcher={name} searches ranges of numbers, and {', '.join(choices)} "
            f"{'is a choice' if len(choices) == 1 else 'are choices'}; make them ranges (quniform for whole numbers), "
            "or take random, hyperopt or optuna"
        )


def build_searcher(name: str, seed: int, concurrency: int | None) -> Any:
    """Ray's search algorithm.

    Args:
        name: one of :data:`SEARCHERS`.
        seed: the same draws the same trials; where trials run at once, a searcher that learns draws by what has ended.
        concurrency: most trials at once, of ``random``; Ray wraps the others itself.
    """
    if name == "hyperopt":
        from ray.tune.search.hyperopt import HyperOptSearch

        return HyperOptSearch(random_state_seed=seed)
    if name == "optuna":
        import optuna
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return OptunaSearch(seed=seed)
    if name == "bayesopt":
        return _bayesopt(seed)
    from ray.tune.search.basic_variant import BasicVariantGenerator

    return BasicVariantGenerator(random_state=seed, max_concurrent=concurrency or 0)


def _bayesopt(seed: int) -> Any:
    from ray.tune.search.bayesopt import BayesOptSearch

    class FailuresCounted(BayesOptSearch):
        """Ray's waits for its first ten trials to end well, and for ever where one of them fails."""

        def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
            if (error or not result) and trial_id in self._live_trial_mapping:
                self._total_random_search_trials -= 1
            super().on_trial_complete(trial_id, result, error)

    return FailuresCounted(random_state=seed)
