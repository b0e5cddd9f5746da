"""Read what a server has answered; without the client, which takes a second to import."""

import json
from typing import Any


def read_json(text: str) -> Any:
    """The content of a body.

    Raises:
        ValueError: it is no JSON, or nested deeper than Python reads.
    """
    try:
        return json.loads(text.lstrip("\ufeff"))
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error


def error_of(content: Any) -> str | None:
    """The message of an answer that is an error in spite of its status."""
    error = content.get("error") if isinstance(content, dict) else None
    if not error:
        return None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or error)
