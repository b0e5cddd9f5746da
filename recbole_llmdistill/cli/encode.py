"""``llmdistill encode``: turn texts into vectors that training reads."""

import argparse
import sys
from pathlib import Path

from recbole_llmdistill.api.encode import EncodeOptions, encode
from recbole_llmdistill.cli.options import add_options, from_arguments
from recbole_llmdistill.cli.recbole_arguments import check_settings
from recbole_llmdistill.formats.entity import ENTITIES, USERS, Entity
from recbole_llmdistill.messages import PrintedMessages
from recbole_llmdistill.vectors.encoders.protocol import ENCODERS


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "encode",
        description="Turn texts of users or items into vectors: <dataset>.useremb or .itememb, and its binary twin.",
        epilog="An interrupted run goes on when the same command is given again. RecBole's own settings, e.g. "
        "--data_path=..., are given as --key=value.",
    )
    add_options(parser, EncodeOptions, ENCODERS)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Encode, and print what was done."""
    options = from_arguments(EncodeOptions, arguments, ENCODERS)
    check_settings(settings, arguments.parser)
    result = encode(options, messages=PrintedMessages(), command_line=settings)
    if result.resumed:
        print(f"continued: {result.resumed} of {result.texts} texts had been encoded before")
    if result.long_texts:
        done = "cut at" if result.settings["long"] == "truncate" else "encoded in pieces of"
        print(f"{result.long_texts} of {result.texts} texts were {done} {result.settings['token_limit']} tokens")
    if prefix := result.settings.get("prefix"):
        print(f"prefix of every text: {prefix!r}")
    of = ENTITIES[options.of]
    if result.problem:
        print(f"warning: {result.files[0]}: {result.problem}; see `llmdistill inspect`", file=sys.stderr)
    report_files(of, options.dataset, result.files, result.shape, result.has_manifest, result.source.parent)
    return 0


def report_files(
    of: Entity, dataset: str, files: list[Path], shape: tuple[int, int, int], has_manifest: bool, source: Path
) -> None:
    """Print what was written and how to train with it."""
    count, texts, dimensions = shape
    each = f"{texts} vectors" if texts > 1 else "a vector"
    print(f"wrote {' and '.join(map(str, files))}: {count} {of.name}, {each} of {dimensions} values each")
    if not has_manifest:
        print(
            f"warning: no manifest.json with a training_fingerprint in {source}, so training cannot check that these "
            "profiles saw no held-out item",
            file=sys.stderr,
        )
    if of is USERS:
        print(f"train with it: run_recbole --model=SASRecDistill --dataset={dataset} --vectors_path={files[0].parent}")
