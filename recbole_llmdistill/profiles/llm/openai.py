"""Any OpenAI-compatible endpoint, through the official client: vLLM, SGLang, llama.cpp, Ollama, LM Studio, hosted ones.

What goes over the line, and within which limits, is in :mod:`.http_client`; what comes back is read by
:mod:`.completion`.
"""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field
from tqdm import tqdm

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.llm.protocol import LLM, Answer, LLMOptions, Request, RequestFailed
from recbole_llmdistill.profiles.llm.tokens import HOW, token_counter
from recbole_llmdistill.servers.masking import Secrets, check_address, shown_address

if TYPE_CHECKING:
    import openai

DEFAULT_CONTEXT_LENGTH = 8192
_SECONDS_TO_ASK = 5.0

_REFUSES = re.compile(
    r"support|allow|permit|unknown|unrecogni[sz]ed|unexpected|invalid|deprecated|must be|only|remove|extra|cannot",
    re.IGNORECASE,
)


class OpenAIOptions(LLMOptions):
    """Options of an endpoint.

    The context's length, if it is not given, is what the server says, else 8192. A timeout is for one attempt at a
    request, from connecting to the last byte of the answer.
    """

    base_url: str | None = Field(
        None, description="address of an OpenAI-compatible server, e.g. http://localhost:8000/v1"
    )
    api_key_env: str = Field(
        "OPENAI_API_KEY", description="variable with the key", json_schema_extra={"metavar": "NAME"}
    )
    concurrency: int = Field(64, ge=1, description="requests at a time")
    timeout: float = Field(120.0, gt=0, allow_inf_nan=False, description="seconds for a request")
    retries: int = Field(8, ge=0, description="further attempts a request")
    tokenizer: str | None = Field(
        None, description="model name or folder to count tokens with (default: 3 bytes are a token)"
    )
    batch: bool = Field(False, description="by the batch API: within a day, for half the price")


class OpenAI(LLM):
    """``openai:MODEL``."""

    name = "openai"
    title = "any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, hosted ones"
    takes_model = True
    example = "gpt-4o-mini"
    extra = "llm"
    is_server = True
    Options = OpenAIOptions

    @classmethod
    def make(cls, model: str, options: OpenAIOptions, subjects: Any, folder: Path | None) -> "OpenAIBackend":
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`."""
        if options.batch:
            from recbole_llmdistill.profiles.llm.openai_batch import OpenAIBatchBackend

            return OpenAIBatchBackend(model, options, folder)
        return OpenAIBackend(model, options)

    @classmethod
    def counts_tokens(cls, options: OpenAIOptions) -> str:
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`."""
        return HOW if options.tokenizer is None else super().counts_tokens(options)

    @classmethod
    def price_factor(cls, options: OpenAIOptions) -> float:
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`."""
        from recbole_llmdistill.profiles.llm.openai_batch import PRICE_FACTOR

        return PRICE_FACTOR if options.batch else 1.0

    @classmethod
    def to_ask_briefly(cls, options: OpenAIOptions) -> OpenAIOptions:
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`."""
        timeout = min(options.timeout, _SECONDS_TO_ASK)
        return options.model_copy(update={"retries": 0, "timeout": timeout, "tokenizer": None, "batch": False})


class OpenAIBackend:
    """See :class:`~recbole_llmdistill.profiles.llm.protocol.Backend`."""

    def __init__(self, model: str, options: OpenAIOptions) -> None:
        self.name, self.options = model, options
        self.llm = f"openai:{model}"
        self.concurrency = options.concurrency
        self.context_length = options.context_length or DEFAULT_CONTEXT_LENGTH
        self.base_url = options.base_url or os.environ.get("OPENAI_BASE_URL") or None
        check_address(self.base_url)
        if self.base_url and "@" in urlsplit(self.base_url).netloc:  # it would be sent along with the key
            raise InputError(
                f"--base-url: leave user and password out of the address; a key is taken from {options.api_key_env}"
            )
        self.where = shown_address(self.base_url) or "api.openai.com"
        self.count_tokens: Callable[[str], int] = token_counter(options.tokenizer)
        self.client: openai.AsyncOpenAI | None = None
        self.secrets = Secrets(None, self.base_url)
        self._limit = asyncio.Semaphore(options.concurrency)
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
        found = next((model for model in models if model.get("id") == self.name), None)
        if found is None and models and not await self._can_be_retrieved():
            names = ", ".join(sorted(self.secrets.one_line(model.get("id"), 80) for model in models)[:10])
            raise InputError(f"--llm: {self.where} has no model {self.name!r}; it has {names}")
        served_length = (found or {}).get("max_model_len")  # vLLM and SGLang say it
        if self.options.context_length is None and isinstance(served_length, int) and served_length > 1:
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
        options = self.options
        # Newer models of OpenAI know the second name alone.
        longest = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": "user", "content": request.text}],
            longest: request.max_tokens,
            "temperature": options.temperature,
        }
        if options.temperature > 0:
            body["seed"] = options.seed
        return {name: value for name, value in body.items() if name not in refused}

    def remember(self, refused: frozenset[str]) -> None:
        """Leave these parameters out from now on: without them a request was answered."""
        for name in sorted(refused - self._refused - {"max_tokens"}):
            value = getattr(self.options, name)
            tqdm.write(f"warning: {self.llm} refuses {name}={value:g} and is asked without it", file=sys.stderr)
        self._refused |= refused

    @property
    def connected(self) -> "openai.AsyncOpenAI":
        """The client, once :meth:`start` has made it."""
        assert self.client is not None
        return self.client

    def _new_client(self) -> "openai.AsyncOpenAI":
        try:
            from recbole_llmdistill.servers.http_client import check_limits, connect, key_of

            check_limits(self.options.timeout, self.options.retries)
            key = key_of(self.options.api_key_env)
            self.secrets = Secrets(key, self.base_url)
            if key or self.base_url is not None:
                return connect(key, self.base_url, self.options.timeout, self.options.retries)
        except InputError:
            raise
        except (ImportError, RuntimeError, AttributeError) as error:
            raise InputError(
                f"--llm openai: needs the openai package: pip install 'recbole-llmdistill[llm]' ({error})"
            ) from error
        except Exception as error:  # an address that is none
            raise InputError(f"--base-url: {self.where}: {self.secrets.one_line(error)}") from error
        raise InputError(
            f"no key: set the environment variable {self.options.api_key_env}, or give --base-url of a server "
            "that needs none"
        )

    async def _models(self) -> Any:
        """What the server says of its models; None: it does not."""
        import httpx2
        import openai

        from recbole_llmdistill.servers.answers import read_json
        from recbole_llmdistill.servers.http_client import UnreadableAnswer, describe_error

        try:
            return read_json((await self.connected.get("/models", cast_to=httpx2.Response)).text)
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
                f"{self.where} cannot be reached ({describe_error(error, self.secrets)}); start the server, or fix "
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
            raise RequestFailed("timeout", f"no answer within {self.options.timeout:g} s") from error
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
                response = await self.connected.post("/chat/completions", cast_to=httpx2.Response, body=body)
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
            await self.connected.models.retrieve(self.name)
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
        variable = self.options.api_key_env
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
