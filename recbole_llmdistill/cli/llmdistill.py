"""``llmdistill``: the commands around training, one module each."""

import argparse
import importlib
import sys

import recbole_llmdistill
from recbole_llmdistill.cli.exit_status import cli_errors

COMMANDS = {
    "doctor": "check the installation, and that profiles fit a data set",
    "convert": "make RecBole atomic files of raw downloads or of your own tables",
    "describe": "users, items, density, history lengths, text coverage of a data set",
    "generate": "have an LLM write the users' profiles from the training part",
    "merge": "join the folders of `llmdistill generate --shard i/n`",
    "encode": "turn profile texts into vectors",
    "reduce": "shorten vectors",
    "import": "bring in vectors that somebody else made",
    "inspect": "see whether vectors are any good, before training",
    "models": "what can be distilled into, and what each model supports",
    "tune": "search a model's settings",
    "compare": "compare models on one split, with seeds, significance and controls",
    "recommend": "the next items for users or sequences, from a checkpoint",
    "export": "a checkpoint's model as a folder, for ONNX Runtime or PyTorch",
    "serve": "an exported model behind HTTP",
}
"""What each command is for; its module is imported when it is called."""
LISTS = ("encoders", "llms", "reducers", "converters", "losses", "prompts", "presets")
"""What can be listed, by ``llmdistill encoders ls`` and so on."""


def build_parser(called: str | None) -> argparse.ArgumentParser:
    """A parser of all commands, with the arguments of the one that is called."""
    parser = argparse.ArgumentParser(prog="llmdistill", description="LLM user profiles for sequential recommenders.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {recbole_llmdistill.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        if name == called:
            module = "import_" if name == "import" else name
            importlib.import_module(f"recbole_llmdistill.cli.{module}").add_parser(commands)
        else:
            commands.add_parser(name, help=purpose)
    for name in LISTS:
        if name == called:
            importlib.import_module("recbole_llmdistill.cli.listing").add_parser(commands, name)
        else:
            commands.add_parser(name, help=f"`llmdistill {name} ls` lists them")
    return parser


@cli_errors
def main() -> int:
    """Entry point of the console command."""
    called = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    arguments, settings = build_parser(called).parse_known_args()
    return arguments.run(arguments, settings)


if __name__ == "__main__":
    sys.exit(main())
