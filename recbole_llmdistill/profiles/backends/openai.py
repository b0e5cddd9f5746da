"""Any OpenAI-compatible endpoint, through the official client: vLLM, SGLang, llama.cpp, Ollama, LM Studio, hosted ones.

The client retries lost connections, timeouts and statuses 408, 409, 429 and 5xx, waits as long as ``Retry-After`` says,
and else longer from time to time. Its aiohttp transport is used, which takes half the processor time of the other.
"""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.backends.protocol import Answer, Request, RequestFailed
from recbole_llmdistill.profiles.backends.tokens import token_counter

DEFAULT_CONTEXT_LENGTH = 8192


@dataclass(frozen=True)
class OpenAISettings:
    """How an endpoint is used.

    Attributes:
        model: name of the model there.
        base_url: address of the endpoint up to ``/v1``; unset: ``OPENAI_BASE_URL``, else OpenAI.
        key_variable: environment variable that holds the key.
        concurrency: most requests under way.
        timeout: seconds for one request.
        retries: further attempts a request.
        temperature: of the sampling; 0: the likeliest words.
        seed: of the sampling, where the server knows it.
        context_length: most tokens of prompt and answer; unset: what the server says, else 8192.
        tokenizer: a tokenizer to count with; unset: by length.
    """

    model: str
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 64
    timeout: float = 120.0
    retries: int = 8
    temperature: float = 0.0
    seed: int = 0
    context_length: int | None = None
    tokenizer: str | None = None


class OpenAIBackend:
    """See :class:`~recbole_llmdistill.profiles.backends.protocol.Backend`."""

    def __init__(self, settings: OpenAISettings) -> None:
        self.settings = settings
        self.llm = f"openai:{settings.model}"
        self.concurrency = settings.concurrency
        self.context_length = settings.context_length or DEFAULT_CONTEXT_LENGTH
        self.base_url = settings.base_url or os.environ.get("OPENAI_BASE_URL") or None
        if self.base_url and "@" in urlsplit(self.base_url).netloc:  # it would stand in messages and in the manifest
            raise InputError(
                f"--base-url: leave user and password out of the address; a key is taken from {settings.key_variable}"
            )
        self.count_tokens: Callable[[str], int] = token_counter(settings.tokenizer)
        self.client: Any = None
        self._limit = asyncio.Semaphore(settings.concurrency)
        self._max_tokens_name = "max_tokens"

    def as_sent(self, text: str) -> str:
        """The message; the server adds its chat template."""
        return text

    async def start(self) -> None:
        """Reach the endpoint and find the model there."""
        self.client = self._new_client()
        import openai

        where = self.base_url or "api.openai.com"
        try:
            models = (await self.client.models.list()).data or []
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise InputError(self._key_refused(error)) from error
            if error.status_code not in (404, 405, 501):  # a server without a list of models may still answer
                raise InputError(f"{where}: {self._one_line(error)}") from error
            return
        except openai.APIConnectionError as error:
            raise InputError(
                f"{where} cannot be reached ({self._one_line(error.__cause__ or error)}); start the server, or mend "
                "--base-url"
            ) from error
        except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"{where} does not speak the OpenAI protocol ({self._one_line(error)}); see --base-url"
            ) from error
        found = next((model for model in models if model.id == self.settings.model), None)
        if found is None and models and not await self._can_be_retrieved():
            names = ", ".join(sorted(model.id for model in models)[:10])
            raise InputError(f"--llm: {where} has no model {self.settings.model!r}; it has {names}")
        served_length = getattr(found, "max_model_len", None)  # vLLM and SGLang say it
        if self.settings.context_length is None and served_length:
            self.context_length = int(served_length)

    async def answer(self, request: Request) -> Answer:
        """Ask; see the protocol."""
        import openai

        async with self._limit:
            try:
                try:
                    response = await self._create(request)
                except openai.BadRequestError as error:
                    if "max_completion_tokens" not in str(error) or self._max_tokens_name == "max_completion_tokens":
                        raise
                    self._max_tokens_name = "max_completion_tokens"  # newer models of OpenAI know this name alone
                    response = await self._create(request)
            except openai.APITimeoutError as error:
                raise RequestFailed("timeout", f"no answer within {self.settings.timeout:g} s") from error
            except openai.APIStatusError as error:
                self._raise_if_hopeless(error)
                raise RequestFailed("http", f"status {error.status_code}: {self._one_line(error)}") from error
            except openai.APIConnectionError as error:
                raise RequestFailed("connection", self._one_line(error.__cause__ or error)) from error
            except (openai.OpenAIError, ValueError) as error:
                raise RequestFailed("no_json", self._one_line(error)) from error
        return read_completion(response.text)

    async def close(self) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.close()

    def parameters(self, request: Request) -> dict[str, Any]:
        """Body of a request."""
        settings = self.settings
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": [{"role": "user", "content": request.text}],
            self._max_tokens_name: request.max_tokens,
            "temperature": settings.temperature,
        }
        if settings.temperature > 0:
            body["seed"] = settings.seed
        return body

    def _new_client(self):
        try:
            import openai

            http_client = openai.DefaultAioHttpClient()
        except (ImportError, RuntimeError, AttributeError) as error:
            raise InputError(
                f"--llm openai: needs the openai package: pip install 'recbole-llmdistill[llm]' ({error})"
            ) from error
        key = os.environ.get(self.settings.key_variable)
        if not key and self.base_url is None:
            raise InputError(
                f"no key: set the environment variable {self.settings.key_variable}, or give --base-url of a server "
                "that needs none"
            )
        return openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=self.base_url,
            timeout=self.settings.timeout,
            max_retries=self.settings.retries,
            http_client=http_client,
        )

    async def _create(self, request: Request):
        # The client's way to endpoints that it has no method for. Its retries are the same, but it neither walks over
        # a typed message on the way out nor builds typed objects on the way in, which took half of the time.
        import httpx2

        return await self.client.post("/chat/completions", cast_to=httpx2.Response, body=self.parameters(request))

    async def _can_be_retrieved(self) -> bool:
        import openai

        try:
            await self.client.models.retrieve(self.settings.model)
        except openai.OpenAIError:
            return False
        return True

    def _raise_if_hopeless(self, error) -> None:
        if error.status_code in (401, 403):
            raise InputError(self._key_refused(error)) from error
        if error.status_code == 404:
            raise InputError(f"--llm {self.llm}: {self._one_line(error)}") from error
        if error.status_code == 429 and error.code == "insufficient_quota":
            raise InputError(f"no credit left: {self._one_line(error)}") from error

    def _key_refused(self, error) -> str:
        # The server's own message may repeat a part of the key, so it is not passed on.
        variable = self.settings.key_variable
        state = "is not accepted" if os.environ.get(variable) else "is not set"
        where = self.base_url or "api.openai.com"
        return f"{where} refused access (status {error.status_code}): the key in {variable} {state}"

    def _one_line(self, error: object) -> str:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        key = os.environ.get(self.settings.key_variable)
        return text.replace(key, "***") if key else text


def read_completion(body: str) -> Answer:
    """The answer in the JSON text of a chat completion.

    Raises:
        RequestFailed: it is none, or the model refused.
    """
    try:
        completion = json.loads(body)
        choice = completion["choices"][0]
        message, usage = choice["message"], completion.get("usage") or {}
        answer = Answer(
            message.get("content") or "",
            choice.get("finish_reason") or "stop",
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RequestFailed("no_json", f"the answer is no chat completion: {body[:80]!r}") from error
    if message.get("refusal"):
        raise RequestFailed("refused", " ".join(str(message["refusal"]).split())[:300], answer)
    return answer
