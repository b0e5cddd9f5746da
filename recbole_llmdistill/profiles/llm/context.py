"""How long the context is, and who says so: an estimate that assumes another one than the run has is worth little."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.parts import Choice
from recbole_llmdistill.profiles.llm.protocol import LLM, Backend

if TYPE_CHECKING:
    from recbole_llmdistill.profiles.subjects import Subjects

_SECONDS = 10.0
"""For a server to say what it has, before an estimate."""


async def start(backend: Backend, llm: Choice[LLM]) -> str:
    """Start a back end.

    Returns:
        Who says how long the context is.

    Raises:
        InputError: it cannot be had.
    """
    if llm.options.context_length is not None or not llm.part.is_server:
        await backend.start()
        return _without_server(llm)
    assumed, backend.context_length = backend.context_length, 0
    try:
        await backend.start()
    finally:
        served = backend.context_length > 0
        if not served:
            backend.context_length = assumed
    return "says the server" if served else "assumed, the server does not say it; see --context-length"


async def ask(backend: Backend, llm: Choice[LLM], subjects: Subjects) -> str:
    """For an estimate: take the context that the server has, if it can be reached; no request is sent to the model.

    Returns:
        Who says how long the context is.
    """
    if llm.options.context_length is not None or not llm.part.is_server:
        return _without_server(llm)
    if getattr(backend, "base_url", None) is None:
        return "assumed; see --context-length"
    brief = replace(llm, options=llm.part.to_ask_briefly(llm.options))
    asked = llm.part.make(llm.model, brief.options, subjects, None)
    try:
        who = await asyncio.wait_for(start(asked, brief), _SECONDS)
    except (InputError, TimeoutError) as error:
        return f"assumed, as {str(error) or 'the server does not answer'}; see --context-length"
    finally:
        await asked.close()
    backend.context_length = asked.context_length
    return who


def _without_server(llm: Choice[LLM]) -> str:
    return "as --context-length says" if llm.options.context_length is not None else "says the model"
