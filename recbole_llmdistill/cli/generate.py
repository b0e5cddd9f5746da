"""``llmdistill generate``: have an LLM write the users' profiles from their training histories."""

import argparse
import asyncio
import logging
import sys
from typing import Any

from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.ray_cluster import check_ray

_FAILED = 1


def add_parser(commands) -> None:
    """Add the command to ``llmdistill``."""
    parser = commands.add_parser(
        "generate",
        description="Write profiles.jsonl, one line a user, from the very training part that training will use.",
        epilog="Settings of RecBole are given as for training, --key=value; its --seed is the LLM's as well.",
        allow_abbrev=False,
    )
    parser.add_argument("--dataset", "-d", help="name of the data set, unless a config file names it")
    parser.add_argument("--model", "-m", default="SASRecDistill", help="model that will train (default %(default)s)")
    parser.add_argument("--config_files", help="RecBole yaml files, separated by spaces")
    parser.add_argument("--out", help="folder of the profiles; an interrupted run in it is continued")
    who = parser.add_argument_group("which users")
    who.add_argument("--users", metavar="FILE", help="only those of this file, one a line")
    who.add_argument("--shard", metavar="i/n", help="only part i of n, for n machines; join them by llmdistill merge")
    who.add_argument("--limit", type=_positive, metavar="N", help="only the first N of these")
    llm = parser.add_argument_group("LLM")
    llm.add_argument("--llm", required=True, help="openai:MODEL, hf:MODEL_OR_FOLDER, or none:summary (no LLM)")
    llm.add_argument("--prompt", help="names or .yaml files, one a view, separated by commas (default neutral-short)")
    llm.add_argument(
        "--strategy",
        choices=["merge_after", "update", "recent", "views"],
        default="merge_after",
        help="for histories longer than the context (default %(default)s); views: several prompts, needs,tastes,habits",
    )
    llm.add_argument("--max-tokens", type=_positive, metavar="N", help="longest answer (default: the prompt's)")
    llm.add_argument("--context-length", type=_positive, metavar="N", help="prompt and answer (default: the model's)")
    llm.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest words (default %(default)s)")
    server = parser.add_argument_group("openai:")
    server.add_argument("--base-url", help="address of an OpenAI-compatible server, e.g. http://localhost:8000/v1")
    server.add_argument("--api-key-env", default="OPENAI_API_KEY", metavar="NAME", help="variable with the key")
    server.add_argument("--concurrency", type=_positive, default=64, help="requests at a time (default %(default)s)")
    server.add_argument("--timeout", type=float, default=120, help="seconds for a request (default %(default)s)")
    server.add_argument("--retries", type=int, default=8, help="further attempts a request (default %(default)s)")
    server.add_argument("--tokenizer", help="model name or folder to count tokens with (default: 3 bytes are a token)")
    server.add_argument("--batch", action="store_true", help="by the batch API: within a day, for half the price")
    local = parser.add_argument_group("hf:")
    local.add_argument("--batch-size", type=_positive, default=8, help="requests a batch (default %(default)s)")
    local.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="one model a GPU of a Ray cluster: auto (default), local, or ray://HOST:PORT",
    )
    look = parser.add_argument_group("before you pay")
    look.add_argument("--estimate", action="store_true", help="count requests, tokens and cost; send nothing")
    look.add_argument("--show-prompt", metavar="USER", help="print what would be sent for this user; send nothing")
    look.add_argument("--price-in", type=float, metavar="P", help="price of a million prompt tokens")
    look.add_argument("--price-out", type=float, metavar="P", help="price of a million answer tokens")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace, settings: list[str]) -> int:
    """Print what is to be done, do it, print what was done; status 1 if users failed."""
    _check_options(arguments)
    leave_to_recbole(settings, arguments.parser, model=arguments.model, dataset=arguments.dataset)
    logging.getLogger().setLevel(logging.ERROR)
    config_files = arguments.config_files.split() if arguments.config_files else None
    config = build_config(arguments.model, arguments.dataset, config_files)

    from recbole_llmdistill.profiles.run import Run

    job = Run.prepare(arguments, config)
    for line in job.notes():
        print(line)
    if arguments.show_prompt is not None:
        for text in job.prompts_of(arguments.show_prompt):
            print(text)
        return 0
    if arguments.estimate:
        for line in job.estimate_lines():
            print(line)
        return 0
    sys.stdout.flush()
    progress = job.generate_with_ray(arguments.ray) if arguments.ray else asyncio.run(job.generate())
    for line in job.closing_lines(progress):
        print(line)
    return _FAILED if progress.failures else 0


def _check_options(arguments: argparse.Namespace) -> None:
    if not (arguments.out or arguments.estimate or arguments.show_prompt is not None):
        raise InputError("--out: say in which folder the profiles are to be written")
    if (arguments.price_in is None) != (arguments.price_out is None):
        raise InputError("--price-in and --price-out belong together")
    if arguments.ray and not arguments.llm.startswith(("hf:", "none:")):
        raise InputError(
            "--ray is for local models (--llm hf:...); a server is asked by one process, or by --shard i/n"
        )
    if arguments.ray:
        check_ray("--ray", "cluster")


def _positive(text: str) -> Any:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number
