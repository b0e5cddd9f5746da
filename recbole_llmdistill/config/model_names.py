"""Names of the models that RecBole knows, this package's among them."""

import difflib
import importlib.util
import inspect

from recbole.model.abstract_recommender import AbstractRecommender

_KINDS = (
    "general_recommender",
    "context_aware_recommender",
    "sequential_recommender",
    "knowledge_aware_recommender",
)
# Importing RecBole's package of these needs their libraries, which RecBole does not require.
_NEEDED_LIBRARY = {"LightGBM": "lightgbm", "XGBoost": "xgboost"}


def model_names(*kinds: str) -> list[str]:
    """Class names of RecBole's models, sorted.

    Args:
        kinds: packages below ``recbole.model``, e.g. ``"sequential_recommender"``; all of them if none is named.
    """
    names = set() if kinds else set(_NEEDED_LIBRARY)
    for kind in kinds or _KINDS:
        package = importlib.import_module(f"recbole.model.{kind}")
        names |= {
            name
            for name, value in vars(package).items()
            if inspect.isclass(value) and issubclass(value, AbstractRecommender)
        }
    return sorted(names)


def distilled_name(base: str) -> str:
    """Name of the model that is made of ``base`` to be distilled into."""
    return f"{base}Distill"


def base_model(name: str) -> str:
    """Name of the model that a distilled one is made of."""
    return name.removesuffix("Distill")


def explain_unknown_model(name: str) -> str | None:
    """One line for a name that RecBole cannot make a model of; ``None`` if it is the name of a model."""
    names = model_names()
    if name in names:
        library = _NEEDED_LIBRARY.get(name)
        if library is None or importlib.util.find_spec(library):
            return None
        return f"model {name} needs {library}, which is not installed: pip install {library}"
    by_lower_case = {known.lower(): known for known in names}
    nearest = [by_lower_case[close] for close in difflib.get_close_matches(name.lower(), by_lower_case, n=3)]
    if name.endswith(distilled_name("")) and base_model(name) in names:
        from recbole_llmdistill.model.zoo import why_not

        return f"there is no {name}: {base_model(name)} {why_not(base_model(name))}"
    if name.endswith(distilled_name("")):
        return (
            f"unknown model {name!r}; a model of your own is known once its module is imported, or by "
            f"--model=module:{base_model(name)}"
        )
    return f"unknown model {name!r}; " + (f"nearest: {', '.join(nearest)}" if nearest else f"known: {', '.join(names)}")
