"""The way to a server for all that talks to one: chat, batches, embeddings.

It is the official client, which retries lost connections, timeouts and statuses 408, 409, 429 and 5xx, waits as long as
``Retry-After`` says, and else longer from time to time. Its aiohttp transport is used, which takes half the processor
time of the other. Added is what a server must not be able to do: send the histories of people and the key on to another
host, answer without end, or keep a request open for longer than ``--timeout``.
"""

import asyncio
import base64
import math
import os
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2  # what the openai client is made of
import openai

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.servers.masking import Secrets, shown_address

MOST_BYTES = 16 * 2**20
"""Of an answer; one of 100,000 tokens has less than a megabyte."""
TRANSFER_SECONDS = 3600.0
"""For a file of the batch API, up or down."""

_MOST_REDIRECTS = 5
_FILES = re.compile(r"/files(/[^/]+/content)?/?\Z")


class UnreadableAnswer(Exception):
    """An answer arrived that cannot be used. Asking again would be paid again, so the client does not retry it."""


class GuardedClient(openai.DefaultAioHttpClient):
    """The HTTP client beneath the official one.

    Args:
        seconds: for one request, from connecting to the last byte of the answer.
        most_bytes: of an answer, once it is decompressed.
    """

    def __init__(self, seconds: float, most_bytes: int) -> None:
        super().__init__(follow_redirects=False)
        self._seconds, self._most_bytes = seconds, most_bytes

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """As the client's own, within the limits.

        Raises:
            InputError: the server sends the request on to another host.
            UnreadableAnswer: the answer is too long, or is no answer by HTTP.
        """
        seconds = max(self._seconds, TRANSFER_SECONDS) if _FILES.search(request.url.path) else self._seconds
        try:
            async with asyncio.timeout(seconds):
                options["follow_redirects"] = False
                response = await self._follow(request, options)
                return response if stream and response.is_success else await self._read(response)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"no answer within {seconds:g} s", request=request) from error
        except (httpx2.HTTPError, InputError, UnreadableAnswer):
            raise
        except Exception as error:  # of aiohttp and below: a header of 9 KB, a status that is no number
            raise UnreadableAnswer(f"no answer by HTTP: {error!r}") from error

    async def _follow(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        for _ in range(_MOST_REDIRECTS):
            response = await super().send(request, stream=True, **options)
            if not response.has_redirect_location:
                return response
            following = response.next_request
            await response.aclose()
            if following is None or not _same_host(request.url, following.url) or following.method != request.method:
                where = shown_address(str(following.url)) if following else "an address that cannot be read"
                raise InputError(
                    f"{shown_address(str(request.url))} redirects to {where} (status {response.status_code}), which "
                    "was not followed, since requests hold histories of people and the key; give that address as "
                    "--base-url if you trust it"
                )
            request = following
        raise UnreadableAnswer(f"more than {_MOST_REDIRECTS} redirects")

    async def _read(self, response: httpx2.Response) -> httpx2.Response:
        """The response with its body, decompressed as it comes and counted."""
        parts, size = [], 0
        try:
            async for part in response.aiter_bytes():
                size += len(part)
                if size > self._most_bytes:
                    raise UnreadableAnswer(f"the answer is longer than {self._most_bytes / 2**20:.0f} MB")
                parts.append(part)
        except httpx2.DecodingError as error:
            raise UnreadableAnswer(f"the answer is not compressed as its header says: {error}") from error
        finally:
            await response.aclose()
        plain = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return httpx2.Response(
            response.status_code,
            headers=plain,
            content=b"".join(parts),
            request=response.request,
            extensions=response.extensions,
        )


def connect(
    key: str | None, base_url: str | None, timeout: float, retries: int, most_bytes: int = MOST_BYTES
) -> openai.AsyncOpenAI:
    """The official client with a guarded one beneath.

    Args:
        key: None where the server needs none.
        base_url: None: OpenAI's. A user and password in it are sent in place of the key.
        timeout: seconds for one attempt.
        retries: further attempts.
        most_bytes: of an answer.
    """
    headers = None
    if base_url and (userinfo := urlsplit(base_url).netloc.rpartition("@")[0]):
        base_url = base_url.replace(f"{userinfo}@", "", 1)
        headers = {"Authorization": f"Basic {base64.b64encode(unquote(userinfo).encode()).decode()}"}
    return openai.AsyncOpenAI(
        api_key=key or "none",
        base_url=base_url,
        default_headers=headers,
        timeout=timeout,
        max_retries=retries,
        http_client=GuardedClient(timeout, most_bytes),
    )


def key_of(variable: str) -> str | None:
    """The key in an environment variable; None: it is not set.

    Raises:
        InputError: ``variable`` is no name of one, or what it holds cannot be sent.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise InputError("--api-key-env: name the environment variable that holds the key, not the key itself")
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"the key in {variable} has characters that no key has; copy it again")
    return key or None


def check_limits(timeout: float, retries: int) -> None:
    """Refuse limits that are none.

    Raises:
        InputError: ``--timeout`` or ``--retries`` is negative or no number.
    """
    if not (math.isfinite(timeout) and timeout > 0):
        raise InputError(f"--timeout={timeout:g}: give seconds above 0")
    if retries < 0:
        raise InputError(f"--retries={retries}: give 0 or more")


def describe_error(error: Exception, secrets: Secrets) -> str:
    """One line for people about what the client raised."""
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) and error.__cause__ else error
    return secrets.one_line(cause) or type(cause).__name__


def _same_host(before: httpx2.URL, after: httpx2.URL) -> bool:
    """Whether it is the same server, or the same by TLS."""
    if before.host != after.host:
        return False
    if (before.scheme, before.port) == (after.scheme, after.port):
        return True
    return (before.scheme, before.port, after.scheme, after.port) == ("http", None, "https", None)
