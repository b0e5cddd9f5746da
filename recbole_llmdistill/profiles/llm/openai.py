"""Any OpenAI-compatible endpoint, through the official client: vLLM, SGLang, llama.cpp, Ollama, LM Studio, hosted ones.

What goes over the line, and within which limits, is in :mod:`.http_client`; what comes back is read by
:mod:`.completion`.
"""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tqdm import tqdm

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.llm.protocol import Answer, Request, RequestFailed
from recbole_llmdistill.profiles.llm.tokens import token_counter
from recbole_llmdistill.servers.masking import Secrets, check_address, shown_address

if TYPE_CHECKING:
    import openai

DEFAULT_CONTEXT_LENGTH = 8192

_REFUSES = re.compile(
    r"support|allow|permit|unknown|unrecogni[sz]ed|unexpected|invalid|deprecated|must be|only|remove|extra|cannot",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OpenAISettings:
    """How an endpoint is used.

    Attributes:
        model: name of the model there.
        base_url: address of the endpoint up to ``/v1``; unset: ``OPENAI_BASE_URL``, else OpenAI.
        key_variable: environment variable that holds the key.
        concurrency: most requests under way.
        timeout: seconds for one attempt at a request, from connecting to the last byte of the answer.
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
    """See :class:`~recbole_llmdistill.profiles.llm.protocol.Backend`."""

    def __init__(self, settings: OpenAISettings) -> None:
        self.settings = settings
        self.llm = f"openai:{settings.model}"
        self.concurrency = settings.concurrency
        self.context_length = settings.context_length or DEFAULT_CONTEXT_LENGTH
        self.base_url = settings.base_url or os.environ.get("OPENAI_BASE_URL") or None
        check_address(self.base_url)
        if self.base_url and "@" in urlsplit(self.base_url).netloc:  # it would be sent along with the key
            raise InputError(
                f"--base-url: leave user and password out of the address; a key is taken from {settings.key_variable}"
            )
        self.where = shown_address(self.base_url) or "api.openai.com"
        self.count_tokens: Callable[[str], int] = token_counter(settings.tokenizer)
        self.client: openai.AsyncOpenAI | None = None
        self.secrets = Secrets(None, self.base_url)
        self._limit = asyncio.Semaphore(settings.concurrency)
        self._refused: frozenset[str] = frozenset()

    def as_sent(self, text: str) -> str:
        """The message; the server adds its chat template."""
        return text

    async def start(self) -> None:
        """Reach the endpoint and find the model there."""
        self.client = self._new_client()
        content = await self._models()
        models = content.get("data") if isinstance(content, dict) else None
        models = [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []
        found = next((model for model in models if model.get("id") == self.settings.model), None)
        if found is None and models and not await self._can_be_retrieved():
            names = ", ".join(sorted(self.secrets.one_line(model.get("id"), 80) for model in models)[:10])
            raise InputError(f"--llm: {self.where} has no model {self.settings.model!r}; it has {names}")
        served_length = (found or {}).get("max_model_len")  # vLLM and SGLang say it
        if self.settings.context_length is None and isinstance(served_length, int) and served_length > 1:
            self.context_length = served_length

    async def answer(self, request: Request) -> Answer:
        """Ask; see the protocol."""
        async with self._limit:
            return await self._ask(request)

    async def close(self) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.close()

    def parameters(self, request: Request, refused: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Body of a request, without parameters that the model refuses."""
        settings = self.settings
        # Newer models of OpenAI know the second name alone.
        longest = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": [{"role": "user", "content": request.text}],
            longest: request.max_tokens,
            "temperature": settings.temperature,
        }
        if settings.temperature > 0:
            body["seed"] = settings.seed
        return {name: value for name, value in body.items() if name not in refused}

    def remember(self, refused: frozenset[str]) -> None:
        """Leave these parameters out from now on: without them a request was answered."""
        for name in sorted(refused - self._refused - {"max_tokens"}):
            value = getattr(self.settings, name)
            tqdm.write(f"warning: {self.llm} refuses {name}={value:g} and is asked without it", file=sys.stderr)
        self._refused |= refused

    def _new_client(self) -> "openai.AsyncOpenAI":
        try:
            from recbole_llmdistill.servers.http_client import check_limits, connect, key_of

            check_limits(self.settings.timeout, self.settings.retries)
            key = key_of(self.settings.key_variable)
            self.secrets = Secrets(key, self.base_url)
            if key or self.base_url is not None:
                return connect(key, self.base_url, self.settings.timeout, self.settings.retries)
        except InputError:
            raise
        except (ImportError, RuntimeError, AttributeError) as error:
            raise InputError(
                f"--llm openai: needs the openai package: pip install 'recbole-llmdistill[llm]' ({error})"
            ) from error
        except Exception as error:  # an address that is none
            raise InputError(f"--base-url: {self.where}: {self.secrets.one_line(error)}") from error
        raise InputError(
            f"no key: set the environment variable {self.settings.key_variable}, or give --base-url of a server "
            "that needs none"
        )

    async def _models(self) -> Any:
        """What the server says of its models; None: it does not."""
        import httpx2
        import openai

        from recbole_llmdistill.servers.http_client import UnreadableAnswer, describe_error, read_json

        try:
            return read_json((await self.client.get("/models", cast_to=httpx2.Response)).text)
        except InputError:
            raise
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise InputError(self._key_refused(error)) from error
            if error.status_code in (404, 405, 501):  # a server without a list of models may still answer
                return None
            raise InputError(f"{self.where}: {self._one_line(error)}") from error
        except openai.APIConnectionError as error:
            raise InputError(
                f"{self.where} cannot be reached ({describe_error(error, self.secrets)}); start the server, or mend "
                "--base-url"
            ) from error
        except (openai.OpenAIError, UnreadableAnswer, ValueError) as error:
            raise InputError(
                f"{self.where} does not speak the OpenAI protocol ({self._one_line(error)}); see --base-url"
            ) from error

    async def _ask(self, request: Request) -> Answer:
        import openai

        from recbole_llmdistill.profiles.llm.completion import read_completion
        from recbole_llmdistill.servers.http_client import describe_error

        try:
            return read_completion((await self._create(request)).text, self.secrets)
        except (InputError, RequestFailed):
            raise
        except openai.APITimeoutError as error:
            raise RequestFailed("timeout", f"no answer within {self.settings.timeout:g} s") from error
        except openai.APIStatusError as error:
            self._raise_if_hopeless(error)
            raise RequestFailed("http", f"status {error.status_code}: {self._one_line(error)}") from error
        except openai.APIConnectionError as error:
            raise RequestFailed("connection", describe_error(error, self.secrets)) from error
        except Exception as error:  # whatever a server sends, this user fails and no other
            raise RequestFailed("no_json", self._one_line(error)) from error

    async def _create(self, request: Request) -> Any:
        # The client's way to endpoints that it has no method for. Its retries are the same, but it neither walks over
        # a typed message on the way out nor builds typed objects on the way in, which took half of the time.
        import httpx2
        import openai

        refused = self._refused
        while True:
            body = self.parameters(request, refused)
            try:
                response = await self.client.post("/chat/completions", cast_to=httpx2.Response, body=body)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                name = refused_parameter(body, f"{error} {error.body}", error.param)
                if name is None:
                    raise
                refused |= {name}
            else:
                self.remember(refused)
                return response

    async def _can_be_retrieved(self) -> bool:
        import openai

        from recbole_llmdistill.servers.http_client import UnreadableAnswer

        try:
            await self.client.models.retrieve(self.settings.model)
        except InputError:
            raise
        except (openai.OpenAIError, UnreadableAnswer, ValueError, RecursionError):
            return False
        return True

    def _raise_if_hopeless(self, error: "openai.APIStatusError") -> None:
        if error.status_code in (401, 403):
            raise InputError(self._key_refused(error)) from error
        if error.status_code == 404:
            raise InputError(f"--llm {self.llm}: {self._one_line(error)}") from error
        if error.status_code == 402 or (error.status_code == 429 and error.code == "insufficient_quota"):
            raise InputError(f"no credit left: {self._one_line(error)}") from error

    def _key_refused(self, error: "openai.APIStatusError") -> str:
        # The server's own message may repeat a part of the key, so it is not passed on.
        variable = self.settings.key_variable
        state = "is not accepted" if os.environ.get(variable) else "is not set"
        return f"{self.where} refused access (status {error.status_code}): the key in {variable} {state}"

    def _one_line(self, error: object) -> str:
        return self.secrets.one_line(error) or type(error).__name__


def refused_parameter(sent: dict[str, Any], message: str, parameter: object = None) -> str | None:
    """Which parameter of a refused request a model does not take, so that it can be asked without; None: none.

    Args:
        sent: body of the request.
        message: why it was refused.
        parameter: the one that the server names, if it does.
    """
    if "max_tokens" in sent and "max_completion_tokens" in message:
        return "max_tokens"
    for name in ("temperature", "seed"):
        named = parameter == name or (not parameter and re.search(rf"\b{name}\b", message))
        if name in sent and named and _REFUSES.search(message):
            return name
    return None
