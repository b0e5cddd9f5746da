"""``run_recbole``: RecBole's own ``run_recbole.py``, with our models known and bad input told in one line."""

import argparse
import sys

from recbole_llmdistill.cli.exit_status import cli_errors
from recbole_llmdistill.cli.recbole_arguments import build_config, leave_to_recbole


def build_parser() -> argparse.ArgumentParser:
    """The flags of RecBole's script."""
    parser = argparse.ArgumentParser(
        prog="run_recbole",
        description="Train and test a model of RecBole or of recbole-llmdistill (`llmdistill models` lists them).",
        epilog="Any setting of RecBole or of the model is given as --key=value, e.g. --epochs=20 --distill_alpha=0.",
    )
    parser.add_argument(
        "--model",
        "-m",
        default=None,
        help="its name, or module:Class of your own; unless a config file names it",
    )
    parser.add_argument("--dataset", "-d", default=None, help="name of the data set, likewise")
    parser.add_argument("--config_files", default=None, help="yaml files, separated by spaces")
    parser.add_argument("--nproc", type=int, default=1, help="processes on this machine, a GPU or CPU cores each")
    parser.add_argument("--ip", default="localhost", help="address of the master node")
    parser.add_argument("--port", default=None, help="its port (a free one; 5678 with --world_size)")
    parser.add_argument("--world_size", type=int, default=-1, help="processes on all machines")
    parser.add_argument("--group_offset", type=int, default=0, help="global rank of this machine's first process")
    return parser


@cli_errors
def main() -> int:
    """Entry point of the console command."""
    parser = build_parser()
    arguments, settings = parser.parse_known_args()
    leave_to_recbole(settings, parser, model=arguments.model, dataset=arguments.dataset)
    config_files = arguments.config_files.split() if arguments.config_files else None

    from recbole.quick_start import run

    from recbole_llmdistill.cli import parallel
    from recbole_llmdistill.data.dataset_check import check_dataset
    from recbole_llmdistill.training import checks

    config = build_config(arguments.model, arguments.dataset, config_files)
    parallel.check_processes(config, arguments.nproc, arguments.world_size)
    check_dataset(config)
    checks.check_vectors(config)
    checks.check_checkpoint_folder(config)
    with parallel.ends_as_its_processes():
        run(
            config["model"],
            arguments.dataset,
            config_file_list=config_files,
            nproc=arguments.nproc,
            world_size=arguments.world_size,
            ip=arguments.ip,
            port=arguments.port or ("5678" if arguments.world_size > 0 else parallel.free_port()),
            group_offset=arguments.group_offset,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
