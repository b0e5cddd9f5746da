"""How commands end: one clear line and status 2 for whatever the user can fix."""

import contextlib
import errno
import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from recbole_llmdistill.cli.standard_streams import open_missing_streams
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.processes.signals import EndingSignals, tell, was_received

BAD_INPUT = 2
CLOSED_PIPE = 141  # what a shell reports of a process that SIGPIPE ended

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What the system refuses for a reason outside of this program; other errors of the system are mistakes in here.
_REFUSED = _FULL | {
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
}


def cli_errors(command: Callable[..., int | None]) -> Callable[..., int]:
    """Decorator of a command's ``main``: what the user can fix becomes a line on standard error and status 2.

    That is an :class:`InputError`, or a file that the system does not let us read or write. Ctrl-C, SIGTERM and SIGHUP
    become a line and the status that a shell reports of them: 130, 143, 129.
    """

    @functools.wraps(command)
    def main(*args: Any, **kwargs: Any) -> int:
        open_missing_streams()
        logging.raiseExceptions = False  # of a full disk or a closed terminal the log would print a traceback a line
        with EndingSignals():
            try:
                status = command(*args, **kwargs) or 0
                sys.stdout.flush()  # now rather than at Python's end, where nobody can tell why it fails
                return status
            except InputError as error:
                return _fail(str(error))
            except KeyboardInterrupt:
                return tell()
            except BrokenPipeError:  # who read the output has read enough, as `head` does
                _forget_output()
                return CLOSED_PIPE
            except Exception as error:
                if isinstance(error, OSError) and error.errno in _REFUSED:
                    return _fail(in_one_line(error))
                if was_received():  # a library has put an error of its own in the place of the interruption
                    return tell()
                raise

    return main


def in_one_line(error: OSError) -> str:
    """What the system refused, of which file if that is known, and what to do."""
    text = f"{error.filename or 'a file, or the output of this command'}: {error.strerror or error}"
    return f"{text}; make room and start it again" if error.errno in _FULL else text


def _fail(reason: str) -> int:
    with contextlib.suppress(OSError):  # standard error may be a full disk too
        print(f"error: {reason}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:
        _forget_output()
    return BAD_INPUT


def _forget_output() -> None:
    """Or Python complains as it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
