"""Any server with the OpenAI embeddings protocol: the hosted ones, vLLM, Text Embeddings Inference, Ollama ..."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.encoders.long_texts import LongTexts, encode_with_limit
from recbole_llmdistill.profiles.encoders.protocol import EncodedTexts

KEY_VARIABLE = "OPENAI_API_KEY"
DEFAULT_TOKEN_LIMIT = 8191


class OpenAIEncoder:
    """Embeddings of an OpenAI-compatible endpoint, by the official client, which retries with back-off.

    The server's tokenizer is unknown here, so a text's length is its number of bytes in UTF-8, which no tokenizer
    of bytes exceeds: what is within the limit is never refused.

    Args:
        model: name of the model at the server.
        base_url: address of the server, ending in ``/v1`` mostly; None: OpenAI's own.
        prefix: put before every text.
        long: what to do with texts beyond the limit.
        token_limit: most tokens a text; None: 8191, OpenAI's.
        dimensions: asked of the server; None: its default.
        batch_size: texts a request.
        concurrency: requests in flight.
        timeout: seconds that an answer may take.
        max_retries: further attempts at a request that failed for a passing reason.

    Raises:
        InputError: the client is not installed, or OpenAI's own server is asked without a key.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        prefix: str | None = None,
        long: LongTexts = "truncate",
        token_limit: int | None = None,
        dimensions: int | None = None,
        batch_size: int = 128,
        concurrency: int = 8,
        timeout: float = 120.0,
        max_retries: int = 6,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise InputError(
                f"encoder 'openai:{model}' needs the openai client ({error}): pip install 'recbole-llmdistill[llm]'; "
                "--encoder=tfidf needs nothing"
            ) from error
        key = os.environ.get(KEY_VARIABLE)
        if not key and base_url is None:
            raise InputError(
                f"encoder 'openai:{model}': the environment variable {KEY_VARIABLE} is not set; set it, or give the "
                "address of your own server by --base-url"
            )
        self.client = openai.OpenAI(api_key=key or "none", base_url=base_url, timeout=timeout, max_retries=max_retries)
        self.model, self.prefix, self.long, self.dimensions = model, prefix or "", long, dimensions
        self.batch_size, self.concurrency = batch_size, concurrency
        self.token_limit = token_limit or DEFAULT_TOKEN_LIMIT
        self.budget = self.token_limit - len(self.prefix.encode())
        if self.budget < 4:  # the longest character
            raise InputError(f"--token-limit={self.token_limit} leaves no room beside the prefix {self.prefix!r}")

    @property
    def address(self) -> str:
        """The server's address without a user name or password that may stand in it."""
        parts = urlsplit(str(self.client.base_url))
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.profiles.encoders.protocol.TextEncoder`."""
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
        """As :class:`~recbole_llmdistill.profiles.encoders.protocol.TextEncoder`."""
        return encode_with_limit(texts, self._split, self.long, self._ask)

    def _ask(self, texts: list[str]) -> np.ndarray:
        parts = [texts[start : start + self.batch_size] for start in range(0, len(texts), self.batch_size)]
        return np.concatenate([self._request(part) for part in parts])

    def _request(self, texts: list[str]) -> np.ndarray:
        import openai

        wanted = {} if self.dimensions is None else {"dimensions": self.dimensions}
        try:
            answer = self.client.embeddings.create(
                model=self.model, input=[self.prefix + text for text in texts], encoding_format="float", **wanted
            )
            rows = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
            vectors = np.array(rows, dtype=np.float32)
        except openai.AuthenticationError as error:  # whose text may repeat the key
            raise InputError(f"{self.address} refuses the key in {KEY_VARIABLE} (status 401)") from error
        except openai.APIStatusError as error:
            text = " ".join(str(error.message).split())[:300]
            raise InputError(
                f"{self.address} refuses a request for model {self.model!r}: status {error.status_code}, {text}"
            ) from error
        except openai.APIConnectionError as error:
            raise InputError(
                f"{self.address} cannot be reached ({error.__cause__ or error}); see --base-url"
            ) from error
        except (openai.APIError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{self.address} answers with something else than embeddings ({error!r})") from error
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise InputError(f"{self.address} answers {len(texts)} texts with embeddings of shape {vectors.shape}")
        return vectors

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
