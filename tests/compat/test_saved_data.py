"""RecBole's pickled data sets and loaders: unread unless asked for, and written without harm to training."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from recbole.data import create_dataset
from recbole.data.utils import load_split_dataloaders

from recbole_llmdistill.errors import InputError

BOTH = pytest.mark.parametrize("name", ["SASRecDistill", "SASRec"])
DATASET = {"SASRecDistill": "tiny-CausalSequenceDataset.pth", "SASRec": "tiny-SequentialDataset.pth"}


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def plant(file: str) -> None:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_bytes(pickle.dumps(Evil()))


@BOTH
def test_a_file_with_recboles_name_is_left_alone(prepare, name: str, caplog) -> None:
    plant(f"saved/{DATASET[name]}")
    plant(f"saved/tiny-for-{name}-dataloader.pth")
    prepare(name)
    assert not os.path.exists("executed")
    told = [record.message for record in caplog.records if "unpickle_saved_data=True" in record.message]
    assert len(told) == 2


@pytest.mark.parametrize("key", ["dataset_save_path", "dataloaders_save_path"])
def test_a_file_that_a_setting_names_needs_the_other_setting(prepare, key: str) -> None:
    plant("saved/mine.pth")
    with pytest.raises(InputError, match=rf"^{key}=saved/mine\.pth: .*unpickle_saved_data=True"):
        prepare("SASRec", **{key: "saved/mine.pth"})
    assert not os.path.exists("executed")


@pytest.mark.parametrize("value", ["False", 1, "yes"])
def test_nothing_but_true_asks_for_it(configure, value) -> None:
    plant("saved/tiny-SequentialDataset.pth")
    create_dataset(configure("SASRec", unpickle_saved_data=value))
    assert not os.path.exists("executed")


def test_functions_imported_by_name_before_this_package_obey_too(configure) -> None:
    plant("saved/tiny-for-SASRec-dataloader.pth")
    assert load_split_dataloaders(configure("SASRec")) is None
    assert not os.path.exists("executed")


@BOTH
def test_what_was_saved_is_read_where_it_is_asked_for(prepare, name: str) -> None:
    results = []
    for settings in ({"save_dataset": True, "save_dataloaders": True}, {"unpickle_saved_data": True}):
        prepared = prepare(name, **settings)
        prepared.trainer.fit(prepared.train_data, prepared.valid_data)
        results.append(prepared.trainer.evaluate(prepared.test_data))
        Path("dataset/tiny/tiny.inter").unlink(missing_ok=True)
    assert results[0] == results[1]


def test_saving_the_loaders_changes_nothing_in_training(prepare) -> None:
    states = []
    for saving in (False, True):
        prepared = prepare(save_dataloaders=saving, checkpoint_dir=f"saved-{saving}")
        prepared.trainer.fit(prepared.train_data, prepared.valid_data)
        states.append(prepared.model.state_dict())
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key
