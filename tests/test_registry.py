"""RecBole finds our models, data sets, trainers and defaults by its own look-ups."""

import pytest
from recbole.config import Config
from recbole.model.sequential_recommender import BERT4Rec, SASRec
from recbole.utils import get_model, get_trainer

from recbole_llmdistill.training.trainer import DistillationTrainer


@pytest.mark.parametrize(("name", "base"), [("SASRecDistill", SASRec), ("BERT4RecDistill", BERT4Rec)])
def test_recbole_finds_the_model_and_its_trainer(name: str, base: type) -> None:
    config = Config(model=name, dataset="ml-100k")
    assert issubclass(get_model(name), base)
    assert get_trainer(config["MODEL_TYPE"], name) is DistillationTrainer
