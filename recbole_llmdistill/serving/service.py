"""What is behind the paths: from item tokens to recommendations, by the model of the moment."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports.exported_model import ExportedModel
from recbole_llmdistill.serving.batching import Batcher, Best, Question
from recbole_llmdistill.serving.metrics import Metrics


class Limits(BaseModel):
    """What one request may ask for, and how many may wait."""

    body_bytes: int = Field(default=2**20, ge=1, description="bytes of a request's body")
    body_seconds: float = Field(default=10, gt=0, description="seconds that a body may take to arrive")
    sequences: int = Field(default=64, ge=1, description="sequences of a request")
    sequence_items: int = Field(default=1000, ge=1, description="items of a sequence")
    k: int = Field(default=100, ge=1, description="items recommended for a sequence")
    waiting: int = Field(
        default=512, ge=1, description="sequences that may wait for a batch; beyond it: 503, Retry-After"
    )
    batch: int = Field(default=64, ge=1, description="sequences of a batch")


class Service:
    """A model, and the queue before it.

    Args:
        folder: the export; it is read again by :meth:`reload`.
        limits: of requests.
        threads: of ONNX Runtime; None: one for each core.

    Attributes:
        model: of the moment.
        metrics: of this service.

    Raises:
        InputError: the folder cannot be used.
    """

    def __init__(self, folder: Path, limits: Limits, threads: int | None = None) -> None:
        self.folder, self.limits, self._threads = folder, limits, threads
        self.metrics = Metrics()
        self._reloading = asyncio.Lock()
        self._take(self._load())
        self.batcher = Batcher(limits.batch, limits.waiting, self.metrics.observe_batch)
        self.metrics.waiting.set_function(lambda: self.batcher.waiting)

    @property
    def version(self) -> str:
        """Of the graph: the first twelve digits of its SHA-256."""
        settings = self.model.folder.settings
        return settings.files[settings.graph].sha256[:12]

    async def recommend(self, sequences: Sequence[Sequence[str]], k: int, exclude_seen: bool) -> dict[str, Any]:
        """The answer to a request, to be written as JSON.

        Raises:
            InputError: more is asked for than is allowed or there.
            QueueFull: too many wait.
        """
        model, popular, version = self.model, self._popular, self.version  # one for the whole request
        self._check(sequences, k, len(model.item_tokens) - 1)
        known = [
            [number for token in sequence if (number := model.item_numbers.get(token)) is not None]
            for sequence in sequences
        ]
        if popular is None and not all(known):
            raise InputError(
                f"sequences.{known.index([])}: it has no item that the model knows, and the export does not say which "
                "items are popular"
            )
        asked = [Question(model, items, items if exclude_seen else (), k) for items in known if items]
        answers = iter(await self.batcher.ask(asked))
        found = []
        for sequence, items in zip(sequences, known, strict=True):
            numbers, scores = next(answers) if items else _most_popular(model, popular, k)
            found.append(
                {
                    "items": [model.item_tokens[number] for number in numbers.tolist()],
                    "scores": scores.tolist(),
                    "source": "model" if items else "popularity",
                    "unknown_items": len(sequence) - len(items),
                }
            )
        return {"recommendations": found, "version": version}

    async def reload(self) -> str:
        """Read the folder again; requests that have begun are answered by the model that they began with.

        Returns:
            What is served now.

        Raises:
            InputError: the folder cannot be used; the model before is still served.
        """
        async with self._reloading:
            try:
                model = await asyncio.to_thread(self._load)
            except Exception as error:
                self.metrics.reloads.labels("failed").inc()
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{self.folder}: cannot be loaded ({type(error).__name__}: {error})") from error
            self._take(model)
            self.metrics.reloads.labels("done").inc()
            return self.description

    @property
    def description(self) -> str:
        """What is served, in a few words."""
        settings = self.model.folder.settings
        return f"{self.model.name} {settings.precision}, {settings.n_items - 1:,} items, version {self.version}"

    def _load(self) -> ExportedModel:
        if not self.folder.is_dir():
            raise InputError(f"--model={self.folder} is no folder; name one that llmdistill export wrote")
        model = ExportedModel(self.folder, self._threads)
        if model.folder.settings.format != "onnx":
            raise InputError(f"{self.folder}: a program of PyTorch; serve runs ONNX (llmdistill export --format=onnx)")
        model.best([[1]], [[]], 1)  # what the first run sets up is not for the first request
        return model

    def _take(self, model: ExportedModel) -> None:
        counts = model.item_counts
        self._popular = None if counts is None else np.argsort(-counts[1:], kind="stable") + 1
        self.model = model
        self.metrics.items.set(len(model.item_tokens) - 1)

    def _check(self, sequences: Sequence[Sequence[str]], k: int, n_items: int) -> None:
        limits = self.limits
        if k > (most := min(limits.k, n_items)):
            what = "items in the catalogue" if most == n_items else "that this service allows"
            raise InputError(f"k: {k} is more than the {most:,} {what}")
        if len(sequences) > limits.sequences:
            raise InputError(f"sequences: {len(sequences):,} of them, at most {limits.sequences:,} are allowed")
        for number, sequence in enumerate(sequences):
            if len(sequence) > limits.sequence_items:
                raise InputError(
                    f"sequences.{number}: {len(sequence):,} items, at most {limits.sequence_items:,} are allowed"
                )


def _most_popular(model: ExportedModel, popular: np.ndarray | None, k: int) -> Best:
    assert popular is not None  # as was checked
    assert model.item_counts is not None
    return popular[:k], model.item_counts[popular[:k]].astype(float)
