"""Counting tokens without a model of its own on this machine."""

import re
from collections.abc import Callable
from typing import Any

from recbole_llmdistill.errors import InputError

BYTES_PER_TOKEN = 3
"""Without a tokenizer: UTF-8 bytes per token. English has about 4, so prompts are rather over- than underestimated."""
HOW = "3 bytes, 1 digit or 1 punctuation mark counted as one; --tokenizer counts exactly"
_SINGLE = re.compile(r"[0-9!-/:-@\[-`{-~\n]")
"""Tokens of their own in many models, which read prices and dates digit by digit."""
_PICTURE = re.compile(r"[\U00010000-\U0010FFFF]")
"""Emoji and rare letters: three tokens each, which is nearly one a byte."""


def estimate_tokens(text: str) -> int:
    """Tokens of a text, from its characters alone."""
    singles, pictures = len(_SINGLE.findall(text)), len(_PICTURE.findall(text))
    rest = len(text.encode("utf-8", "replace")) - singles - 4 * pictures
    return singles + 3 * pictures + -(-rest // BYTES_PER_TOKEN)


def token_counter(tokenizer: str | None) -> Callable[[str], int]:
    """Counts by a tokenizer of the Hugging Face hub or of a folder, or by length if there is none.

    Raises:
        InputError: it cannot be loaded.
    """
    if tokenizer is None:
        return estimate_tokens
    loaded = load_tokenizer(tokenizer, "--tokenizer")
    return lambda text: len(loaded(text, add_special_tokens=False)["input_ids"])


def load_tokenizer(name: str, option: str) -> Any:
    """A transformers tokenizer, by name or folder.

    Raises:
        InputError: transformers is missing, or it cannot be loaded.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise InputError(f"{option} needs transformers: pip install 'recbole-llmdistill[llm]' ({error})") from error
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{option}: {name!r} is no model of the Hugging Face hub and no model folder: {reason}"
        ) from error
