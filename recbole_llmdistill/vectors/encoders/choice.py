"""Which encoder, and how: what ``llmdistill encode`` was asked for, checked once."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.encoders.protocol import TextEncoder

Count = Annotated[int, Field(ge=1)]

_OPENAI = "openai:"
_OF_TFIDF = {"ngrams", "min_texts", "fit_sample"}
_OF_SENTENCE_ENCODERS = {"precision", "trust_remote_code"}
_OF_SERVERS = {"base_url", "concurrency"}
# Options that mean nothing to an encoder are refused rather than passed over.
_MEANINGLESS = {
    "tfidf": (
        "prefix",
        "long",
        "token_limit",
        "batch_size",
        "base_url",
        "concurrency",
        "precision",
        "trust_remote_code",
    ),
    "openai": ("ngrams", "min_texts", "fit_sample", "precision", "trust_remote_code"),
    "sentence-transformers": ("ngrams", "min_texts", "fit_sample", "base_url", "concurrency"),
}


class EncoderOptions(BaseModel):
    """Options of all encoders; None leaves a choice to the encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: Annotated[str, Field(min_length=1)] = "tfidf"
    """``tfidf``, ``openai:MODEL``, or a sentence encoder's name or folder."""
    dimensions: Count | None = None
    """Size of the vectors; None: 64 for tfidf, else the model's own."""
    prefix: str | None = None
    """Put before every text; None: as the model wants it."""
    long: Literal["truncate", "chunk"] | None = None
    """Texts beyond the token limit: cut, or mean of pieces. None: truncate."""
    token_limit: Count | None = None
    """Most tokens a text; None: the model's own limit."""
    batch_size: Count | None = None
    """Texts a forward pass or request."""
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    """Arithmetic of a sentence encoder. None: auto, bfloat16 on a GPU that has it."""
    trust_remote_code: bool | None = None
    """Let a sentence encoder run the code that comes with it."""
    base_url: str | None = None
    """Address of an OpenAI-compatible server."""
    concurrency: Count | None = None
    """Requests in flight at such a server."""
    ngrams: Count | None = None
    """tfidf: longest sequence of words that is a term."""
    min_texts: Count | None = None
    """tfidf: texts in which a term must occur."""
    fit_sample: Annotated[int, Field(ge=2)] | None = None
    """tfidf: texts that it learns from."""

    @property
    def kind(self) -> str:
        """``tfidf``, ``openai`` or ``sentence-transformers``."""
        if self.encoder == "tfidf":
            return "tfidf"
        return "openai" if self.encoder.startswith(_OPENAI) else "sentence-transformers"


def build_encoder(options: EncoderOptions) -> TextEncoder:
    """The encoder that ``options`` ask for.

    Raises:
        InputError: it cannot be had, or an option means nothing to it.
    """
    given = {name: value for name, value in options.model_dump(exclude={"encoder"}).items() if value is not None}
    for name in _MEANINGLESS[options.kind]:
        if name in given:
            raise InputError(
                f"--{name.replace('_', '-')} means nothing to the encoder {options.encoder!r}; leave it out"
            )
    if options.kind == "tfidf":
        from recbole_llmdistill.vectors.encoders.tfidf import TfidfEncoder

        return TfidfEncoder(**given)
    if options.kind == "openai":
        from recbole_llmdistill.vectors.encoders.openai_embeddings import OpenAIEncoder

        model = options.encoder.removeprefix(_OPENAI)
        if not model:
            raise InputError("--encoder=openai: lacks the model's name, e.g. openai:text-embedding-3-small")
        return OpenAIEncoder(model, **given)
    from recbole_llmdistill.vectors.encoders.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(options.encoder, **given)
