"""Encode on a Ray cluster by Ray Data: an actor a GPU, each with its own encoder."""

import json
from collections.abc import Iterable, Iterator

import numpy as np

from recbole_llmdistill.compat import ray_data
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.encoders.choice import EncoderOptions, build_encoder
from recbole_llmdistill.profiles.encoders.protocol import EncodedTexts

ray_data.install()  # in the driver and, since actors import this module, in every worker


class EncodingActor:
    """Encodes whole batches, so that the vectors are those of a run without Ray.

    Args:
        options: :class:`~recbole_llmdistill.profiles.encoders.choice.EncoderOptions` as JSON.
    """

    def __init__(self, options: str) -> None:
        self.encoder = build_encoder(EncoderOptions.model_validate_json(options))

    def __call__(self, rows: dict[str, np.ndarray]) -> dict[str, list]:
        """One batch a row: its number and its texts as JSON, to its vectors as bytes.

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
    options: EncoderOptions, batches: Iterable[tuple[int, list[str]]], address: str
) -> Iterator[tuple[int, EncodedTexts]]:
    """Encode batches on a cluster.

    Args:
        options: the encoder; every node must be able to load it.
        batches: number and texts of each.
        address: ``auto`` for the running cluster, ``local`` for one on this machine, or ``ray://HOST:PORT``.

    Raises:
        InputError: no cluster at that address, or an encoder fails.
    """
    import ray
    import ray.data

    started = not ray.is_initialized()
    if started:
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"--ray={address}: no cluster there ({error}); start one by `ray start --head`") from error
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        rows = [{"batch": batch, "texts": json.dumps(texts)} for batch, texts in batches]
        results = ray.data.from_items(rows).map_batches(
            EncodingActor,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=gpus or sum(node["Alive"] for node in ray.nodes())),
            fn_constructor_args=[options.model_dump_json()],
            num_gpus=1 if gpus else None,
        )
        for row in results.iter_rows():
            if row["failure"]:
                raise InputError(row["failure"])
            vectors = np.frombuffer(row["vectors"], dtype="<f4").reshape(-1, row["dimensions"])
            yield row["batch"], EncodedTexts(vectors, row["long_texts"])
    finally:
        if started:
            ray.shutdown()
