"""Which encoder and which reduction? Compared on the shipped profiles of MovieLens-100K.

    python benchmarks/encoders_ml100k.py                               every row: seconds, size, held-out taste
    python benchmarks/encoders_ml100k.py --encoder FOLDER_OR_NAME      rows for a sentence encoder as well
    python benchmarks/encoders_ml100k.py --rows 'tfidf 128' --train --seeds 5     NDCG of SASRecDistill for some rows

A row is an encoding, mostly followed by a reduction. "Taste" is the number of ``llmdistill inspect``: recall@20 on the
*validation* items of a user-kNN by these vectors (random neighbours and neighbours by interactions stand at the top).
NDCG@10 is of SASRecDistill with its defaults, at the epoch that is best on validation, mean over seeds.
What was measured or trained is appended to ``--results`` and not repeated; vectors lie below ``--work``.
"""

import argparse
import json
import logging
import re
import statistics
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from distillation_ml100k import readings, train
from recbole.config import Config
from recbole.data import create_dataset

import recbole_llmdistill  # noqa: F401  (registers the models)
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.entity import USERS
from recbole_llmdistill.formats.manifest import carry_manifest, read_manifest
from recbole_llmdistill.formats.profile_texts import ProfileTexts, read_profile_texts
from recbole_llmdistill.formats.vectors import ProfileTable, read_profile_file, write_binary
from recbole_llmdistill.inspection.held_out_taste import measure_held_out_taste
from recbole_llmdistill.inspection.split import read_split
from recbole_llmdistill.vectors.encoders.protocol import ENCODERS
from recbole_llmdistill.vectors.encoding import encode_profiles
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS
from recbole_llmdistill.vectors.reducing import reduce_vectors

DATASET = "ml-100k"
_SECTION = re.compile(r"(?=\b(?:Preferences|Behaviour|Engagement): )")


@dataclass(frozen=True)
class Row:
    """A way from texts to vectors.

    Attributes:
        encoder: options of the encoder.
        reducer: options of the reduction, or None.
        sections: ``whole`` texts; or each section encoded apart and then ``averaged`` (three profiles per user) or
            ``joined`` to one long vector.
    """

    encoder: dict
    reducer: dict | None = None
    sections: str = "whole"

    @property
    def encoding_name(self) -> str:
        parts = [f"{key} {value}" for key, value in self.encoder.items() if key not in ("encoder", "dimensions")]
        name = " ".join([Path(self.encoder["encoder"]).name, str(self.encoder.get("dimensions", "")), *parts]).strip()
        return name if self.sections == "whole" else f"{name}, sections {self.sections}"

    @property
    def name(self) -> str:
        return " > ".join([self.encoding_name] + ([" ".join(map(str, self.reducer.values()))] if self.reducer else []))


def tfidf_rows() -> list[Row]:
    """Settings of the encoder alone, then reductions of two of them."""
    tfidf = {"encoder": "tfidf"}
    rows = [Row(tfidf | {"dimensions": size}) for size in (32, 64, 128, 256, 512)]
    rows += [Row(tfidf | {"dimensions": 128, "ngrams": ngrams}) for ngrams in (1, 3)]
    rows += [Row(tfidf | {"dimensions": 128, "min_texts": texts}) for texts in (1, 3, 5, 10)]
    rows += [Row(tfidf | {"dimensions": 128}, sections=sections) for sections in ("averaged", "joined")]
    for size in (128, 512):
        rows += with_reductions(Row(tfidf | {"dimensions": size}))
    return rows


def with_reductions(row: Row) -> list[Row]:
    """The reductions that every encoder is tried with."""
    reducers = [{"method": "none"}]
    reducers += [{"method": method, "dimensions": 64} for method in ("pca", "pca-whiten", "umap", "random-projection")]
    reducers += [{"method": "pca", "dimensions": size} for size in (16, 32, 128)]
    reducers += [{"method": "umap", "dimensions": size} for size in (16, 128)]
    sizes = row.encoder.get("dimensions", 10**6)
    return [replace(row, reducer=reducer) for reducer in reducers if reducer.get("dimensions", 0) < sizes]


def sentence_encoder_rows(model: str) -> list[Row]:
    """Rows of a sentence encoder."""
    row = Row({"encoder": model})
    return [row, *(replace(row, sections=sections) for sections in ("averaged", "joined")), *with_reductions(row)]


def without(options: dict, name: str) -> dict:
    """The other options."""
    return {key: value for key, value in options.items() if key != name}


