"""The one kind of error that a user can fix."""


class InputError(ValueError):
    """Something that the user gave is wrong: a key, a value, a file.

    The message is one line: what is wrong, where (file, line or key) and what to do.
    The command line prints it without a traceback and exits with status 2.
    """
