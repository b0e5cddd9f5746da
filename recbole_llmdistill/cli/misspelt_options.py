"""Options of ours that RecBole would take for settings, because it takes any ``--key=value``."""

import argparse
import difflib
from collections.abc import Sequence

from recbole_llmdistill.errors import InputError


def refuse_misspelt_options(parser: argparse.ArgumentParser, settings: Sequence[str]) -> None:
    """Refuse what looks like an option of ``parser`` and is none; RecBole must be importable.

    Raises:
        InputError: with the nearest option.
    """
    from recbole.utils import argument_list

    lists = [value for name, value in vars(argument_list).items() if name.endswith("_arguments")]
    of_recbole = {key for keys in lists for key in keys}
    ours = [option for action in parser._actions for option in action.option_strings]
    for setting in settings:
        name = setting.split("=")[0]
        nearest = difflib.get_close_matches(name, ours, n=1, cutoff=0.8)
        if nearest and name.removeprefix("--") in of_recbole and not nearest[0].startswith(name):
            continue  # --state is RecBole's, and no misspelt --strategy
        if nearest or "-" in name.removeprefix("--"):
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"argument {setting!r} is not understood{hint}")
