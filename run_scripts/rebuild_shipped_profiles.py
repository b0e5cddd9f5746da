"""Rebuild the vectors and the manifest of a data set whose profile texts ship with this package.

    python run_scripts/rebuild_shipped_profiles.py ml-100k

Reads ``properties/profiles/<dataset>/profiles.jsonl`` and writes ``<dataset>.useremb.npz`` and ``manifest.json`` beside
it.
"""

import argparse
import json

from recbole.config import Config
from recbole.data import create_dataset

import recbole_llmdistill  # noqa: F401  (registers the models)
from recbole_llmdistill.data.profile_file import BINARY_SUFFIX, write_binary
from recbole_llmdistill.data.profile_lookup import MANIFEST
from recbole_llmdistill.profiles.texts import read_profile_texts
from recbole_llmdistill.profiles.tfidf import encode_tfidf
from recbole_llmdistill.resources import properties

DIMENSIONS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="a folder of properties/profiles, e.g. ml-100k")
    dataset = parser.parse_args().dataset

    folder = properties("profiles", dataset)
    texts = read_profile_texts(folder / "profiles.jsonl")
    vectors = encode_tfidf(list(texts.values()), DIMENSIONS)
    write_binary(folder / (dataset + BINARY_SUFFIX), list(texts), vectors)

    config = Config(model="SASRecDistill", dataset=dataset)
    training_part, _, _ = create_dataset(config).build()
    manifest = {
        "dataset": dataset,
        "users": len(texts),
        "eval_args": config["eval_args"],
        "training_fingerprint": training_part.training_fingerprint(),
        "encoder": f"TF-IDF of words and word pairs, truncated SVD to {DIMENSIONS} dimensions",
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    print(f"{folder}: {len(texts)} profiles, {vectors.shape[1]} dimensions, {manifest['training_fingerprint']}")


if __name__ == "__main__":
    main()
