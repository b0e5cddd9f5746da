"""From command-line arguments to checked options."""

import argparse
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from recbole_llmdistill.errors import InputError

Options = TypeVar("Options", bound=BaseModel)


def from_arguments(options: type[Options], arguments: argparse.Namespace) -> Options:
    """Options of those arguments that bear the name of a field.

    Raises:
        InputError: a value is not allowed; the message names the argument, the value and what is allowed.
    """
    given = {name: value for name, value in vars(arguments).items() if name in options.model_fields}
    try:
        return options(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]).replace("_", "-")
        message = problem["msg"][0].lower() + problem["msg"][1:]
        raise InputError(f"--{name}={problem['input']}: {message}") from error
