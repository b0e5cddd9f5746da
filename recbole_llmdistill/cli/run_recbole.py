"""``run_recbole``: RecBole's own ``run_recbole.py``, with our models known and bad input told in one line."""

import argparse
import sys

from recbole_llmdistill.cli.exit_status import ends_with_one_line
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole
from recbole_llmdistill.errors import InputError


def build_parser() -> argparse.ArgumentParser:
    """The flags of RecBole's script."""
    parser = argparse.ArgumentParser(
        prog="run_recbole",
        description="Train and test a model of RecBole or of recbole-llmdistill (SASRecDistill, BERT4RecDistill).",
        epilog="Any setting of RecBole or of the model is given as --key=value, e.g. --epochs=20 --distill_alpha=0.",
    )
    parser.add_argument("--model", "-m", default=None, help="name of the model, unless a config file names it")
    parser.add_argument("--dataset", "-d", default=None, help="name of the data set, likewise")
    parser.add_argument("--config_files", default=None, help="yaml files, separated by spaces")
    parser.add_argument("--nproc", type=int, default=1, help="processes on this machine, each with a GPU")
    parser.add_argument("--ip", default="localhost", help="address of the master node")
    parser.add_argument("--port", default="5678", help="port of the master node")
    parser.add_argument("--world_size", type=int, default=-1, help="processes on all machines")
    parser.add_argument("--group_offset", type=int, default=0, help="global rank of this machine's first process")
    return parser


@ends_with_one_line
def main() -> int:
    """Entry point of the console command."""
    arguments, settings = build_parser().parse_known_args()
    leave_to_recbole(settings, model=arguments.model, dataset=arguments.dataset)
    config_files = arguments.config_files.split() if arguments.config_files else None
    _check_before_training(arguments, config_files)

    from recbole.quick_start import run

    run(
        arguments.model,
        arguments.dataset,
        config_file_list=config_files,
        nproc=arguments.nproc,
        world_size=arguments.world_size,
        ip=arguments.ip,
        port=arguments.port,
        group_offset=arguments.group_offset,
    )
    return 0


def _check_before_training(arguments: argparse.Namespace, config_files: list[str] | None) -> None:
    """Find, in a second, what would else stop the run after minutes of loading."""
    import torch

    from recbole_llmdistill.data.profile_lookup import find_profile_file
    from recbole_llmdistill.registry import MODELS
    from recbole_llmdistill.settings import DistillationSettings

    gpus = torch.cuda.device_count()
    if (arguments.nproc > 1 or arguments.world_size > 0) and gpus < arguments.nproc:
        raise InputError(
            f"--nproc={arguments.nproc} needs {arguments.nproc} CUDA GPUs and {gpus} are there: RecBole trains in "
            "parallel through NCCL only; leave --nproc out"
        )
    config = build_config(arguments.model, arguments.dataset, config_files)
    if config["model"] in MODELS:
        settings = DistillationSettings.from_config(config)
        if settings.distillation_epochs(config["epochs"]) > 0:
            find_profile_file(config)


if __name__ == "__main__":
    sys.exit(main())
