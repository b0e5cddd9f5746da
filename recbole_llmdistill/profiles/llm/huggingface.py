"""Models on this machine, by transformers: chat template, batches of similar length, GPU and bfloat16 if there."""

import asyncio
from typing import Any

from pydantic import Field

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.answer_text import is_mark
from recbole_llmdistill.profiles.llm.protocol import LLM, Answer, LLMOptions, Request, RequestFailed
from recbole_llmdistill.profiles.llm.tokens import load_tokenizer

_BATCHES_A_CALL = 4
_WAITING_BATCHES = 8
"""So many batches' requests wait at a time, to be sorted by length."""


class HuggingFaceOptions(LLMOptions):
    """Options of a model on this machine."""

    batch_size: int = Field(
        8, ge=1, description="most requests per batch; halved by itself when a GPU's memory does not suffice"
    )


class HuggingFace(LLM):
    """``hf:MODEL_OR_FOLDER``."""

    name = "hf"
    title = "a model on this machine, by transformers: a name of the Hugging Face hub or a folder"
    takes_model = True
    example = "Qwen/Qwen3-4B"
    extra = "llm"
    runs_on_ray = True
    Options = HuggingFaceOptions

    @classmethod
    def make(cls, model: str, options: HuggingFaceOptions, subjects: Any, folder: Any) -> "HuggingFaceBackend":
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`."""
        return HuggingFaceBackend(model, options)

    @classmethod
    def users_a_call(cls, options: HuggingFaceOptions) -> int:
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`; several batches, to be sorted by length."""
        return options.batch_size * _BATCHES_A_CALL


class HuggingFaceBackend:
    """See :class:`~recbole_llmdistill.profiles.llm.protocol.Backend`; the tokenizer is loaded at once."""

    def __init__(self, model: str, options: HuggingFaceOptions) -> None:
        self.name, self.options = model, options
        self.llm = f"hf:{model}"
        self.concurrency = options.batch_size * _WAITING_BATCHES
        self.tokenizer = load_tokenizer(model, "--llm hf:")
        if self.tokenizer.chat_template is None:
            raise InputError(
                f"--llm {self.llm}: the model has no chat template; take one that is tuned for instructions"
            )
        self.tokenizer.padding_side = "left"  # so that all answers of a batch begin at the same position
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.context_length = options.context_length or self._longest_context()
        added = self.tokenizer.added_tokens_decoder.items()
        self._dropped = {number for number, token in added if token.special and not is_mark(token.content)}
        self.model: Any = None
        self._waiting: list[tuple[Request, asyncio.Future]] = []
        self._worker: asyncio.Task | None = None
        self._arrived = asyncio.Event()

    def count_tokens(self, text: str) -> int:
        """Tokens by the model's own tokenizer."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def as_sent(self, text: str) -> str:
        """The text with the chat template around it."""
        messages = [{"role": "user", "content": text}]
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    async def start(self) -> None:
        """Load the weights."""
        import torch
        from transformers import AutoModelForCausalLM

        on_gpu = torch.cuda.is_available()
        dtype = torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float32
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(self.name, dtype=dtype)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise InputError(f"--llm {self.llm}: {' '.join(str(error).split())[:300]}") from error
        self.model = model.to("cuda" if on_gpu else "cpu").eval()
        self._worker = asyncio.create_task(self._work())

    async def answer(self, request: Request) -> Answer:
        """Ask; waits until a batch has been answered that this request is in."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._arrived.set()
        return await future

    async def close(self) -> None:
        """Stop, and free the memory."""
        if self._worker is not None:
            self._worker.cancel()
        self.model = None

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(0)  # every user that is ready asks first
            taken, self._waiting = self._waiting, []
            self._arrived.clear()
            taken.sort(key=lambda pair: len(pair[0].text))
            for start in range(0, len(taken), self.options.batch_size):
                batch = taken[start : start + self.options.batch_size]
                try:
                    answers = await asyncio.to_thread(self._generate, [request for request, _ in batch])
                except Exception as error:  # whatever the model raises, the users of this batch fail and no others
                    answers = [RequestFailed("model", " ".join(repr(error).split())[:300])] * len(batch)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():
                        continue
                    if isinstance(answer, RequestFailed):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)

    def _generate(self, requests: list[Request]) -> list[Answer | RequestFailed]:
        import torch

        try:
            with torch.inference_mode():
                return self._generate_batch(requests)
        except torch.OutOfMemoryError:
            if len(requests) == 1:
                raise
        torch.cuda.empty_cache()
        half = len(requests) // 2
        return self._generate(requests[:half]) + self._generate(requests[half:])

    def _generate_batch(self, requests: list[Request]) -> list[Answer | RequestFailed]:
        texts = [self.as_sent(request.text) for request in requests]
        encoded = self.tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt").to(
            self.model.device
        )
        prompt_length = encoded["input_ids"].shape[1]
        max_tokens = max(request.max_tokens for request in requests)
        if prompt_length + max_tokens > self.context_length:
            if len(requests) > 1:
                return [answer for request in requests for answer in self._generate_batch([request])]
            text = f"{prompt_length} tokens and {max_tokens} for the answer, the context has {self.context_length}"
            return [RequestFailed("too_long", text)]
        sampling: dict[str, Any] = {"do_sample": False}
        if self.options.temperature > 0:
            import torch

            torch.manual_seed(self.options.seed)
            sampling = {"do_sample": True, "temperature": self.options.temperature, "top_k": 0, "top_p": 1.0}
        output = self.model.generate(
            **encoded, max_new_tokens=max_tokens, pad_token_id=self.tokenizer.pad_token_id, **sampling
        )
        prompt_tokens = encoded["attention_mask"].sum(dim=1).tolist()
        return [
            self._read(tokens, length, request.max_tokens)
            for tokens, length, request in zip(output[:, prompt_length:].tolist(), prompt_tokens, requests, strict=True)
        ]

    def _read(self, tokens: list[int], prompt_tokens: int, max_tokens: int) -> Answer:
        ends = self._end_tokens()
        end = next((position for position, token in enumerate(tokens) if token in ends), None)
        answer = tokens[: max_tokens if end is None else min(end, max_tokens)]
        finished = end is not None and end <= max_tokens
        text = self.tokenizer.decode([token for token in answer if token not in self._dropped]).strip()
        return Answer(text, "stop" if finished else "length", int(prompt_tokens), len(answer) + finished)

    def _end_tokens(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        ends = configured if isinstance(configured, list) else [configured]
        return {token for token in [*ends, self.tokenizer.eos_token_id] if token is not None}

    def _longest_context(self) -> int:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.name).get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 4096)
