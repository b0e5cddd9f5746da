"""The command line of a process that RecBole's ``Config`` must not read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_command_line() -> Iterator[None]:
    """Hide the arguments in ``sys.argv``, which RecBole's ``Config`` takes for settings, in a notebook too."""
    arguments = sys.argv[1:]
    sys.argv[1:] = []
    try:
        yield
    finally:
        sys.argv[1:] = arguments
