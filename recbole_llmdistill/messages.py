"""What a call has to say beside its result."""

import functools
import logging
import sys

_logger = logging.getLogger("recbole_llmdistill")


class Messages:
    """Keeps what is said.

    Attributes:
        notes: what is good to know, a line each.
        warnings: what may be wrong, a line each.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        """Say what is good to know."""
        self.notes.append(text)

    def warn(self, text: str) -> None:
        """Say what may be wrong."""
        self.warnings.append(text)


class PrintedMessages(Messages):
    """Prints at once, as a command does: notes to standard output, warnings to standard error."""

    def note(self, text: str) -> None:
        """Print it."""
        super().note(text)
        print(text, flush=True)

    def warn(self, text: str) -> None:
        """Print it with the word ``warning``."""
        super().warn(text)
        print(f"warning: {text}", file=sys.stderr)


@functools.cache
def warn_once(text: str) -> None:
    """Warn on standard error, or in RecBole's log where there is one, whatever level the root logger has."""
    _logger.setLevel(logging.WARNING)
    _logger.warning(f"warning: {text}")
