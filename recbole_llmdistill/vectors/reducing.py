"""``llmdistill reduce``: from a file of vectors to one of shorter vectors, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.files.scratch_folder import scratch_folder
from recbole_llmdistill.formats.manifest import carry_manifest, check_output_folder, read_manifest
from recbole_llmdistill.formats.vectors import ProfileTable, examine
from recbole_llmdistill.formats.vectors.table import CHUNK_BYTES
from recbole_llmdistill.parts import Choice
from recbole_llmdistill.vectors.output import write_vectors
from recbole_llmdistill.vectors.quality import SAMPLE, ReductionQuality, measure_quality
from recbole_llmdistill.vectors.reducers.protocol import Reducer, ReducerOptions, Reduction
from recbole_llmdistill.vectors.sampling import sample_rows


@dataclass(frozen=True)
class ReductionSummary:
    """What a reduction did.

    Attributes:
        files: what was written.
        shape: ``(users, K, d)``.
        quality: what was kept of the neighbourhoods; None where there are too few vectors.
        explained_variance: share of the variance kept, where the reduction defines it.
        has_manifest: whether the vectors' manifest could be carried along.
        problem: what is wrong with the vectors, in a sentence; None where nothing is.
    """

    files: list[Path]
    shape: tuple[int, int, int]
    quality: ReductionQuality | None
    explained_variance: float | None
    has_manifest: bool
    problem: str | None


def reduce_vectors(
    table: ProfileTable,
    reduction: Choice[Reduction],
    dataset: str,
    folder: Path,
    text: bool = True,
    show_progress: bool = False,
) -> ReductionSummary:
    """Reduce all vectors of ``table`` and write them into ``folder``.

    Args:
        table: the full vectors; several per user are reduced by one common map.
        reduction: how, e.g. ``REDUCERS.choose("pca", {"dimensions": 32})``.
        dataset: name of the data set, which names the files.
        folder: where to; another folder than that of ``table``.
        text: write the text file beside the binary.
        show_progress: show a progress bar.

    Raises:
        InputError: the vectors tell no user from another or do not allow that reduction, or the folder holds
            something else.
    """
    of = table.of
    check_output_folder(folder, table.path.parent, dataset, of)
    if folder.resolve() == table.path.parent.resolve():
        raise InputError(f"--out={folder} is the folder of the full vectors, which would be lost; choose another")
    content = examine(table.vectors, table.present, of)
    if content.useless:
        raise InputError(f"{table.path}: {content.problem}; reducing them would keep nothing")
    options: ReducerOptions = reduction.options
    reducer = reduction.part.make(options)
    try:
        with lock_output(folder), scratch_folder(f".{dataset}.reduce-", folder) as scratch:
            full = _Present(table)
            reduced = _reduce(full, reducer, reduction, scratch, show_progress)
            mean, scale = _mean_and_scale(reduced) if options.standardize else (np.float32(0), np.float32(1))
            shape = (*table.present.shape, reduced.shape[1])
            files = write_vectors(
                folder,
                dataset,
                table.tokens,
                shape,
                _rows(reduced, table.present, mean, scale),
                table.present,
                text,
                of,
            )
            common = {"fit_sample": options.fit_sample, "standardize": options.standardize}
            settings = {"method": reduction.given, **common, **reducer.settings()}
            has_manifest = carry_manifest(read_manifest(table.path.parent, of), folder, dataset, of, reducer=settings)
            rows = sample_rows(len(full), SAMPLE)
            quality = measure_quality(full[rows], reduced[rows])
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return ReductionSummary(files, shape, quality, reducer.explained_variance, has_manifest, content.problem)


class _Present:
    """The vectors that exist, ``[N, D]``, gathered only as they are asked for."""

    def __init__(self, table: ProfileTable) -> None:
        self.user, self.profile = np.nonzero(table.present)
        self.vectors = table.vectors

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        return self.vectors[self.user[rows], self.profile[rows]]


def _reduce(
    full: _Present, reducer: Reducer, reduction: Choice[Reduction], scratch: Path, show_progress: bool
) -> np.ndarray:
    """All reduced vectors ``[N, d]``, in a file where they are many."""
    sample = sample_rows(len(full), reduction.options.fit_sample, reduction.options.seed)
    with tqdm(total=len(full), unit="vector", desc=reduction.given, disable=not show_progress) as bar:
        of_sample = reducer.fit_transform(full[sample])
        bar.update(len(sample))
        if len(sample) == len(full):
            return of_sample
        shape = (len(full), of_sample.shape[1])
        reduced = np.lib.format.open_memmap(scratch / "reduced.npy", mode="w+", dtype=np.float32, shape=shape)
        reduced[sample] = of_sample
        others = np.setdiff1d(np.arange(len(full)), sample, assume_unique=True)
        step = max(1, CHUNK_BYTES // (full.vectors.shape[-1] * 4))
        for start in range(0, len(others), step):
            rows = others[start : start + step]
            reduced[rows] = reducer.transform(full[rows])
            bar.update(len(rows))
    return reduced


def _mean_and_scale(vectors: np.ndarray) -> tuple[np.ndarray | np.float32, np.float32]:
    """Mean ``[d]``, and root mean square of all elements after centring; one scale keeps distances in proportion."""
    mean = np.mean(vectors, axis=0, dtype=np.float64).astype(np.float32)
    step = max(1, CHUNK_BYTES // max(1, vectors.shape[1] * 8))
    total = sum(
        float(np.square(vectors[start : start + step] - mean, dtype=np.float64).sum())
        for start in range(0, len(vectors), step)
    )
    scale = np.float32(np.sqrt(total / vectors.size))
    return mean, scale if scale > 0 else np.float32(1)


def _rows(
    reduced: np.ndarray, present: np.ndarray, mean: np.ndarray | np.float32, scale: np.float32
) -> Iterator[np.ndarray]:
    """Standardised vectors ``[?, K, d]`` in the order of the users."""
    step = max(1, CHUNK_BYTES // (present.shape[1] * reduced.shape[1] * 4))
    used = 0
    for start in range(0, len(present), step):
        here = present[start : start + step]
        chunk = np.zeros((*here.shape, reduced.shape[1]), dtype=np.float32)
        count = int(here.sum())
        chunk[here] = (reduced[used : used + count] - mean) / scale
        used += count
        yield chunk
