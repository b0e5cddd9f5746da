"""Checkpoints: readable with ``weights_only=True``, RecBole's own read safely, ``torch.load`` left alone."""

import io
import os
import pickle
import warnings

import pytest
import torch
from recbole.config import Config
from recbole.model.sequential_recommender import SASRec
from recbole.quick_start import load_data_and_model
from recbole.trainer import Trainer
from recbole.utils.case_study import full_sort_topk

from recbole_llmdistill.compat import checkpoints
from recbole_llmdistill.compat.checkpoints import read_checkpoint, write_checkpoint
from recbole_llmdistill.errors import InputError


@pytest.fixture
def trained(prepare):
    """A model after two epochs, one of them distilling, with its checkpoint."""
    prepared = prepare(epochs=2, distill_epochs=1)
    prepared.trainer.fit(prepared.train_data, prepared.valid_data)
    return prepared


def recbole_checkpoint(prepared, file) -> None:
    """As RecBole's trainer writes it (trainer.py 295): with a pickled Config, by the plain ``torch.save``."""
    model = SASRec(prepared.config, prepared.train_data._dataset)
    torch.save(
        {"config": prepared.config, "epoch": 3, "state_dict": model.state_dict(), "other_parameter": None},
        file,
        pickle_protocol=4,
    )


def test_weights_only_is_enough(trained) -> None:
    checkpoint = torch.load(trained.trainer.saved_model_file, weights_only=True)
    assert set(checkpoint["state_dict"]) == set(trained.model.state_dict())
    assert "optimizer" in checkpoint


def test_it_loads_without_any_profile_file(trained, tiny) -> None:
    (tiny / "tiny.useremb.npz").unlink()
    config, model, dataset, _, _, test_data = load_data_and_model(trained.trainer.saved_model_file)
    assert isinstance(config, Config)
    assert config["distill_alpha"] == 0.4
    for name, value in model.state_dict().items():
        assert torch.equal(value, read_checkpoint(trained.trainer.saved_model_file)["state_dict"][name])
    users = dataset.token2id(dataset.uid_field, ["u3", "u0"])
    scores, items = full_sort_topk(users, model, test_data, k=5)
    assert scores.shape == items.shape == (2, 5)
    assert (scores[:, :-1] >= scores[:, 1:]).all()


def test_torch_load_is_what_it_was(trained) -> None:
    load_data_and_model(trained.trainer.saved_model_file)
    assert torch.load.__module__ == "torch.serialization"
    assert torch.save.__module__ == "torch.serialization"
    recbole_checkpoint(trained, "stock.pth")
    with pytest.raises(pickle.UnpicklingError), pytest.warns(UserWarning, match="pickle protocol 4"):
        torch.load("stock.pth")


def test_recboles_own_checkpoint_is_a_warm_start(prepare, tmp_path) -> None:
    file = tmp_path / "stock.pth"
    recbole_checkpoint(prepare("SASRec"), file)
    state = torch.load(file, weights_only=False)["state_dict"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a user is not to be told of RecBole's pickle protocol
        read_checkpoint(file)
    prepared = prepare(distill_warm_start=str(file))
    for name, value in prepared.model.state_dict().items():
        assert torch.equal(value, state[name])


class OfMyOwn(SASRec):
    """A model that RecBole does not find by name, as RecBole's documentation has users write them."""


def test_a_checkpoint_of_a_users_own_model_is_read_by_its_trainer(prepare) -> None:
    prepared = prepare("SASRec", epochs=1)
    prepared.config.model = prepared.config.final_config_dict["model"] = "OfMyOwn"
    trainer = Trainer(prepared.config, OfMyOwn(prepared.config, prepared.train_data._dataset))
    trainer.fit(prepared.train_data, prepared.valid_data)
    assert trainer.evaluate(prepared.test_data) == trainer.evaluate(prepared.test_data, load_best_model=False)
    with pytest.raises(InputError, match="OfMyOwn"):
        load_data_and_model(trainer.saved_model_file)


def test_a_warm_start_of_another_shape_is_told(prepare, tmp_path) -> None:
    file = tmp_path / "stock.pth"
    recbole_checkpoint(prepare("SASRec", hidden_size=8), file)
    with pytest.raises(InputError, match=r"distill_warm_start: .*stock\.pth .*item_embedding\.weight"):
        prepare(distill_warm_start=str(file))


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_checkpoint_runs_no_code(tmp_path) -> None:
    torch.save({"state_dict": {}, "config": Evil()}, tmp_path / "evil.pth", pickle_protocol=4)
    read_checkpoint(tmp_path / "evil.pth")
    assert not os.path.exists("executed")
    with open(tmp_path / "old.pth", "wb") as file:
        pickle.dump(Evil(), file)
    with pytest.raises(InputError):
        read_checkpoint(tmp_path / "old.pth")
    assert not os.path.exists("executed")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_an_unreadable_file(tmp_path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.pth is not a readable checkpoint"):
        read_checkpoint(tmp_path / "x.pth")
    with pytest.raises(InputError, match="does not exist"):
        read_checkpoint(tmp_path / "nowhere.pth")


@pytest.mark.parametrize("kept", [100, 20_000, 100_000])
def test_a_file_cut_short(tmp_path, kept: int) -> None:
    write_checkpoint({"weights": torch.ones(50_000)}, tmp_path / "x.pth")
    content = (tmp_path / "x.pth").read_bytes()
    (tmp_path / "x.pth").write_bytes(content[:kept])
    with pytest.raises(InputError, match=r"x\.pth is not a readable checkpoint"):
        read_checkpoint(tmp_path / "x.pth")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    file = tmp_path / "x.pth"
    write_checkpoint({"epoch": 1}, file)
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint({"epoch": 2}, file)
    assert read_checkpoint(file) == {"epoch": 1}


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_an_interruption_while_it_is_written_is_an_interruption(tmp_path, monkeypatch, failing: int) -> None:
    class Interrupted(io.FileIO):
        writes = 0

        def write(self, data) -> int:
            self.writes += 1
            if self.writes == failing:
                raise KeyboardInterrupt
            return super().write(data)

    file = tmp_path / "model.pth"
    write_checkpoint({"weight": torch.zeros(3)}, file)
    before = file.read_bytes()
    monkeypatch.setattr(checkpoints, "open", lambda path, mode, buffering: Interrupted(path, mode), raising=False)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint({"weight": torch.ones(1000)}, file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]
