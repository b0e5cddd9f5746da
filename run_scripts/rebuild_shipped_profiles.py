"""Rebuild the vectors and the manifests of a data set whose texts ship with this package.

    python run_scripts/rebuild_shipped_profiles.py ml-100k

Reads ``properties/profiles/<dataset>/profiles.jsonl`` and writes ``<dataset>.useremb.npz`` and ``manifest.json`` beside
it. Reads the fields of ``<dataset>.item`` and writes ``<dataset>.itememb.npz`` and ``items.manifest.json`` there.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from recbole.config import Config
from recbole.data import create_dataset

import recbole_llmdistill  # noqa: F401  (registers the models)
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.entity import ITEMS, USERS
from recbole_llmdistill.formats.profile_texts import read_profile_texts
from recbole_llmdistill.profiles.history.item_fields import load_item_fields
from recbole_llmdistill.vectors.encoders.protocol import ENCODERS
from recbole_llmdistill.vectors.encoding import encode_profiles

USER_DIMENSIONS = 128  # of the vectors that the published figures were trained with
ITEM_DIMENSIONS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="a folder of properties/profiles, e.g. ml-100k")
    dataset = parser.parse_args().dataset
    folder = properties("profiles", dataset)
    config = Config(model="SASRecDistill", dataset=dataset)
    rebuild_users(dataset, folder, config)
    rebuild_items(dataset, folder, config)


def rebuild_users(dataset: str, folder: Path, config: Config) -> None:
    """From the profile texts, with the fingerprint of the training part."""
    profiles = read_profile_texts(folder / USERS.texts)
    training_part, _, _ = create_dataset(config).build()
    manifest = {
        "dataset": dataset,
        "users": len(profiles.tokens),
        "eval_args": config["eval_args"],
        USERS.fingerprint: training_part.training_fingerprint(),
    }
    encoder = ENCODERS.choose("tfidf", {"dimensions": USER_DIMENSIONS})
    summary = encode_profiles(profiles, encoder, dataset, folder, text=False, manifest=manifest)
    print(f"{summary.files[0]}: {summary.shape[0]} users, {summary.shape[-1]} values, {manifest[USERS.fingerprint]}")


def rebuild_items(dataset: str, folder: Path, config: Config) -> None:
    """From the fields, which need no LLM; in a folder apart, since the descriptions beside them are other texts."""
    fields = load_item_fields(config, field_length=None)
    manifest = {"of": ITEMS.name, "dataset": dataset, **fields.described()}
    encoder = ENCODERS.choose("tfidf", {"dimensions": ITEM_DIMENSIONS})
    with tempfile.TemporaryDirectory() as scratch:
        summary = encode_profiles(fields.as_texts(), encoder, dataset, Path(scratch), text=False, manifest=manifest)
        for file in (summary.files[0], Path(scratch, ITEMS.manifest)):
            shutil.copyfile(file, folder / file.name)
    file = folder / summary.files[0].name
    print(f"{file}: {summary.shape[0]} items, {summary.shape[-1]} values, {manifest[ITEMS.fingerprint]}")


if __name__ == "__main__":
    main()
