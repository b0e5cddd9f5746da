"""The command line that RecBole's ``Config``, which reads that of any process, gets to see."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def arguments_replaced(settings: Sequence[str] = ()) -> Iterator[None]:
    """Put these settings, written ``--key=value``, in the place of the arguments in ``sys.argv`` for a while."""
    arguments = sys.argv[1:]
    sys.argv[1:] = settings
    try:
        yield
    finally:
        sys.argv[1:] = arguments
