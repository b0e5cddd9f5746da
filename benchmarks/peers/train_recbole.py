"""Train stock RecBole's SASRec or BERT4Rec: its own rows, models and trainer.

RecBole 1.2.1 runs without this package wherever NumPy is below 2, pandas below 3 and setuptools below 81
(``requirements-recbole.txt``), and so it is measured there. Elsewhere it needs this package's fixes, and the result
says so; what they change in an epoch, anomaly detection, is put back. No checkpoint is saved. ``--settings`` are
RecBole's, among them ``dataset``. Its rows are prefixes, so its batches are rows of one target each (RecBole's
default, 2048).
"""

import contextlib
import sys

import numpy as np
import torch
from measuring import Run, StopTraining, arguments


def main() -> None:
    given = arguments(__doc__)
    if given.evaluate_every:
        raise SystemExit(
            "train_recbole.py measures time; quality on prefix rows: train_llmdistill.py, sequence_training"
        )
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    stock = int(np.__version__.split(".")[0]) < 2
    if not stock:
        import recbole_llmdistill  # noqa: F401  (fixes RecBole)
    from recbole import __version__ as version
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    if not stock:
        torch.autograd.set_detect_anomaly(True)  # as importing RecBole's models leaves it
    fixed = {"state": "ERROR", "show_progress": False, "seed": given.seed, "epochs": given.epochs}
    # RecBole's default split is random, which a sequential model refuses; no negatives, as cross-entropy needs none.
    common = {
        "dataset": "ml-100k",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
        "train_neg_sample_args": None,
        "train_batch_size": 2048,
    }
    settings = {**fixed, **common, **given.settings}
    config = Config(given.model, settings["dataset"], config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    train_data, _, _ = data_preparation(config, create_dataset(config))
    network = get_model(given.model)(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], given.model)(config, network)
    run = Run(given, None)
    train_epoch = trainer._train_epoch

    def timed(*args, **options):
        run.begin_epoch()
        losses = train_epoch(*args, **options)
        run.end_epoch()
        return losses

    calculate_loss = network.calculate_loss

    def counted(batch):
        # BERT4Rec: places of the masked items, filled up with 0; RecBole gives these a loss of 0 (bert4rec.py).
        run.count((batch[network.MASK_INDEX] > 0).sum() if given.model == "BERT4Rec" else len(batch))
        return calculate_loss(batch)

    trainer._train_epoch, network.calculate_loss = timed, counted
    with contextlib.suppress(StopTraining):
        trainer.fit(train_data, saved=False, verbose=False)
    run.report(library=f"RecBole {version}" + ("" if stock else ", fixed"))


if __name__ == "__main__":
    main()
