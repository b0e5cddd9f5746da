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
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.profile_texts import TEXTS, read_profile_texts
from recbole_llmdistill.formats.vectors import MANIFEST
from recbole_llmdistill.vectors.encoders.protocol import ENCODERS
from recbole_llmdistill.vectors.encoding import encode_profiles

DIMENSIONS = 128  # of the vectors that the published figures were trained with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="a folder of properties/profiles, e.g. ml-100k")
    dataset = parser.parse_args().dataset

    folder = properties("profiles", dataset)
    profiles = read_profile_texts(folder / TEXTS)
    config = Config(model="SASRecDistill", dataset=dataset)
    training_part, _, _ = create_dataset(config).build()
    manifest = {
        "dataset": dataset,
        "users": len(profiles.user_tokens),
        "eval_args": config["eval_args"],
        "training_fingerprint": training_part.training_fingerprint(),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    encoder = ENCODERS.choose("tfidf", {"dimensions": DIMENSIONS})
    summary = encode_profiles(profiles, encoder, dataset, folder, text=False)
    print(
        f"{summary.files[0]}: {summary.shape[0]} users, {summary.shape[-1]} values, {manifest['training_fingerprint']}"
    )


if __name__ == "__main__":
    main()