@dataclass
class Measurements:
    """What is needed to measure a row, read once."""

    work: Path
    texts: ProfileTexts = field(init=False)
    encoded: dict[str, tuple[ProfileTable, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.texts = read_profile_texts(properties("profiles", DATASET, USERS.texts))
        logging.disable(logging.WARNING)
        train_part, valid_part, _ = create_dataset(Config(model="SASRecDistill", dataset=DATASET)).build()
        self.split = read_split(train_part, valid_part)

    def folder(self, row: Row) -> Path:
        return self.work / re.sub(r"[^\w-]+", "_", row.name)

    def vectors(self, row: Row) -> tuple[ProfileTable, float]:
        """Vectors of a row and the seconds that they took."""
        if row.encoding_name not in self.encoded:
            self.encoded[row.encoding_name] = self._encode(replace(row, reducer=None))
        table, seconds = self.encoded[row.encoding_name]
        if row.reducer is None:
            return table, seconds
        start = time.perf_counter()
        reducer = REDUCERS.choose(row.reducer["method"], without(row.reducer, "method"))
        summary = reduce_vectors(table, reducer, DATASET, self.folder(row), text=False)
        return read_profile_file(summary.files[0]), seconds + time.perf_counter() - start

    def _encode(self, row: Row) -> tuple[ProfileTable, float]:
        texts = self.texts if row.sections == "whole" else in_sections(self.texts)
        start = time.perf_counter()
        encoder = ENCODERS.choose(row.encoder["encoder"], without(row.encoder, "encoder"))
        summary = encode_profiles(texts, encoder, DATASET, self.folder(row), text=False)
        seconds = time.perf_counter() - start
        table = read_profile_file(summary.files[0])
        if row.sections == "joined":
            write_binary(summary.files[0], table.tokens, table.vectors.reshape(len(table.vectors), -1))
            table = read_profile_file(summary.files[0])
        carry_manifest(
            read_manifest(properties("profiles", DATASET)), self.folder(row), DATASET, encoder={"benchmark": row.name}
        )
        return table, seconds

    def measure(self, row: Row) -> dict:
        """Seconds, size and held-out taste of a row."""
        table, seconds = self.vectors(row)
        at = {token: number for number, token in enumerate(table.tokens.tolist())}
        users = np.array([at[token] for token in self.split.tokens.tolist()])
        taste = measure_held_out_taste(table.vectors[users].mean(axis=1), self.split.training, self.split.validation)
        return {
            "row": row.name,
            "seconds": seconds,
            "dimensions": table.vectors.shape[-1],
            "megabytes": table.vectors.nbytes / 1e6,
            **{name: getattr(taste, name).mean for name in ("profiles", "random", "interactions")},
            "half_width": taste.gain.half_width,
        }


def in_sections(texts: ProfileTexts) -> ProfileTexts:
    """The three sections of each text as three profiles of the user."""
    parts = [[part for part in _SECTION.split(text) if part.strip()] for text in texts.texts]
    if not all(len(part) == 3 for part in parts):
        raise SystemExit("a profile does not have three sections")
    flat = [section for part in parts for section in part]
    text_of = np.arange(len(flat)).reshape(-1, 3)[texts.text_of[:, 0]]
    return replace(texts, views=("preferences", "behaviour", "engagement"), texts=flat, text_of=text_of)


def table(rows: list[Row], done: list[dict]) -> str:
    """Markdown of all that is known about these rows."""
    measured = {line["row"]: line for line in done if "profiles" in line}
    first = next(iter(measured.values()), None)
    lines = []
    if first:
        lines.append(
            f"random neighbours {first['random']:.3f}, neighbours by interactions {first['interactions']:.3f}\n"
        )
    lines.append("| encoding > reduction | s | D | MB | taste, valid | NDCG@10 valid | NDCG@10 test | seeds |")
    lines.append("|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(["plain", *(row.name for row in rows)]):
        runs = [readings(line["epochs"]) for line in done if line.get("trained") == name]
        ndcg = [
            f"{statistics.fmean(run['best epoch', part, 'ndcg@10'] for run in runs):.4f}" if runs else ""
            for part in ("valid", "test")
        ]
        cells = [""] * 4
        if line := measured.get(name):
            cells = [
                f"{line['seconds']:.1f}",
                str(line["dimensions"]),
                f"{line['megabytes']:.2f}",
                f"{line['profiles']:.3f}",
            ]
        if line or runs:
            lines.append(f"| {name} | " + " | ".join([*cells, *ndcg, str(len(runs) or "")]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", action="append", default=[], help="a sentence encoder's name or folder")
    parser.add_argument("--rows", nargs="+", help="only these rows, by name; 'plain' is the model without profiles")
    parser.add_argument("--train", action="store_true", help="also train SASRecDistill on each row")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--results", type=Path, default=Path("encoders_ml100k.jsonl"))
    parser.add_argument("--work", type=Path, default=Path("encoders_ml100k"))
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process

    rows = tfidf_rows() + [row for model in arguments.encoder for row in sentence_encoder_rows(model)]
    known = {row.name: row for row in rows}
    wanted = [row for row in rows if arguments.rows is None or row.name in arguments.rows]
    if unknown := set(arguments.rows or ()) - {*known, "plain"}:
        raise SystemExit(f"no rows {sorted(unknown)}; there are: {', '.join(known)}")
    lines = arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results.exists() else []
    done = [json.loads(line) for line in lines]

    def keep(line: dict) -> None:
        done.append(line)
        with open(arguments.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    measurements = Measurements(arguments.work)
    for row in wanted:
        if not any(line.get("row") == row.name for line in done):
            keep(measurements.measure(row))
            print(f"{row.name}: {done[-1]['profiles']:.3f}", file=sys.stderr)
    if arguments.train:
        for seed in range(arguments.seeds):
            for name in (["plain"] if arguments.rows and "plain" in arguments.rows else []) + [r.name for r in wanted]:
                if any(line.get("trained") == name and line["seed"] == seed for line in done):
                    continue
                if name != "plain" and not measurements.folder(known[name]).exists():
                    measurements.vectors(known[name])
                arm = "plain" if name == "plain" else "distilled"
                path = {} if name == "plain" else {"vectors_path": str(measurements.folder(known[name]).resolve())}
                keep({"trained": name, "seed": seed, "epochs": train("SASRecDistill", arm, seed, path)["epochs"]})
                print(f"trained {name}, seed {seed}", file=sys.stderr)
    print(table(wanted, done))


if __name__ == "__main__":
    main()
