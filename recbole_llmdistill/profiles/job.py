"""All parts of ``llmdistill generate`` put together."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from recbole_llmdistill.config.options import flags
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ENTITIES, USERS, Entity
from recbole_llmdistill.messages import Messages
from recbole_llmdistill.parts import Choice
from recbole_llmdistill.processes.coroutines import run_coroutine
from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.estimate import Price, estimate
from recbole_llmdistill.profiles.generation import ProfileWriter, Progress, generate
from recbole_llmdistill.profiles.history.histories import Histories, load_histories
from recbole_llmdistill.profiles.history.item_fields import load_item_fields
from recbole_llmdistill.profiles.ledger import FAILURES, Ledger, measured_answer_tokens
from recbole_llmdistill.profiles.llm import context
from recbole_llmdistill.profiles.llm.protocol import LLM, Backend
from recbole_llmdistill.profiles.options import GenerateOptions
from recbole_llmdistill.profiles.progress_bar import ProgressBar
from recbole_llmdistill.profiles.prompts import Prompt, load_prompts
from recbole_llmdistill.profiles.refresh import Refresh
from recbole_llmdistill.profiles.run_manifest import describe_prompts
from recbole_llmdistill.profiles.selection import Shard, select
from recbole_llmdistill.profiles.show_prompt import show_prompt
from recbole_llmdistill.profiles.strategies import STRATEGIES, VIEWS
from recbole_llmdistill.profiles.strategies.task import Strategy
from recbole_llmdistill.profiles.subjects import Subjects
from recbole_llmdistill.servers.masking import shown_address

if TYPE_CHECKING:
    from recbole.config import Config

DEFAULT_PROMPTS = {"users": "neutral-short", "items": "items-neutral"}
"""By the value of ``of``."""
VIEW_PROMPTS = "needs,tastes,habits"


@dataclass
class GenerationJob:
    """A prepared run: all is read and checked, nothing is sent or written.

    Attributes:
        subjects: all users, or items, that can have a text.
        indices: of the chosen ones.
        unknown: of ``--users`` or ``--items``, without anything to be shown.
        prompts: one per view.
        strategy: its name.
        llm: the LLM that was chosen, and its options.
        backend: the LLM.
        max_tokens: longest answer, by the name of the prompt.
        price: of the tokens; None if it was not given.
        folder: where to write; None: nowhere.
        manifest: what the manifest will say.
        messages: where it says what it does.
        show_progress: show progress bars.
        refresh: which profiles in the folder are to be written again; None: none.
    """

    subjects: Subjects
    indices: np.ndarray
    unknown: list[str]
    prompts: list[Prompt]
    strategy: str
    llm: Choice[LLM]
    backend: Backend
    max_tokens: dict[str, int]
    price: Price | None
    folder: Path | None
    manifest: dict[str, Any]
    messages: Messages
    show_progress: bool
    refresh: Refresh | None

    @classmethod
    def prepare(
        cls, options: GenerateOptions, llm: Choice[LLM], config: "Config", messages: Messages
    ) -> "GenerationJob":
        """Read the data and all that the options name.

        Args:
            options: what is asked for.
            llm: the LLM among it.
            config: RecBole's; its seed is the LLM's.
            messages: where the job is to say what it does.

        Raises:
            InputError: something cannot be read or used.
        """
        of = ENTITIES[options.of]
        _check_fits(options, of)
        prompts = _prompts(options, of, llm)
        shard = Shard.parse(options.shard) if options.shard else None
        subjects: Subjects = load_histories(config) if of is USERS else load_item_fields(config, options.field_length)
        refresh = None
        if options.changed_by is not None:
            if options.out is None:
                raise InputError("--changed-by needs --out, the folder of the profiles that may stay")
            assert isinstance(subjects, Histories)  # as _check_fits has made sure
            refresh = Refresh(subjects, options.changed_by, options.on_error == "skip")
        chosen = options.users if of is USERS else options.items
        indices, unknown = select(subjects, chosen, shard, options.limit)
        prompts = [prompt.fitted(subjects.has_values, subjects.has_dates) for prompt in prompts]
        llm = replace(llm, options=llm.options.model_copy(update={"seed": config["seed"]}))
        max_tokens = {prompt.name: options.max_tokens or prompt.max_tokens for prompt in prompts}
        price = None
        if options.price_in is not None and options.price_out is not None:
            factor = llm.part.price_factor(llm.options)
            price = Price(options.price_in * factor, options.price_out * factor)
        manifest = {
            "dataset": config["dataset"],
            **({"eval_args": config["eval_args"]} if of is USERS else {"of": of.name}),
            **subjects.described(),
            "llm": llm.given,
            "base_url": shown_address(getattr(llm.options, "base_url", None)),
            "prompts": describe_prompts(prompts),
            "strategy": options.strategy,
            "max_tokens": max_tokens,
            "temperature": llm.options.temperature,
            "seed": llm.options.seed,
            "context_length": llm.options.context_length,
            "shard": str(shard) if shard else None,
        }
        backend = llm.part.make(llm.model, llm.options, subjects, options.out)
        return cls(
            subjects, indices, unknown, prompts, options.strategy, llm, backend, max_tokens, price,
            options.out, manifest, messages, options.show_progress, refresh,
        )  # fmt: skip

    def notes(self) -> Iterator[str]:
        """What the user should know of the data."""
        if self.unknown:
            some = ", ".join(self.unknown[:3])
            yield f"{len(self.unknown):,} {self.of.name} of --{self.of.name} lack {self.of.source}, e.g. {some}"
        yield from self.subjects.notes

    @property
    def of(self) -> Entity:
        """Users or items."""
        return self.subjects.of

    def prompts_of(self, token: str) -> Iterator[str]:
        """What would be sent for a user or an item."""
        return show_prompt(token, self.subjects, self.prompts, self._strategy, self.backend, self._window)

    def estimate_lines(self) -> list[str]:
        """Counts and cost of all chosen ones, for people."""
        return run_coroutine(self._ask_and_count())

    async def _ask_and_count(self) -> list[str]:
        who = await context.ask(self.backend, self.llm, self.subjects)
        if self.refresh is None or self.folder is None:
            return await self._count(self.indices, who)
        standing = self.refresh.standing(self.folder)
        remaining = self.indices[~self.refresh.stays(standing.seen)[self.indices]]
        return [*self.refresh.lines(standing), *(await self._count(remaining, who))]

    def generate(self) -> Progress:
        """Write the texts.

        Raises:
            InputError: the LLM cannot be reached, the folder cannot be used, or the run cannot go on.
            KeyboardInterrupt: it was interrupted; all answers are kept.
        """
        return run_coroutine(self._generate())

    async def _generate(self) -> Progress:
        progress = Progress()
        try:
            who = await context.start(self.backend, self.llm)
            ledger = self._open_ledger()
            try:
                remaining, bar = await self._announce(ledger, who)
                writer = ProfileWriter(self.subjects, self.prompts, self._strategy, self.backend, self._window)
                try:
                    await generate(writer, remaining, ledger, progress, bar)
                finally:
                    bar.close()
            finally:
                ledger.close()
        finally:
            await self.backend.close()
        return progress

    def generate_with_ray(self, address: str) -> Progress:
        """Write the texts on the Ray cluster at ``address``; raises as :meth:`generate`."""
        from recbole_llmdistill.profiles.ray_actors import generate_with_ray

        progress = Progress()
        ledger = self._open_ledger()
        try:
            who = run_coroutine(context.ask(self.backend, self.llm, self.subjects))
            remaining, bar = run_coroutine(self._announce(ledger, who))
            try:
                if len(remaining):
                    generate_with_ray(
                        self.subjects, remaining, self.llm, self.prompts, self._strategy_name, self.max_tokens,
                        ledger, progress, bar, address,
                    )  # fmt: skip
            finally:
                bar.close()
        finally:
            ledger.close()
        return progress

    def closing_lines(self, progress: Progress) -> Iterator[str]:
        """What was done, for people."""
        yield (
            f"{self.folder}: {progress.profiles:,} {self.of.text}s written, {progress.requests:,} requests, "
            f"{progress.prompt_tokens:,} prompt tokens, {progress.completion_tokens:,} answer tokens"
            + (f", cost {self.price.of(progress.prompt_tokens, progress.completion_tokens):,.2f}" if self.price else "")
        )
        if progress.cut_interactions:
            yield f"{progress.cut_interactions:,} {self.of.shown} were longer than the context and were cut"
        if progress.naming_held_out:
            yield (
                f"{progress.naming_held_out:,} profiles name a held-out item of their user (names_held_out in "
                "profiles.jsonl): look at them before you train"
            )
        if progress.failures:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(progress.failure_reasons.items()))
            where = FAILURES if self.folder is None else self.folder / FAILURES
            yield (
                f"{progress.failures:,} {self.of.name} failed ({reasons}), see {where}; the same command tries them "
                "again"
            )

    def files(self) -> list[Path]:
        """What lies in the folder."""
        names = (self.of.texts, FAILURES, self.of.manifest)
        return [self.folder / name for name in names if self.folder and (self.folder / name).is_file()]

    @property
    def _strategy_name(self) -> str:
        return "merge_after" if self.strategy == VIEWS else self.strategy

    @property
    def _strategy(self) -> Strategy:
        return STRATEGIES[self._strategy_name]

    @property
    def _window(self) -> ContextBudget:
        return ContextBudget(self.backend.count_tokens, self.backend.context_length, self.max_tokens)

    def _open_ledger(self) -> Ledger:
        assert self.folder is not None  # where nothing is to be written, nothing is sent
        if self.refresh is not None:
            for line in self.refresh.lines(self.refresh.standing(self.folder)):
                self.messages.note(line)
        return Ledger(self.folder, self.of, self.manifest, self.subjects.tokens, self.refresh)

    async def _announce(self, ledger: Ledger, who: str) -> tuple[np.ndarray, ProgressBar]:
        """Print what is left to do and what it will cost; who is left, and a bar for them."""
        remaining = self.indices[~ledger.done[self.indices]]
        if len(remaining) < len(self.indices) and self.refresh is None:
            done = len(self.indices) - len(remaining)
            self.messages.note(f"{done:,} of {len(self.indices):,} {self.of.name} have a {self.of.text} already")
        if len(remaining):
            ledger.check_disk(len(remaining))
            for line in await self._count(remaining, who):
                self.messages.note(line)
        return remaining, ProgressBar(self.of, len(remaining), self.price, self.show_progress)

    async def _count(self, indices: np.ndarray, who: str) -> list[str]:
        """Counts and cost, for people; ``who`` says how long the context is."""
        if self.llm.part.asks_nobody:
            return [f"{self.of.name} {len(indices):,}; {self.llm.given} asks no LLM and costs nothing"]
        answer_tokens = measured_answer_tokens(self.folder, self.of) if self.folder else None
        with tqdm(
            total=len(indices), unit=self.of.noun, desc="counting", leave=False, delay=2, disable=not self.show_progress
        ) as bar:
            counted = await estimate(
                self.subjects, indices, self.prompts, self._strategy, self._window, answer_tokens, bar.update
            )
        how = self.llm.part.counts_tokens(self.llm.options)
        return counted.lines(self.price, how, f"{self.backend.context_length:,} tokens ({who})")


def _check_fits(options: GenerateOptions, of: Entity) -> None:
    """Refuse what means nothing to those who are described.

    Raises:
        InputError: it was asked for.
    """
    if options.on_error == "skip" and options.changed_by is None:
        raise InputError("--on-error=skip means nothing without --changed-by; leave it out")
    others = {"users": ("items", "field_length"), "items": ("users", "strategy", "changed_by")}[of.name]
    if meant := next((name for name in others if name in options.model_fields_set), None):
        flag = flags(meant, GenerateOptions.model_fields[meant])[-1]
        raise InputError(f"{flag} means nothing to --of={of.name}; leave it out")


def _prompts(options: GenerateOptions, of: Entity, llm: Choice[LLM]) -> list[Prompt]:
    if llm.part.prompt is not None:
        return [llm.part.prompt]
    prompts = load_prompts(
        options.prompt or (VIEW_PROMPTS if options.strategy == VIEWS else DEFAULT_PROMPTS[of.name]), of
    )
    if options.strategy == VIEWS and len(prompts) < 2:
        raise InputError(f"--strategy views needs several prompts, e.g. --prompt {VIEW_PROMPTS}")
    return prompts
