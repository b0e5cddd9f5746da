"""Encode on a Ray cluster by Ray Data: an actor a GPU, each with its own encoder."""

import json
from collections.abc import Iterable, Iterator

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.parts import Choice
from recbole_llmdistill.ray_cluster import ray_cluster
from recbole_llmdistill.ray_data import map_by_actors
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts, Encoder


class EncodingActor:
    """Encodes whole batches, so that the vectors are those of a run without Ray.

    Args:
        choice: the encoder and its options.
    """

    def __init__(self, choice: Choice[Encoder]) -> None:
        self.encoder = choice.part.make(choice.model, choice.options)

    def __call__(self, rows: dict[str, np.ndarray]) -> dict[str, list]:
        """One batch per row: its number and its texts as JSON, to its vectors as bytes.

        A failure travels back as a value, because Ray would wrap the exception in a traceback of its own.
        """
        done: dict[str, list] = {"batch": [], "vectors": [], "dimensions": [], "long_texts": [], "failure": []}
        for batch, texts in zip(rows["batch"], rows["texts"], strict=True):
            try:
                encoded, failure = self.encoder.encode(json.loads(texts)), ""
            except InputError as error:
                encoded, failure = EncodedTexts(np.zeros((0, 0), np.float32)), str(error)
            done["batch"].append(int(batch))
            done["vectors"].append(np.ascontiguousarray(encoded.vectors, dtype="<f4").tobytes())
            done["dimensions"].append(encoded.vectors.shape[1])
            done["long_texts"].append(encoded.long_texts)
            done["failure"].append(failure)
        return done


def encode_on_ray(
    choice: Choice[Encoder], batches: Iterable[tuple[int, list[str]]], address: str
) -> Iterator[tuple[int, EncodedTexts]]:
    """Encode batches on a cluster.

    Args:
        choice: the encoder; every node must be able to load it.
        batches: number and texts of each.
        address: ``auto`` for the running cluster, ``local`` for one on this machine, or ``ray://HOST:PORT``.

    Raises:
        InputError: no cluster at that address, or an encoder fails.
    """
    go_on = "the same command goes on from there"
    with ray_cluster(address, "--ray", "cluster", "no text has been encoded", go_on) as cluster:
        rows = [{"batch": batch, "texts": json.dumps(texts)} for batch, texts in batches]
        for row in map_by_actors(cluster, EncodingActor, [choice], rows):
            vectors = np.frombuffer(row["vectors"], dtype="<f4").reshape(-1, row["dimensions"])
            yield row["batch"], EncodedTexts(vectors, row["long_texts"])
