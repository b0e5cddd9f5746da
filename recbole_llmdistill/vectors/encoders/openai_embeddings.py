"""Any server with the OpenAI embeddings protocol: the hosted ones, vLLM, Text Embeddings Inference, Ollama ..."""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.servers.masking import Secrets, check_address, shown_address
from recbole_llmdistill.vectors.encoders.event_loop import BackgroundLoop
from recbole_llmdistill.vectors.encoders.long_texts import LongTexts, encode_with_limit
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts, Encoder

KEY_VARIABLE = "OPENAI_API_KEY"
DEFAULT_TOKEN_LIMIT = 8191

_MOST_BYTES_A_TEXT = 2**19
"""Of an answer: 16,000 numbers as JSON."""


class OpenAIEncoderOptions(Options):
    """Options of a server of embeddings.

    A timeout is for one attempt at a request, from connecting to the last byte of the answer; attempts are repeated
    for passing reasons.
    """

    dimensions: int | None = Field(None, ge=1, description="size of the vectors; default: the model's own")
    prefix: str | None = Field(None, description="put before every text; default: none")
    long: LongTexts = Field("truncate", description="texts beyond the token limit: cut, or mean of pieces")
    token_limit: int | None = Field(None, ge=1, description="most tokens a text; default: 8191, OpenAI's")
    batch_size: int = Field(128, ge=1, description="texts per request")
    base_url: str | None = Field(
        None, description="address of an OpenAI-compatible server, e.g. http://localhost:8000/v1"
    )
    concurrency: int = Field(8, ge=1, description="requests in flight at the server")
    timeout: float = Field(120.0, gt=0, description="seconds for a request", json_schema_extra={"cli": False})
    max_retries: int = Field(6, ge=0, description="further attempts", json_schema_extra={"cli": False})


