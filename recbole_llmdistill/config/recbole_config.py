"""RecBole's config of some settings, with whatever it refuses told in one line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recbole_llmdistill
from recbole_llmdistill.config.settings_file import check_settings_file
from recbole_llmdistill.errors import InputError

if TYPE_CHECKING:
    from recbole.config import Config

_SET_BY_RECBOLE = ("MODEL_TYPE", "MODEL_INPUT_TYPE", "eval_type", "device", "single_spec", "local_rank")
# What RecBole's Config raises where it refuses a setting.
_REFUSALS = (
    *(ValueError, KeyError, TypeError, AttributeError, SyntaxError, NotImplementedError, RuntimeError),
    ImportError,  # a model whose library is missing
)


def check_recbole() -> None:
    """Refuse to go on where the models could not be registered.

    Raises:
        InputError: RecBole is missing, or stands beside versions that it does not run with.
    """
    if recbole_llmdistill.import_error is not None:
        raise InputError(f"{recbole_llmdistill.import_error}; `llmdistill doctor` checks the installation")


def build_config(
    model: str | None,
    dataset: str | None,
    config_files: Sequence[str] | None = None,
    config_dict: Mapping[str, Any] | None = None,
) -> "Config":
    """RecBole's config of these settings and ``sys.argv``, each counting for more than the one before.

    ``model`` is a name, or ``module:Class`` of one's own.

    Raises:
        InputError: RecBole cannot be imported, a file cannot be read, a key is misspelt, or RecBole or this package
            refuses a value.
    """
    check_recbole()

    from recbole.config import Config

    from recbole_llmdistill.config.evaluation_settings import check_validation_metric
    from recbole_llmdistill.config.known_settings import check_known
    from recbole_llmdistill.config.model_names import explain_unknown_model
    from recbole_llmdistill.own_models import resolve

    if model is not None:
        model = resolve(model)
    if model is not None and (problem := explain_unknown_model(model)):
        raise InputError(problem)
    for file in config_files or []:
        check_settings_file(Path(file))
    files = None if config_files is None else list(config_files)
    settings = None if config_dict is None else dict(config_dict)  # RecBole changes it
    config = Config.__new__(Config)  # known here even where its constructor fails
    try:
        config.__init__(model, dataset, config_file_list=files, config_dict=settings)
    except InputError:
        raise
    except _REFUSALS as error:
        _check_values(config)
        text = " ".join(str(error.args[0] if error.args else error).split())
        raise InputError(text or repr(error)) from error
    check_known(config, config.external_config_dict)
    if own := [key for key in {**config.variable_config_dict, **config.cmd_config_dict} if key in _SET_BY_RECBOLE]:
        raise InputError(f"--{own[0]}: RecBole sets it itself, by the model, gpu_id and the processes")
    _check_values(config)
    _check_pairs(config)
    check_validation_metric(config.final_config_dict)
    return config


def _check_pairs(config: "Config") -> None:
    from recbole.data.dataloader import UserDataLoader
    from recbole.data.utils import get_dataloader
    from recbole.utils import InputType

    if get_dataloader(config, "train") is UserDataLoader:  # autoencoders learn from whole users, whatever their type
        return
    if config["MODEL_INPUT_TYPE"] == InputType.PAIRWISE and config["train_neg_sample_args"]["distribution"] == "none":
        raise InputError(
            f"train_neg_sample_args=None: {config['model']} learns from pairs of an item and a sampled one; set "
            "train_neg_sample_args={'distribution':'uniform','sample_num':1}"
        )


def _check_values(config: "Config") -> None:
    """Tell a value that is not allowed better than RecBole does, whatever model it is."""
    from recbole_llmdistill.config.recbole_settings import check_settings

    if "final_config_dict" in vars(config):
        given, defaults = config.external_config_dict, config.internal_config_dict
        check_settings(
            {**defaults, **given}, given, defaults, config.model_class
        )  # RecBole completes some in the final ones
