"""The progress bar of a run: users (or items) a second, tokens, cost so far, failures, time left."""

import sys

from tqdm import tqdm

from recbole_llmdistill.formats.entity import Entity
from recbole_llmdistill.profiles.estimate import Price
from recbole_llmdistill.profiles.generation import Progress


class ProgressBar:
    """Shows a :class:`~recbole_llmdistill.profiles.generation.Progress`.

    Args:
        of: users or items.
        count: how many are to be done.
        price: of the tokens, if it is known.
        show: show it at all.
    """

    def __init__(self, of: Entity, count: int, price: Price | None, show: bool = True) -> None:
        self._price = price
        self._bar = tqdm(
            total=count,
            unit=of.noun,
            desc=f"{of.text}s",
            file=sys.stderr,
            mininterval=0.5,
            smoothing=0.05,
            disable=not show,
        )

    def __call__(self, progress: Progress) -> None:
        """One more is done."""
        self._bar.set_postfix_str(self.describe(progress), refresh=False)
        self._bar.update(1)

    def describe(self, progress: Progress) -> str:
        """Tokens, cost and failures."""
        text = f"in {_short(progress.prompt_tokens)} out {_short(progress.completion_tokens)}"
        if self._price is not None:
            text += f" cost {self._price.of(progress.prompt_tokens, progress.completion_tokens):.2f}"
        return f"{text} failed {progress.failures}"

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._bar.close()


def _short(number: int) -> str:
    return tqdm.format_sizeof(number) if number else "0"
