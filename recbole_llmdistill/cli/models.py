"""``llmdistill models``: what can be distilled into, and why the rest cannot."""

import argparse

from recbole_llmdistill.errors import InputError

_ROWS = {"SEQUENTIAL": "prefixes", "GENERAL": "interactions"}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to ``llmdistill``."""
    text = "Models of RecBole that profiles can be distilled into, what each supports, and why the others cannot."
    commands.add_parser("models", description=text).set_defaults(run=run)


def run(_arguments: argparse.Namespace, settings: list[str]) -> int:
    """Print both lists."""
    if settings:
        raise InputError(f"argument {settings[0]!r} is not understood")
    import recbole_llmdistill

    recbole_llmdistill.register()
    from recbole_llmdistill.cli.recbole_arguments import check_recbole
    from recbole_llmdistill.config.model_names import base_model, model_names
    from recbole_llmdistill.model.zoo import why_not
    from recbole_llmdistill.registry import MODELS

    check_recbole()
    bases = {base_model(name) for name in MODELS}
    others = [name for name in model_names() if name not in bases and name not in MODELS]
    width = max(map(len, [*MODELS, *others]))
    print(f"{'model':<{width}}  {'trained on':<15}  item_knowledge  distill_pooling")
    for name, model in MODELS.items():
        rows = "whole sequences" if model.whole_sequences else _ROWS[model.type.name]
        items = "no" if model.item_table is None else "yes"
        print(f"{name:<{width}}  {rows:<15}  {items:<14}  {', '.join(model.poolings())}")
    print("\nRecBole's other models")
    for name in others:
        print(f"{name:<{width}}  {why_not(name)}")
    return 0
