"""What can be found wrong before minutes of loading and training, each told in one line."""

from recbole_llmdistill.data.profile_lookup import find_profile_file
from recbole_llmdistill.registry import MODELS
from recbole_llmdistill.settings import DistillationSettings


def check_profiles(config) -> None:
    """Refuse to distil without a profile file."""
    if config["model"] not in MODELS:
        return
    if DistillationSettings.from_config(config).distillation_epochs(config["epochs"]) > 0:
        find_profile_file(config)
