"""Silence deprecation warnings that RecBole provokes on every run and no user can act on.

Each filter names the module that provokes it, so that the same warning from the user's own code is still shown.
Answered lines: ``recbole/data/dataset/dataset.py`` (chained ``fillna(inplace=True)``: pandas),
``recbole/trainer/trainer.py`` (``torch.cuda.amp.GradScaler``: torch), ``sequential_recommender/dien.py`` 394 and 439 (a
backslash in a docstring, of which Python 3.12 and newer warn as they compile it for the first time).
"""

import warnings


def install() -> None:
    """Add the filters, in front of those that exist."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"recbole\.")
    warnings.filterwarnings("ignore", category=SyntaxWarning, module=r"(.*[/\\])?recbole[/\\.]")
