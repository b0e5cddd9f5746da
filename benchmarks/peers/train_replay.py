"""Train RePlay's SasRec or Bert4Rec; ``--settings`` are arguments of its model.

SasRec is the one of ``replay.nn`` with the parquet loader, Bert4Rec that of ``replay.models.nn``: the newest of each.
Neither loader cuts long histories into windows by itself; both give a user's last interactions.
"""

import tempfile
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import torch
from measuring import Run, StopTraining, arguments
from replay import __version__ as version
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from sizes import MASKED_SHARE

ITEM = "item_id"


class EpochClock(lightning.Callback):
    """Times epochs and counts targets for a :class:`Run`."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_epoch_start(self, trainer, module) -> None:
        self.run.begin_epoch()

    def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:
        if "token_mask" in batch:
            self.run.count((batch["pad_mask"] & ~batch["token_mask"]).sum())
        else:
            # A target counts where it is real; its loss is taken even if the position before it is padding.
            self.run.count(batch["target_padding_mask"].sum())

    def on_train_epoch_end(self, trainer, module) -> None:
        try:
            self.run.end_epoch()
        except StopTraining:
            trainer.should_stop = True
        module.train()


def schema_of(n_items: int, padding: int, hidden: int) -> TensorSchema:
    """Items alone, counted from 0. SasRec pads with the next number, Bert4Rec with any (0) and a mask."""
    return TensorSchema(
        TensorFeatureInfo(
            ITEM,
            feature_type=FeatureType.CATEGORICAL,
            is_seq=True,
            cardinality=n_items,
            padding_value=padding,
            embedding_dim=hidden,
            feature_hint=FeatureHint.ITEM_ID,
            feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, ITEM)],
        )
    )


def sasrec(given, schema: TensorSchema, sequences: list[np.ndarray], folder: str):
    """Lightning module and data module of SasRec."""
    from replay.data.nn import ParquetModule
    from replay.nn.lightning import LightningModule
    from replay.nn.lightning.optimizer import OptimizerFactory
    from replay.nn.sequential import SasRec
    from replay.nn.transform.template import make_default_sasrec_transforms

    settings = {"dropout": 0.5, **given.settings}
    model = SasRec.from_params(
        schema,
        embedding_dim=given.sizes["hidden"],
        num_heads=given.sizes["heads"],
        num_blocks=given.sizes["layers"],
        max_sequence_length=given.sizes["length"],
        hidden_dim=given.sizes["inner"],
        **settings,
    )
    file = Path(folder, "train.parquet")
    pd.DataFrame({ITEM: [items - 1 for items in sequences]}).to_parquet(file)
    data = ParquetModule(
        batch_size=given.sizes["batch"],
        metadata={
            "train": {
                ITEM: {"shape": given.sizes["length"] + 1, "padding": schema.item_id_features.item().padding_value}
            }
        },
        transforms={"train": make_default_sasrec_transforms(schema)["train"]},
        train_path=str(file),
    )
    return LightningModule(model, optimizer_factory=OptimizerFactory(learning_rate=1e-3)), data


def bert4rec(given, schema: TensorSchema, sequences: list[np.ndarray]):
    """Lightning module and loader of Bert4Rec."""
    from replay.data.nn import PandasSequentialDataset
    from replay.models.nn.optimizer_utils import FatOptimizerFactory
    from replay.models.nn.sequential.bert4rec import Bert4Rec, Bert4RecTrainingDataset
    from torch.utils.data import DataLoader

    settings = {"dropout_rate": 0.2, **given.settings}
    module = Bert4Rec(
        schema,
        block_count=given.sizes["layers"],
        head_count=given.sizes["heads"],
        hidden_size=given.sizes["hidden"],
        max_seq_len=given.sizes["length"],
        enable_embedding_tying=True,
        optimizer_factory=FatOptimizerFactory(learning_rate=1e-3),
        **settings,
    )
    table = pd.DataFrame({"user_id": np.arange(len(sequences)), ITEM: [items - 1 for items in sequences]})
    rows = Bert4RecTrainingDataset(
        PandasSequentialDataset(schema, "user_id", ITEM, table), given.sizes["length"], mask_prob=MASKED_SHARE
    )
    return module, DataLoader(rows, batch_size=given.sizes["batch"], shuffle=True)


def main() -> None:
    given = arguments(__doc__)
    lightning.seed_everything(given.seed, verbose=False)
    run = Run(given, lambda histories: score(histories))
    n_items = run.interactions.n_items - 1  # without RecBole's padding item
    length = given.sizes["length"]
    padding = n_items if given.model == "SASRec" else 0
    schema = schema_of(n_items, padding, given.sizes["hidden"])

    @torch.no_grad()
    def score(histories):
        module.eval()
        sequences, real = (
            torch.full((len(histories), length), padding),
            torch.zeros(len(histories), length, dtype=torch.bool),
        )
        for row, is_real, items in zip(sequences, real, histories, strict=True):
            row[length - min(len(items), length) :] = torch.from_numpy(items[-length:] - 1)
            is_real[length - min(len(items), length) :] = True
        if given.model == "SASRec":
            logits = module.model(feature_tensors={ITEM: sequences}, padding_mask=real)["logits"]
        else:
            batch = {"query_id": None, "inputs": {ITEM: sequences}, "pad_mask": real, "token_mask": real}
            logits = module.predict(prediction_batch(batch))
        return np.pad(logits[:, :n_items].numpy(), ((0, 0), (1, 0)))

    def prediction_batch(batch: dict) -> dict:
        """The mask token takes the place after the last item; the oldest item goes where there is none to spare."""
        items, real = batch["inputs"][ITEM].roll(-1, 1), batch["pad_mask"].roll(-1, 1)
        real[:, -1] = True
        asked = torch.ones_like(real)
        asked[:, -1] = False
        return {"inputs": {ITEM: items}, "pad_mask": real, "token_mask": asked}

    trainer = lightning.Trainer(
        max_epochs=given.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EpochClock(run)],
        accelerator=given.accelerator,
        precision=given.precision,
        devices=1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )
    sequences = run.interactions.training_sequences()
    with tempfile.TemporaryDirectory() as folder:
        if given.model == "SASRec":
            module, data = sasrec(given, schema, sequences, folder)
            trainer.fit(module, datamodule=data)
        else:
            module, loader = bert4rec(given, schema, sequences)
            trainer.fit(module, train_dataloaders=loader)
    run.report(library=f"RePlay {version}")


if __name__ == "__main__":
    main()
