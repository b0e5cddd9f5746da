"""The process: a socket, uvicorn, and signals. SIGTERM and SIGINT end it gracefully, SIGHUP loads the folder again."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Iterator

import uvicorn

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import Messages
from recbole_llmdistill.serving.app import build_app
from recbole_llmdistill.serving.service import Service


def bind(host: str, port: int) -> socket.socket:
    """A socket for the service.

    Args:
        host: name or address.
        port: 0: any that is free.

    Raises:
        InputError: it is in use, or the system does not give it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise InputError(f"--host={host}: no address of this machine ({error})") from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(2048)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"--port={port}: in use by another process; give another one") from error
        raise InputError(f"--host={host} --port={port}: {error.strerror or error}") from error
    return bound


async def serve(service: Service, bound: socket.socket, messages: Messages, graceful_seconds: int) -> None:
    """Answer until SIGTERM or SIGINT; requests that have begun are then answered, and a second signal ends those too.

    Args:
        service: what answers.
        bound: of :func:`bind`; closed in the end.
        messages: are told where it listens, and of reloads.
        graceful_seconds: that requests have to end.
    """
    config = uvicorn.Config(
        build_app(service), log_level="warning", access_log=False, lifespan="on",
        timeout_graceful_shutdown=graceful_seconds,
    )  # fmt: skip
    server = _Server(config, service, bound, messages)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.end)
    loop.add_signal_handler(signal.SIGHUP, server.begin_reload)
    await server.serve([bound])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service, bound: socket.socket, messages: Messages) -> None:
        super().__init__(config)
        self._service, self._bound, self._messages = service, bound, messages
        self._reloads: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by the event loop; uvicorn would raise them again at the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self._bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self._messages.note(f"serving {self._service.description} on http://{shown}:{port} (/docs says how to ask)")

    def end(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True

    def begin_reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload(self) -> None:
        try:
            self._messages.note(f"loaded again: {await self._service.reload()}")
        except InputError as error:
            self._messages.warn(f"not loaded, {self._service.description} is served on: {error}")
