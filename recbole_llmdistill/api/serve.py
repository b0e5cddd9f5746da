"""``recbole_llmdistill.serve``: an exported model behind HTTP, until a signal ends it."""

import asyncio
from pathlib import Path
from typing import Any

from pydantic import Field

from recbole_llmdistill.config.options import Options, given_as
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import Messages


class ServeOptions(Options):
    """Options of :func:`serve`."""

    model: Path = Field(description="folder that llmdistill export wrote, as onnx")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0: all of this machine")
    port: int = Field(8080, ge=0, le=65535, description="0: any that is free, which is printed")
    threads: int | None = Field(None, ge=1, description="of ONNX Runtime; default: one per core")
    most_bytes: int = Field(2**20, ge=1, description="bytes of a request's body")
    most_sequences: int = Field(64, ge=1, description="sequences of a request")
    most_items: int = Field(1000, ge=1, description="items of a sequence")
    most_k: int = Field(100, ge=1, description="items recommended for a sequence")
    most_waiting: int = Field(
        512, ge=1, description="sequences that may wait; beyond it requests get 503 and Retry-After"
    )
    batch: int = Field(64, ge=1, description="sequences that are computed at a time")
    graceful_seconds: int = Field(30, ge=0, description="seconds that requests have to end after SIGTERM or SIGINT")


def serve(options: ServeOptions | None = None, *, messages: Messages | None = None, **keywords: Any) -> None:
    """Answer requests until SIGTERM or SIGINT; SIGHUP loads the folder again. For the main thread.

    Args:
        options: what to do.
        messages: are told where it listens, and of reloads; default: nobody is.
        keywords: fields of the options, in their place or changing them.

    Raises:
        InputError: an option or the folder cannot be used, the port is in use, or the extra ``serve`` is missing.
    """
    options, messages = given_as(ServeOptions, options, keywords), messages or Messages()
    try:
        from recbole_llmdistill.serving import server
        from recbole_llmdistill.serving.service import Limits, Service
    except ImportError as error:
        raise InputError(f"serve needs {error.name}: pip install 'recbole-llmdistill[serve]'") from error

    limits = Limits(
        body_bytes=options.most_bytes,
        sequences=options.most_sequences,
        sequence_items=options.most_items,
        k=options.most_k,
        waiting=options.most_waiting,
        batch=options.batch,
    )
    bound = server.bind(options.host, options.port)  # before the model, which may take seconds

    async def main() -> None:
        service = Service(options.model, limits, options.threads)
        await server.serve(service, bound, messages, options.graceful_seconds)

    with bound:
        asyncio.run(main())
