"""How commands end: one clear line and status 2 for whatever the user can mend."""

import functools
import os
import sys
from collections.abc import Callable

from recbole_llmdistill.errors import InputError

BAD_INPUT = 2
CLOSED_PIPE = 141  # what a shell reports of a process that SIGPIPE ended


def ends_with_one_line(command: Callable[..., int | None]) -> Callable[..., int]:
    """Decorator of a command's ``main``: an :class:`InputError` becomes a line on standard error and status 2."""

    @functools.wraps(command)
    def main(*args, **kwargs) -> int:
        try:
            return command(*args, **kwargs) or 0
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return BAD_INPUT
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:  # who read the output has read enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains as it flushes at exit
            return CLOSED_PIPE

    return main
