"""Train SASRecDistill or BERT4RecDistill; ``--settings`` are RecBole's, among them ``dataset``."""

import contextlib
import sys

import numpy as np
from measuring import Run, StopTraining, arguments


def main() -> None:
    given = arguments(__doc__)
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.data.interaction import Interaction
    from recbole.utils import get_model, get_trainer, init_seed

    import recbole_llmdistill

    name = f"{given.model}Distill"
    fixed = {"state": "ERROR", "show_progress": False, "seed": given.seed, "epochs": given.epochs}
    settings = {"dataset": "ml-100k", **fixed, **given.settings}
    config = Config(name, settings["dataset"], config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    train_data, _, _ = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    network = get_model(name)(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, network)
    length = config["MAX_ITEM_LIST_LENGTH"]

    @torch.no_grad()
    def score(histories):
        network.eval()
        sequences = np.zeros((len(histories), length), dtype=np.int64)
        for row, items in zip(sequences, histories, strict=True):
            row[: min(len(items), length)] = items[-length:]
        lengths = torch.tensor([min(len(items), length) for items in histories])
        batch = Interaction({network.ITEM_SEQ: torch.from_numpy(sequences), network.ITEM_SEQ_LEN: lengths})
        return network.full_sort_predict(batch).numpy()

    if given.profile:  # the random numbers come from NumPy, which PyTorch's profiler does not see
        from recbole_llmdistill.model.cpu import ByteDropout

        ByteDropout.forward = torch.profiler.record_function("ByteDropout")(ByteDropout.forward)
    run = Run(given, score)
    train_epoch = trainer._train_epoch

    def timed(*args, **options):
        run.begin_epoch()
        losses = train_epoch(*args, **options)
        if given.model == "SASRec":  # every training target has its turn once per epoch
            run.count(len(train_data._dataset.inter_feat))
        run.end_epoch()
        return losses

    trainer._train_epoch = timed
    if given.model == "BERT4Rec":
        draw_mask = network.draw_mask

        def counted(*args):
            masked = draw_mask(*args)
            run.count(masked.sum())
            return masked

        network.draw_mask = counted
    with contextlib.suppress(StopTraining):
        trainer.fit(train_data, saved=False, verbose=False)
    dataset = train_data._dataset
    sizes = {"items": dataset.item_num, "rows": config["train_batch_size"]}
    if dataset.windows is not None:
        lengths = dataset.windows.end - dataset.windows.start
        sizes |= {"sequences": len(lengths), "positions": int(lengths.sum()), "squares": int((lengths**2).sum())}
    run.report(sizes, library=f"recbole-llmdistill {recbole_llmdistill.__version__}")


if __name__ == "__main__":
    main()
