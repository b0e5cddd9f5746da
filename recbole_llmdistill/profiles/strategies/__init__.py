"""What to do with a history that is longer than the model's context: one file a strategy, chosen by name."""

from recbole_llmdistill.profiles.strategies.merge_after import merge_after
from recbole_llmdistill.profiles.strategies.recent import recent
from recbole_llmdistill.profiles.strategies.task import Strategy
from recbole_llmdistill.profiles.strategies.update import update

STRATEGIES: dict[str, Strategy] = {"merge_after": merge_after, "update": update, "recent": recent}
"""By the name that ``--strategy`` takes. ``views`` is ``merge_after`` for each of several prompts."""

VIEWS = "views"
