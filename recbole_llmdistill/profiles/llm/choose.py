"""The back end that ``--llm`` names."""

import math
from dataclasses import dataclass
from pathlib import Path

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.history.histories import Histories
from recbole_llmdistill.profiles.llm import summary
from recbole_llmdistill.profiles.llm.protocol import Backend


@dataclass(frozen=True)
class LLMOptions:
    """The options of the command line about the LLM; see ``llmdistill generate --help``.

    Attributes:
        llm: ``openai:MODEL``, ``hf:MODEL_OR_FOLDER`` or ``none:summary``.
        base_url, api_key_env, concurrency, timeout, retries, tokenizer: for ``openai:``.
        batch: by the batch API.
        batch_size: for ``hf:``.
        temperature, seed: of the sampling.
        context_length: most tokens of prompt and answer; unset: what the model says.
    """

    llm: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 64
    timeout: float = 120.0
    retries: int = 8
    tokenizer: str | None = None
    batch: bool = False
    batch_size: int = 8
    temperature: float = 0.0
    seed: int = 0
    context_length: int | None = None


def choose_backend(options: LLMOptions, histories: Histories, folder: Path | None) -> Backend:
    """Make the back end; nothing is sent or loaded but a tokenizer.

    Args:
        options: which, and how.
        histories: of all users.
        folder: where a run writes; the batch API's jobs are noted there.

    Raises:
        InputError: no such LLM, a temperature that is none, or a package is missing.
    """
    if not 0 <= options.temperature < math.inf:
        raise InputError(f"--temperature={options.temperature:g}: give 0 or more")
    kind, _, model = options.llm.partition(":")
    if options.llm == summary.LLM:
        return summary.SummaryBackend(histories)
    if kind == "openai" and model:
        from recbole_llmdistill.profiles.llm.openai import OpenAIBackend, OpenAISettings

        settings = OpenAISettings(
            model,
            options.base_url,
            options.api_key_env,
            options.concurrency,
            options.timeout,
            options.retries,
            options.temperature,
            options.seed,
            options.context_length,
            options.tokenizer,
        )
        if options.batch:
            from recbole_llmdistill.profiles.llm.openai_batch import OpenAIBatchBackend

            return OpenAIBatchBackend(settings, folder)
        return OpenAIBackend(settings)
    if options.batch:
        raise InputError(f"--batch is for --llm openai:MODEL; {options.llm!r} has no batch API")
    if kind == "hf" and model:
        from recbole_llmdistill.profiles.llm.huggingface import HuggingFaceBackend, HuggingFaceSettings

        return HuggingFaceBackend(
            HuggingFaceSettings(model, options.batch_size, options.temperature, options.seed, options.context_length)
        )
    raise InputError(f"--llm: {options.llm!r} is none of openai:MODEL, hf:MODEL_OR_FOLDER, {summary.LLM}")
