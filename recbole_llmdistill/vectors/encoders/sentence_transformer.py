"""Sentence encoders by the sentence-transformers library: any model of the Hugging Face hub, or a local folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.encoders.long_texts import LongTexts, encode_with_limit
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts, Encoder

_HUB_SECONDS = 10.0


class SentenceTransformerOptions(Options):
    """Options of a sentence encoder.

    The E5 family asks for the prefix ``"query: "`` where vectors serve as features. Fewer dimensions than the model's
    own are its first ones, for Matryoshka models.
    """

    dimensions: int | None = Field(None, ge=1, description="size of the vectors; default: the model's own")
    prefix: str | None = Field(
        None, description="put before every text; default: 'query: ' for E5, else the model's own prompt"
    )
    long: LongTexts = Field("truncate", description="texts beyond the token limit: cut, or mean of pieces")
    token_limit: int | None = Field(None, ge=1, description="most tokens a text; default: the model's own limit")
    batch_size: int = Field(32, ge=1, description="texts a forward pass")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="auto: bfloat16 on a GPU that has it")
    trust_remote_code: bool = Field(False, description="run code that a model brings")


class SentenceTransformers(Encoder):
    """Whatever no other encoder is called."""

    name = "sentence-transformers"
    title = "a model of the Hugging Face hub or a folder, e.g. intfloat/multilingual-e5-large"
    takes_other_names = True
    extra = "encoders"
    runs_on_ray = True
    Options = SentenceTransformerOptions

    @classmethod
    def make(cls, model: str, options: SentenceTransformerOptions) -> "SentenceTransformerEncoder":
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.Encoder`."""
        return SentenceTransformerEncoder(model, options)


class SentenceTransformerEncoder:
    """A sentence encoder, on the GPU and in bfloat16 where there is one that computes it, else in float32.

    Args:
        model: name on the hub (``intfloat/multilingual-e5-large``) or folder.
        options: see :class:`SentenceTransformerOptions`.

    Raises:
        InputError: sentence-transformers is not installed, or the model cannot be loaded.
    """

    concurrency = 1

    def __init__(self, model: str, options: SentenceTransformerOptions) -> None:
        import torch

        bfloat16 = options.precision == "bfloat16" or (
            options.precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        )
        self.precision = "bfloat16" if bfloat16 else "float32"
        loading = {
            "truncate_dim": options.dimensions,
            "trust_remote_code": options.trust_remote_code,
            "model_kwargs": {"dtype": getattr(torch, self.precision)},
        }
        self.name, self.long = model, options.long
        self.batch_size, self.dimensions = options.batch_size, options.dimensions
        self.model = _load(model, loading).eval()
        self.prefix = self._default_prefix() if options.prefix is None else options.prefix
        self.token_limit = self._set_limit(options.token_limit)

    def _default_prefix(self) -> str:
        name = Path(self.name).name.lower()
        if "e5" in name.replace("_", "-").split("-") and "instruct" not in name:
            return "query: "
        return self.model.prompts.get(self.model.default_prompt_name or "", "") or ""

    def _set_limit(self, wanted: int | None) -> int | None:
        own = self.model.max_seq_length
        own = None if own is None or own == float("inf") else int(own)
        limit = own if wanted is None else min(wanted, own or wanted)
        if limit is None:
            return None
        self.model.max_seq_length = limit
        overhead = self.model.tokenizer.num_special_tokens_to_add() + len(self._tokenize(self.prefix)["input_ids"])
        self.budget = limit - overhead
        if self.budget < 1:
            raise InputError(
                f"{self.name}: {limit} tokens a text leave no room beside {overhead} of prefix and special tokens; "
                "raise --token-limit"
            )
        return limit

    def settings(self) -> dict[str, Any]:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        import sentence_transformers
        import torch

        transformer = getattr(self.model[0], "auto_model", None)
        return {
            "encoder": "sentence-transformers",
            "model": self.name,
            "revision": getattr(getattr(transformer, "config", None), "_commit_hash", None),
            "prefix": self.prefix,
            "long": self.long,
            "token_limit": self.token_limit,
            "dimensions": self.dimensions,
            "batch_size": self.batch_size,
            "precision": self.precision,
            "device": self.model.device.type,
            "sentence-transformers": sentence_transformers.__version__,
            "torch": torch.__version__,
        }

    def fit(self, texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        """As :class:`~recbole_llmdistill.vectors.encoders.protocol.TextEncoder`."""
        return encode_with_limit(texts, self._split, self.long, self._forward)

    def _forward(self, texts: list[str]) -> np.ndarray:
        return self.model.encode(
            [self.prefix + text for text in texts], prompt="", batch_size=self.batch_size, show_progress_bar=False
        )

    def _split(self, text: str) -> tuple[list[str], list[int]]:
        """Pieces of ``budget`` tokens, cut where the tokenizer cuts."""
        if self.token_limit is None:
            return [text], [1]
        offsets = self._tokenize(text, return_offsets_mapping=True)["offset_mapping"]
        if len(offsets) <= self.budget:
            return [text], [max(1, len(offsets))]
        runs = [offsets[start : start + self.budget] for start in range(0, len(offsets), self.budget)]
        return [text[run[0][0] : run[-1][1]] for run in runs], [len(run) for run in runs]

    def _tokenize(self, text: str, **options: Any) -> Any:
        return self.model.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False, **options)


def _load(name: str, options: dict[str, Any]) -> Any:
    """The model, from a folder, from the local cache, or from the hub, in this order."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError(
            f"encoder {name!r} needs sentence-transformers ({error}): pip install 'recbole-llmdistill[encoders]'; "
            "--encoder=tfidf needs nothing"
        ) from error
    folder = Path(name)
    if folder.is_dir():
        try:
            return SentenceTransformer(name, local_files_only=True, **options)
        except Exception as error:  # whatever the libraries raise about a folder that is no model
            raise InputError(f"{name}: this folder cannot be loaded as a sentence encoder ({_short(error)})") from error
    if folder.is_absolute() or name.startswith(".") or name.count("/") > 1:
        raise InputError(f"encoder {name!r}: there is no such folder; --encoder=tfidf needs no model")
    try:
        return SentenceTransformer(name, local_files_only=_check_hub(name), **options)
    except Exception as error:  # OSError, ValueError or the HTTP library's own
        raise InputError(
            f"encoder {name!r} is not in the local cache and cannot be fetched ({_short(error)}); fetch it beforehand "
            f"by `hf download {name} --local-dir FOLDER` where there is a network and give --encoder=FOLDER, or use "
            "--encoder=tfidf, which needs no model"
        ) from error


def _check_hub(name: str) -> bool:
    """Whether the model is in the local cache; if not, ask the hub for it once, since a download is tried for minutes.

    Raises:
        Exception: the hub cannot be reached, or has no such model.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = name if "/" in name else f"sentence-transformers/{name}"  # as sentence-transformers completes it
    try:
        snapshot_download(repository, local_files_only=True)
    except LocalEntryNotFoundError:
        HfApi().model_info(repository, timeout=_HUB_SECONDS)
        return False
    return True


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