class OpenAIEmbeddings(Encoder):
    """``openai:MODEL``."""

    name = "openai"
    title = "any server with the OpenAI embeddings protocol"
    takes_model = True
    example = "text-embedding-3-small"
    extra = "llm"
    Options = OpenAIEncoderOptions

    @classmethod
    def make(cls, model: str, options: OpenAIEncoderOptions) -> "OpenAIEncoder":
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.Encoder`."""
        return OpenAIEncoder(model, options)


class OpenAIEncoder:
    """Embeddings of an OpenAI-compatible endpoint, by the official client, which retries with back-off.

    The server's tokenizer is unknown here, so a text's length is its number of bytes in UTF-8, which no tokenizer
    of bytes exceeds: what is within the limit is never refused.

    Args:
        model: name of the model at the server.
        options: see :class:`OpenAIEncoderOptions`.

    Raises:
        InputError: the client is not installed, or OpenAI's own server is asked without a key.
    """

    def __init__(self, model: str, options: OpenAIEncoderOptions) -> None:
        try:
            from recbole_llmdistill.servers.http_client import MOST_BYTES, connect, key_of
        except ImportError as error:
            raise InputError(
                f"encoder 'openai:{model}' needs the openai client ({error}): pip install 'recbole-llmdistill[llm]'; "
                "--encoder=tfidf needs nothing"
            ) from error
        key = key_of(KEY_VARIABLE)
        base_url = options.base_url or os.environ.get("OPENAI_BASE_URL") or None
        check_address(base_url)
        if not key and base_url is None:
            raise InputError(
                f"encoder 'openai:{model}': the environment variable {KEY_VARIABLE} is not set; set it, or give the "
                "address of your own server by --base-url"
            )
        self._secrets = Secrets(key, base_url)
        try:
            self.client = connect(
                key,
                base_url,
                options.timeout,
                options.max_retries,
                most_bytes=MOST_BYTES + options.batch_size * _MOST_BYTES_A_TEXT,
            )
        except Exception as error:  # an address that is none
            raise InputError(f"--base-url: {self._secrets.one_line(error)}") from error
        self._loop = BackgroundLoop()
        self._loop.close_with(self, self.client.close)
        self.model, self.prefix = model, options.prefix or ""
        self.long, self.dimensions = options.long, options.dimensions
        self.batch_size, self.concurrency = options.batch_size, options.concurrency
        self.token_limit = options.token_limit or DEFAULT_TOKEN_LIMIT
        self.budget = self.token_limit - len(self.prefix.encode())
        if self.budget < 4:  # the longest character
            raise InputError(f"--token-limit={self.token_limit} leaves no room beside the prefix {self.prefix!r}")

    @property
    def address(self) -> str:
        """The server's address without a secret that may stand in it."""
        return shown_address(str(self.client.base_url)) or ""

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return {
            "encoder": "openai",
            "model": self.model,
            "base_url": self.address,
            "prefix": self.prefix,
            "long": self.long,
            "token_limit": self.token_limit,
            "dimensions": self.dimensions,
            "batch_size": self.batch_size,
        }

    def fit(self, texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return encode_with_limit(texts, self._split, self.long, self._ask)

    def _ask(self, texts: list[str]) -> np.ndarray:
        parts = [texts[start : start + self.batch_size] for start in range(0, len(texts), self.batch_size)]
        return np.concatenate([self._request(part) for part in parts])

    def _request(self, texts: list[str]) -> np.ndarray:
        """Vectors ``[texts, D]`` of texts that go into one request."""
        import httpx2
        import openai

        from recbole_llmdistill.servers.answers import read_json
        from recbole_llmdistill.servers.http_client import UnreadableAnswer, describe_error

        wanted = {} if self.dimensions is None else {"dimensions": self.dimensions}
        body = {
            "model": self.model,
            "input": [self.prefix + text for text in texts],
            "encoding_format": "float",
            **wanted,
        }
        try:
            response = self._loop.run(self.client.post("/embeddings", cast_to=httpx2.Response, body=body))
            return self._vectors(read_json(response.text), len(texts))
        except InputError:
            raise
        except openai.AuthenticationError as error:  # whose text may repeat the key
            raise InputError(f"{self.address} refuses the key in {KEY_VARIABLE} (status 401)") from error
        except openai.APIStatusError as error:
            raise InputError(
                f"{self.address} refuses a request for model {self.model!r}: status {error.status_code}, "
                f"{self._secrets.one_line(error.message)}"
            ) from error
        except openai.APIConnectionError as error:
            raise InputError(
                f"{self.address} cannot be reached ({describe_error(error, self._secrets)}); see --base-url"
            ) from error
        except (openai.OpenAIError, UnreadableAnswer, ValueError) as error:
            raise self._no_embeddings(error) from error

    def _vectors(self, answer: Any, texts: int) -> np.ndarray:
        """Vectors ``[texts, D]`` of an answer, in the order of the texts.

        Raises:
            InputError: it has others, or none.
        """
        from recbole_llmdistill.servers.answers import error_of

        if (error := error_of(answer)) is not None:
            raise self._no_embeddings(error)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise self._no_embeddings(answer)
        if len(data) != texts:
            raise InputError(f"{self.address} answers {texts} texts with {len(data)} embeddings")
        numbers = [item.get("index") for item in data]
        if any(number is not None for number in numbers):  # some servers number nothing and keep the order
            order = {number: item for number, item in zip(numbers, data, strict=True) if type(number) is int}
            if sorted(order) != list(range(texts)):
                raise InputError(
                    f"{self.address} does not number its embeddings from 0 to {texts - 1}, so it is unknown which text "
                    "has which; --batch-size=1 asks for one at a time"
                )
            data = [order[number] for number in range(texts)]
        rows = [self._vector(item.get("embedding")) for item in data]
        sizes = sorted({len(row) for row in rows})
        if len(sizes) > 1:
            raise InputError(f"{self.address} answers with embeddings of {sizes[0]} and of {sizes[-1]} values")
        if self.dimensions is not None and sizes != [self.dimensions]:
            raise InputError(
                f"{self.address} answers with {sizes[0]} values where {self.dimensions} were asked for; leave "
                "--dimensions out, and take `llmdistill reduce` for smaller vectors"
            )
        return np.stack(rows)

    def _vector(self, embedding: Any) -> np.ndarray:
        """A vector ``[D]`` from numbers, or from their bytes in base64, which some servers send unasked."""
        if isinstance(embedding, str):
            try:
                return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float32)
            except (binascii.Error, ValueError) as error:
                raise self._no_embeddings(embedding) from error
        row = np.array(embedding) if isinstance(embedding, list) and embedding else None
        if row is None or row.ndim != 1 or row.dtype.kind not in "fiu":
            raise self._no_embeddings(embedding)
        with np.errstate(over="ignore"):  # an infinite value is told with the user whose it is
            return row.astype(np.float32)

    def _no_embeddings(self, what: object) -> InputError:
        text = self._secrets.one_line(what, 200)
        return InputError(f"{self.address} answers with something else than embeddings ({text})")

    def _split(self, text: str) -> tuple[list[str], list[int]]:
        """Pieces of ``budget`` bytes at most, cut at white space where there is some in the later half of a piece."""
        if len(text.encode()) <= self.budget:
            return [text], [len(text)]
        pieces = []
        while text:
            piece = text.encode()[: self.budget].decode(errors="ignore")
            if len(piece) < len(text):
                space = max(piece.rfind(mark) for mark in " \n\t")
                piece = piece[: space + 1] if space > len(piece) // 2 else piece
            pieces.append(piece)
            text = text[len(piece) :]
        return pieces, [len(piece) for piece in pieces]
