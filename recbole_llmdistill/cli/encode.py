"""``llmdistill encode``: turn profile texts into vectors that training reads."""

import argparse
import sys
from pathlib import Path

from recbole_llmdistill.cli.known_users import check_known_users
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.ray_cluster import check_ray


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "encode",
        description="Turn profile texts into vectors: <dataset>.useremb and its binary twin.",
        epilog="An interrupted run goes on when the same command is given again. RecBole's own settings, e.g. "
        "--data_path=..., are given as --key=value.",
    )
    parser.add_argument("--dataset", "-d", required=True, help="name of the data set, e.g. ml-100k")
    parser.add_argument(
        "--profiles", type=Path, help="profiles.jsonl or its folder; default: those that the package ships"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the vectors")
    parser.add_argument(
        "--encoder",
        default="tfidf",
        help="tfidf (default; needs no download), a sentence encoder's name or folder "
        "(intfloat/multilingual-e5-large), or openai:MODEL",
    )
    parser.add_argument("--dimensions", type=int, help="size of the vectors; default: 64 for tfidf, else the model's")
    parser.add_argument("--text", action=argparse.BooleanOptionalAction, default=True, help="write the text file too")
    model = parser.add_argument_group("sentence encoders and servers")
    model.add_argument("--prefix", help="put before every text; default: 'query: ' for E5, else the model's own prompt")
    model.add_argument(
        "--long", choices=("truncate", "chunk"), help="texts beyond the token limit: cut (default), or mean of pieces"
    )
    model.add_argument("--token-limit", type=int, help="most tokens a text; default: the model's own limit")
    model.add_argument("--batch-size", type=int, help="texts a forward pass (32) or request (128)")
    model.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16"), help="auto: bfloat16 on a GPU that has it"
    )
    model.add_argument("--trust-remote-code", action="store_true", default=None, help="run code that a model brings")
    model.add_argument("--ray", metavar="ADDRESS", help="encode on a Ray cluster: auto, local, or ray://HOST:PORT")
    model.add_argument("--base-url", help="address of an OpenAI-compatible server, e.g. http://localhost:8000/v1")
    model.add_argument("--concurrency", type=int, help="requests in flight at the server (8)")
    tfidf = parser.add_argument_group("tfidf")
    tfidf.add_argument("--ngrams", type=int, help="longest sequence of words that is a term (2)")
    tfidf.add_argument("--min-texts", type=int, help="texts in which a term must occur (2)")
    tfidf.add_argument("--fit-sample", type=int, help="texts that words and decomposition are learnt from (100000)")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Encode, and print what was done."""
    from recbole_llmdistill.cli.options import from_arguments
    from recbole_llmdistill.formats.profile_texts import read_profile_texts
    from recbole_llmdistill.vectors.encoders.choice import EncoderOptions
    from recbole_llmdistill.vectors.encoding import encode_profiles

    options = from_arguments(EncoderOptions, arguments)
    if arguments.ray:
        check_ray("--ray", "cluster")
    leave_to_recbole(settings, arguments.parser)
    config = build_config("SASRecDistill", arguments.dataset)
    profiles = read_profile_texts(_find_profiles(arguments.profiles, arguments.dataset))
    for warning in profiles.warnings():
        print(f"warning: {warning}", file=sys.stderr)
    check_known_users(config, profiles.user_tokens, profiles.path)
    print(f"{profiles.path}: {len(profiles.user_tokens)} users, {len(profiles.texts)} different texts")
    summary = encode_profiles(
        profiles,
        options,
        arguments.dataset,
        arguments.out,
        text=arguments.text,
        ray_address=arguments.ray,
        show_progress=True,
    )
    if summary.resumed:
        print(f"continued: {summary.resumed} of {summary.texts} texts had been encoded before")
    if summary.long_texts:
        done = "cut at" if summary.settings["long"] == "truncate" else "encoded in pieces of"
        print(f"{summary.long_texts} of {summary.texts} texts were {done} {summary.settings['token_limit']} tokens")
    if prefix := summary.settings.get("prefix"):
        print(f"prefix of every text: {prefix!r}")
    if summary.problem:
        print(f"warning: {summary.files[0]}: {summary.problem}; see `llmdistill inspect`", file=sys.stderr)
    report_files(arguments.dataset, summary.files, summary.shape, summary.has_manifest, profiles.path.parent)
    return 0


def _find_profiles(given: Path | None, dataset: str) -> Path:
    """The file of the profiles: what was given, else what this package ships."""
    from recbole_llmdistill.files.resources import properties
    from recbole_llmdistill.formats.profile_texts import TEXTS, find_profile_texts

    if given is not None:
        return find_profile_texts(given)
    shipped = properties("profiles", dataset, TEXTS)
    if not shipped.is_file():
        raise InputError(
            f"no profiles of the data set {dataset!r} ship with this package; give yours by --profiles=FOLDER, the "
            f"folder that `llmdistill generate --dataset={dataset} --out=FOLDER` writes"
        )
    return shipped


def report_files(
    dataset: str, files: list[Path], shape: tuple[int, int, int], has_manifest: bool, source: Path
) -> None:
    """Print what was written and how to train with it."""
    users, profiles, dimensions = shape
    each = f"{profiles} vectors" if profiles > 1 else "a vector"
    print(f"wrote {' and '.join(map(str, files))}: {users} users, {each} of {dimensions} values each")
    if not has_manifest:
        print(
            f"warning: no manifest.json with a training_fingerprint in {source}, so training cannot check that these "
            "profiles saw no held-out item",
            file=sys.stderr,
        )
    print(f"train with it: run_recbole --model=SASRecDistill --dataset={dataset} --profile_path={files[0].parent}")
