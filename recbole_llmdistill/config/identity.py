"""Which settings can change what a run computes: what tells one run from another, here and nowhere else."""

from collections.abc import Collection, Mapping
from typing import Any

from recbole_llmdistill.config.settings import keys_affecting

UNPICKLE = "unpickle_saved_data"
"""The setting that lets RecBole's pickled data sets and loaders be read."""

MACHINE = frozenset(
    {
        *("use_gpu", "gpu_id", "device", "worker", "local_rank", "single_spec", "ip", "port", "offset"),
        *("state", "show_progress", "verbose", "log_wandb", "wandb_project"),
    }
)
"""RecBole's settings of the machine, and of what is shown."""

PLACES = frozenset(
    {
        *("data_path", "checkpoint_dir", "saved_model_file"),
        *("save_dataset", "dataset_save_path", "save_dataloaders", "dataloaders_save_path", UNPICKLE),
    }
)
"""RecBole's settings of where files lie and which are kept; what they hold is checked by other means."""

NOTHING = MACHINE | PLACES | keys_affecting("nothing") | keys_affecting("texts")
"""Settings that change nothing that a training or a test computes; ours say so where they are declared."""


def identity(settings: Mapping[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """Those of a config's settings that decide what is computed.

    Args:
        settings: RecBole's final config, or a part of it.
        but: further settings to leave out, which the caller tells apart by other means.
    """
    return {key: value for key, value in settings.items() if key not in NOTHING and key not in but}
