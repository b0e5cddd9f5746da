"""Trains on the data set ``tiny`` in N processes, or evaluates an untrained model, and writes down what came of it.

    python parallel_program.py N settings.json result.json

Settings are RecBole's; ``evaluate_only`` and ``stop_after`` (an epoch) are this program's.
"""

import json
import sys

import torch
import torch._dynamo
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

import recbole_llmdistill  # noqa: F401  (registers the models)
from recbole_llmdistill.cli.parallel import free_port
from recbole_llmdistill.compat.parallel_training import end_process


class Interrupted(Exception):
    pass


def train(rank: int | None, world: int, settings: dict, port: str, result_file: str) -> None:
    """What RecBole's ``run_recbole`` does, step by step; process 0 writes the result."""
    model_name, stop_after = settings.pop("model"), settings.pop("stop_after", None)
    evaluate_only = settings.pop("evaluate_only", False)
    if rank is not None:
        settings |= {"local_rank": rank, "nproc": world, "world_size": world, "offset": 0, "ip": "localhost"}
        settings["port"] = port
    config = Config(model_name, "tiny", config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    train_data, valid_data, test_data = data_preparation(config, create_dataset(config))
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    model = get_model(model_name)(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], model_name)(config, model)
    trainer.eval_collector.data_collect(train_data)
    validations: list[float] = []

    def after_validation(epoch: int, score: float) -> None:
        validations.append(score)
        if epoch == stop_after:
            raise Interrupted

    try:
        if not evaluate_only:
            trainer.fit(train_data, valid_data, callback_fn=after_validation)
    except Interrupted:
        pass
    else:
        result = trainer.evaluate(test_data, load_best_model=not evaluate_only)
        if not rank:
            outcome = {
                "losses": list(trainer.train_loss_dict.values()),
                "validations": validations,
                "test": dict(result),
                "weights": float(sum(weight.double().abs().sum() for weight in model.parameters())),
                "rows": len(train_data._dataset),
                "test_rows": len(test_data._dataset),
                "threads": torch.get_num_threads(),
            }
            with open(result_file, "w") as stream:
                json.dump(outcome, stream)
    if rank is not None:
        torch.distributed.destroy_process_group()


def train_in_process(*args) -> None:
    """:func:`train`, ended as this package ends RecBole's processes."""
    train(*args)
    end_process()


def main() -> None:
    world, settings_file, result_file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    del sys.argv[1:]  # RecBole reads the command line of any process
    with open(settings_file) as stream:
        settings = json.load(stream)
    if world == 1:
        train(None, 1, settings, "", result_file)
    else:
        torch.multiprocessing.spawn(train_in_process, args=(world, settings, free_port(), result_file), nprocs=world)


if __name__ == "__main__":
    main()
