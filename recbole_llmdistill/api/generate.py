"""``recbole_llmdistill.generate``: have an LLM describe users by their training histories, or items by their fields."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recbole_llmdistill.api.recbole_config import config_of, log_level
from recbole_llmdistill.config.options import given_as
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import Messages
from recbole_llmdistill.profiles.options import GenerateOptions
from recbole_llmdistill.ray_cluster import check_ray


@dataclass(frozen=True)
class GenerateResult:
    """What :func:`generate` did; all counts are 0 where nothing was to be sent.

    Attributes:
        folder: of the texts; None where nothing was to be written.
        files: what lies there: texts, failures and manifest, as far as there are any.
        profiles: users (or items) that got a text in this run.
        failures: those that got none.
        failure_reasons: of these, reason -> number.
        requests: requests to the LLM.
        prompt_tokens: sent.
        completion_tokens: answered.
        cost: of these, where prices were given.
        naming_held_out: profiles that name a held-out item of their user.
        cut_interactions: interactions (or fields of an item) that were longer than the context.
        messages: what was said beside; the estimate or the prompt, where that was asked for.
    """

    folder: Path | None
    messages: Messages
    files: list[Path] = field(default_factory=list)
    profiles: int = 0
    failures: int = 0
    failure_reasons: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    naming_held_out: int = 0
    cut_interactions: int = 0


def generate(
    options: GenerateOptions | None = None,
    *,
    messages: Messages | None = None,
    command_line: Sequence[str] = (),
    **keywords: Any,
) -> GenerateResult:
    """Write ``profiles.jsonl``, one line per user, from the very training part that training will use; or, of items,
    ``items.jsonl`` from the ``.item`` file.

    An interrupted run goes on when the same is asked for again.

    Args:
        options: what to do.
        messages: where it is said what is done; default: into the result.
        command_line: further settings of RecBole, written ``--key=value``.
        keywords: fields of the options, in their place or changing them; the LLM's own options among them.

    Raises:
        InputError: an option, or a file that it names, cannot be used; the LLM cannot be reached; or too many users
            in a row failed.
        KeyboardInterrupt: it was interrupted; all answers are kept.
    """
    from recbole_llmdistill.profiles.llm.protocol import LLMS

    options, messages = given_as(GenerateOptions, options, keywords), messages or Messages()
    llm = LLMS.choose(options.llm, options.model_extra or {})
    if not (options.out or options.estimate or options.show_prompt is not None):
        raise InputError("--out: say in which folder the texts are to be written")
    if (options.price_in is None) != (options.price_out is None):
        raise InputError("--price-in and --price-out belong together")
    if options.ray and not llm.part.runs_on_ray:
        raise InputError(
            "--ray is for local models (--llm hf:...); a server is asked by one process, or by --shard i/n"
        )
    if options.ray:
        check_ray("--ray", "cluster")
    with log_level(logging.ERROR):
        config = config_of(options.model, options.dataset, options.config_files, options.settings, command_line)

        from recbole_llmdistill.profiles.job import GenerationJob

        job = GenerationJob.prepare(options, llm, config, messages)
        for line in job.notes():
            messages.note(line)
        if options.show_prompt is not None or options.estimate:
            lines = job.estimate_lines() if options.show_prompt is None else job.prompts_of(options.show_prompt)
            for line in lines:
                messages.note(line)
            return GenerateResult(None, messages)
        progress = job.generate_with_ray(options.ray) if options.ray else job.generate()
    for line in job.closing_lines(progress):
        messages.note(line)
    return GenerateResult(
        job.folder,
        messages,
        job.files(),
        progress.profiles,
        progress.failures,
        dict(progress.failure_reasons),
        progress.requests,
        progress.prompt_tokens,
        progress.completion_tokens,
        job.price.of(progress.prompt_tokens, progress.completion_tokens) if job.price else None,
        progress.naming_held_out,
        progress.cut_interactions,
    )
