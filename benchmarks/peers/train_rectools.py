"""Train RecTools' SASRec or BERT4Rec; ``--settings`` are arguments of its model class.

By default SASRec has RecTools' own layers, whose feed-forward part is as wide as the hidden state (64);
``--settings '{"wide": true}'`` takes its pre-norm layers of inner size 256 instead, which BERT4Rec has anyway.
"""

import numpy as np
import pandas as pd
from measuring import Run, StopTraining, arguments
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools import __version__ as version
from rectools.dataset import Dataset
from rectools.models import BERT4RecModel, SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet
from rectools.models.nn.transformers.net_blocks import PreLNTransformerLayers
from sizes import MASKED_SHARE


class EpochClock(Callback):
    """Times epochs and counts targets for a :class:`Run`."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __deepcopy__(self, memo):  # RecTools copies its trainer before it trains
        return self

    def on_train_epoch_start(self, trainer, module) -> None:
        self.run.begin_epoch()

    def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:
        self.run.count((batch["y"] != 0).sum())

    def on_train_epoch_end(self, trainer, module) -> None:
        try:
            self.run.end_epoch()
        except StopTraining:
            trainer.should_stop = True
        module.train()


def build(given, trainer: Trainer):
    """The untrained model at the common sizes."""
    settings = {
        "n_blocks": given.sizes["layers"],
        "n_heads": given.sizes["heads"],
        "n_factors": given.sizes["hidden"],
        "session_max_len": given.sizes["length"],
        "dropout_rate": 0.5 if given.model == "SASRec" else 0.2,
        "batch_size": given.sizes["batch"],
        "lr": 1e-3,
        "loss": "softmax",
        "item_net_block_types": (IdEmbeddingsItemNet,),
        "get_trainer_func": lambda: trainer,
        **given.settings,
    }
    if settings.pop("wide", False) and given.model == "SASRec":
        settings["transformer_layers_type"] = PreLNTransformerLayers
        settings["transformer_layers_kwargs"] = {"ff_factors_multiplier": given.sizes["inner"] // given.sizes["hidden"]}
    if given.model == "BERT4Rec":
        return BERT4RecModel(mask_prob=MASKED_SHARE, **settings)
    return SASRecModel(**settings)


def main() -> None:
    given = arguments(__doc__)
    seed_everything(given.seed, verbose=False)
    run = Run(given, lambda histories: score(histories))
    trainer = Trainer(
        max_epochs=given.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EpochClock(run)],
        devices=1,
        accelerator=given.accelerator,
        precision=given.precision,
    )
    sequences = run.interactions.training_sequences()
    table = pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(len(sequences)), [len(items) for items in sequences]),
            Columns.Item: np.concatenate(sequences),
            Columns.Weight: 1.0,
        }
    )
    table[Columns.Datetime] = pd.Timestamp(0) + pd.to_timedelta(np.arange(len(table)), unit="s")
    model = build(given, trainer)
    known = np.zeros(run.interactions.n_items, dtype=np.int64)  # RecBole's item id -> RecTools' own, 0 where unknown

    def score(histories):
        preparator, module = model.data_preparator, model.lightning_model
        if not known.any():
            internal = preparator.get_known_items_sorted_internal_ids()
            known[preparator.get_known_item_ids().astype(np.int64)] = internal
        # An unknown item, which training never saw, is left out of the history, as RecTools itself does.
        sessions = [([int(i) for i in known[items] if i], [], {}) for items in histories]
        batch = preparator._collate_fn_recommend(sessions)
        users, items = module._get_user_item_embeddings([batch], torch_device="cpu")
        scores = np.full((len(histories), len(known)), -np.inf, dtype=np.float32)
        candidates = known > 0
        scores[:, candidates] = (users @ items[known[candidates]].T).detach().numpy()
        return scores

    model.fit(Dataset.construct(table))
    run.report(library=f"RecTools {version}")


if __name__ == "__main__":
    main()
