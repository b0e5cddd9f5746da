"""How long the context is, and who says so: an estimate that assumes another one than the run has is worth little."""

import asyncio
from dataclasses import replace

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.history.histories import Histories
from recbole_llmdistill.profiles.llm.choose import LLMOptions, choose_backend
from recbole_llmdistill.profiles.llm.protocol import Backend

_SECONDS = 5.0
"""For a server to say what it has, before an estimate."""


async def start(backend: Backend, options: LLMOptions) -> str:
    """Start a back end.

    Returns:
        Who says how long the context is.

    Raises:
        InputError: it cannot be had.
    """
    if options.context_length is not None or not options.llm.startswith("openai:"):
        await backend.start()
        return _without_server(options)
    assumed, backend.context_length = backend.context_length, 0
    try:
        await backend.start()
    finally:
        served = backend.context_length > 0
        if not served:
            backend.context_length = assumed
    return "says the server" if served else "assumed, the server does not say it; see --context-length"


async def ask(backend: Backend, options: LLMOptions, histories: Histories) -> str:
    """For an estimate: take the context that the server has, if it can be reached; no request is sent to the model.

    Returns:
        Who says how long the context is.
    """
    if options.context_length is not None or not options.llm.startswith("openai:"):
        return _without_server(options)
    if backend.base_url is None:
        return "assumed; see --context-length"
    brief = replace(options, retries=0, timeout=min(options.timeout, _SECONDS), tokenizer=None, batch=False)
    asked = choose_backend(brief, histories, None)
    try:
        who = await asyncio.wait_for(start(asked, brief), 2 * _SECONDS)
    except (InputError, TimeoutError) as error:
        return f"assumed, as {str(error) or 'the server does not answer'}; see --context-length"
    finally:
        await asked.close()
    backend.context_length = asked.context_length
    return who


def _without_server(options: LLMOptions) -> str:
    return "as --context-length says" if options.context_length is not None else "says the model"
