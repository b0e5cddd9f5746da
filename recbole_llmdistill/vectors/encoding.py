"""``llmdistill encode``: from texts to vectors on disk, resumable and in bounded memory."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.folder_lock import lock_output
from recbole_llmdistill.formats.manifest import carry_manifest, check_output_folder, read_manifest
from recbole_llmdistill.formats.profile_texts import ProfileTexts
from recbole_llmdistill.formats.vectors import examine, read_profile_file
from recbole_llmdistill.formats.vectors.table import CHUNK_BYTES
from recbole_llmdistill.parts import Choice
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts, Encoder, TextEncoder
from recbole_llmdistill.vectors.output import write_vectors
from recbole_llmdistill.vectors.partial_embeddings import PartialEmbeddings


@dataclass(frozen=True)
class EncodingSummary:
    """What an encoding did.

    Attributes:
        files: what was written.
        shape: ``(users, K, D)``.
        texts: different texts encoded.
        resumed: texts of them that an interrupted run had encoded.
        long_texts: texts of them beyond the encoder's token limit.
        settings: the encoder's settings.
        has_manifest: whether the profiles' manifest could be carried along.
        problem: what is wrong with the vectors, in a sentence; None where nothing is.
    """

    files: list[Path]
    shape: tuple[int, int, int]
    texts: int
    resumed: int
    long_texts: int
    settings: dict
    has_manifest: bool
    problem: str | None


def encode_profiles(
    profiles: ProfileTexts,
    choice: Choice[Encoder],
    dataset: str,
    folder: Path,
    text: bool = True,
    manifest: dict[str, Any] | None = None,
    ray_address: str | None = None,
    show_progress: bool = False,
) -> EncodingSummary:
    """Encode every different text once and write ``<dataset>.useremb.npz`` (and ``.useremb``) into ``folder``; of items
    ``.itememb``.

    A run that was interrupted goes on where it stopped if texts and settings are the same, and ends with the same
    bytes as one that was not.

    Args:
        profiles: the texts.
        choice: which encoder, and how, e.g. ``ENCODERS.choose("tfidf", {"dimensions": 32})``.
        dataset: name of the data set, which names the files.
        folder: where to; made if it does not exist.
        text: write the text file beside the binary.
        manifest: of the texts; None: the one beside them.
        ray_address: encode on this Ray cluster (``auto``, ``local`` or an address).
        show_progress: show a progress bar.

    Raises:
        InputError: the encoder cannot be had or fails, or the folder holds something else.
    """
    of = profiles.of
    check_output_folder(folder, profiles.path.parent, dataset, of)
    if ray_address is not None and not choice.part.runs_on_ray:
        raise InputError(f"--ray is for sentence encoders; leave it out with the encoder {choice.given!r}")
    encoder = choice.part.make(choice.model, choice.options)
    settings = encoder.settings()
    # Long texts first: texts of like length share a batch, and one that exceeds the memory does so at once.
    order = np.argsort([-len(text) for text in profiles.texts], kind="stable")
    identity = json.dumps([settings, profiles.digest()], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    with lock_output(folder):
        partial = PartialEmbeddings(folder / f".{dataset}.encode-{digest}", len(order), encoder.batch_size)
        resumed = partial.texts_done
        missing = partial.missing()
        if missing:
            batches = ((batch, [profiles.texts[index] for index in order[partial.rows(batch)]]) for batch in missing)
            if ray_address is not None:
                from recbole_llmdistill.vectors.encoders.on_ray import encode_on_ray

                encoded = encode_on_ray(choice, batches, ray_address)
            else:
                encoder.fit(profiles.texts)
                encoded = _encode_batches(encoder, batches)
            with tqdm(total=len(order), initial=resumed, unit="text", desc="encode", disable=not show_progress) as bar:
                for batch, vectors in encoded:
                    _check_finite(vectors, order[partial.rows(batch)], profiles, choice.given)
                    partial.add(batch, vectors)
                    bar.update(len(vectors.vectors))
        shape = (*profiles.text_of.shape, partial.dimensions)
        files = write_vectors(
            folder, dataset, profiles.tokens, shape, _rows(partial, profiles, order), profiles.text_of >= 0, text, of
        )
        record = settings | {"texts": len(order), "long_texts": partial.long_texts, "views": list(profiles.views)}
        source = read_manifest(profiles.path.parent, of) if manifest is None else manifest
        has_manifest = carry_manifest(source, folder, dataset, of, encoder=record)
        partial.remove()
    table = read_profile_file(files[0], of)
    problem = examine(table.vectors, table.present, of).problem
    return EncodingSummary(files, shape, len(order), resumed, partial.long_texts, settings, has_manifest, problem)


def _encode_batches(
    encoder: TextEncoder, batches: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, EncodedTexts]]:
    """Encode batches as they are taken, at most ``encoder.concurrency`` at once, in the order in which they end."""
    if encoder.concurrency == 1:
        for batch, texts in batches:
            yield batch, encoder.encode(texts)
        return
    with ThreadPoolExecutor(encoder.concurrency) as pool:
        running: dict[Future, int] = {}
        failure: BaseException | None = None
        while True:
            while failure is None and len(running) < encoder.concurrency and (task := next(batches, None)):
                running[pool.submit(encoder.encode, task[1])] = task[0]
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                batch = running.pop(future)
                if future.exception() is None:
                    yield batch, future.result()
                else:  # what is under way has been paid for: keep it before giving up
                    failure = failure or future.exception()
        if failure is not None:
            raise failure


def _check_finite(encoded: EncodedTexts, texts: np.ndarray, profiles: ProfileTexts, encoder: str) -> None:
    broken = ~np.isfinite(encoded.vectors).all(axis=1)
    if broken.any():
        user = np.argmax((profiles.text_of == texts[np.argmax(broken)]).any(axis=1))
        raise InputError(
            f"encoder {encoder!r} gives NaN or infinite values for {int(broken.sum())} of {len(broken)} texts, the "
            f"first that of {profiles.of.noun} {profiles.tokens[user]!r}; with a half-precision model try "
            "--precision=float32"
        )


def _rows(partial: PartialEmbeddings, profiles: ProfileTexts, order: np.ndarray) -> Iterator[np.ndarray]:
    """Vectors ``[?, K, D]`` in the order of the users, some megabytes at a time."""
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    vectors = partial.vectors()
    step = max(1, CHUNK_BYTES // (profiles.text_of.shape[1] * partial.dimensions * 4))
    for start in range(0, len(profiles.text_of), step):
        text_of = profiles.text_of[start : start + step]
        yield np.where((text_of >= 0)[..., None], vectors[position[text_of]], np.float32(0))
