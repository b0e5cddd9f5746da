"""Students made of RecBole's models: each trains, is saved, loaded and continued, and is the base model afterwards."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.data.dataset import SequentialDataset
from recbole.quick_start import load_data_and_model
from recbole.utils import get_model
from tiny_dataset import N_ITEMS

from recbole_llmdistill.config.model_names import base_model, explain_unknown_model, model_names
from recbole_llmdistill.config.recbole_config import build_config
from recbole_llmdistill.data.user_vectors import load_user_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.zoo import STUDENTS

QUICK = ("GRU4RecDistill", "NARMDistill", "STAMPDistill", "LightGCNDistill")
COLUMNS = {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "class"]}
WHOLE = [name for name, model in STUDENTS.items() if model.whole_sequences]
PAIRWISE = {
    "loss_type": "BPR",
    "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False, "candidate_num": 0},
}
SMALL_MODEL = {"embedding_size": 16, "num_layers": 1, "load_col": COLUMNS}


@pytest.fixture
def features(tiny) -> Path:
    """The data set ``tiny`` with a feature of the items."""
    lines = ["item_id:token\tclass:token_seq", *(f"i{item}\tc{item % 5} d{item % 3}" for item in range(N_ITEMS))]
    (tiny / "tiny.item").write_text("\n".join(lines) + "\n")
    return tiny


def train_save_load_continue(prepare, name: str) -> None:
    first = prepare(name, checkpoint_dir="whole", **SMALL_MODEL)
    assert first.config["sequence_training"] == ("whole" if name in WHOLE else "prefix")
    first.trainer.fit(first.train_data, first.valid_data, verbose=False)
    result = first.trainer.evaluate(first.test_data, load_best_model=True)
    expected = first.model.state_dict()

    base = get_model(base_model(name))(first.config, first.train_data._dataset)
    assert list(base.state_dict()) == list(expected)
    base.load_state_dict(expected)

    _, loaded, *_ = load_data_and_model(first.trainer.saved_model_file)
    for key, weight in loaded.state_dict().items():
        assert torch.equal(weight, expected[key]), key

    def stop(epoch: int, _score: float) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    half = prepare(name, checkpoint_dir="half", **SMALL_MODEL)
    with pytest.raises(KeyboardInterrupt):
        half.trainer.fit(half.train_data, half.valid_data, verbose=False, callback_fn=stop)
    file = str(half.trainer.resume_file)
    half = prepare(name, checkpoint_dir="half", distill_resume=file, **SMALL_MODEL)
    half.trainer.fit(half.train_data, half.valid_data, verbose=False)
    assert half.trainer.evaluate(half.test_data, load_best_model=True) == result
    for key, weight in half.model.state_dict().items():
        assert torch.equal(weight, expected[key]), key


@pytest.mark.parametrize("name", QUICK)
def test_trained_saved_loaded_continued(prepare, features, name: str) -> None:
    train_save_load_continue(prepare, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STUDENTS if name not in QUICK])
def test_every_student(prepare, features, name: str) -> None:
    train_save_load_continue(prepare, name)


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("SASRecDistill", "BERT4RecDistill")])
def test_the_loss_of_whole_sequences_is_the_mean_of_recboles_prefix_losses(prepare, features, name: str) -> None:
    without_dropout = {"dropout_prob": 0.0, "hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "distill_alpha": 0.0}
    # Windows that hold every history whole: each position sees what its prefix sees.
    prepared = prepare(name, MAX_ITEM_LIST_LENGTH=40, **without_dropout, **SMALL_MODEL)
    dataset = prepared.train_data._dataset
    base = get_model(base_model(name))(prepared.config, dataset)
    base.load_state_dict(prepared.model.state_dict())
    prefixes = SequentialDataset(prepared.config).build()[0]
    expected = base.train().calculate_loss(prefixes[torch.arange(len(prefixes)).numpy()])
    loss = prepared.model.train().calculate_loss(dataset[torch.arange(len(dataset)).numpy()])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    loss.backward()
    for (key, ours), theirs in zip(prepared.model.named_parameters(), base.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(
                ours.grad, theirs.grad, rtol=1e-3, atol=1e-6, msg=lambda text, key=key: key + text
            )


@pytest.mark.parametrize("name", ["GRU4RecDistill", "NARMDistill", "LightGCNDistill", "BPRDistill", "CaserDistill"])
def test_what_is_distilled_into_is_the_vector_that_scores_items(prepare, name: str) -> None:
    """With the identity as bridge and one user's profile, the loss is the distance from the user's vector."""
    prepared = prepare(
        name, distill_pooling="output", distill_bridge="none", distill_dynamic_beta=False, distill_alpha=1.0,
        vectors_standardize=False, dropout_prob=0.0, dropout_probs=[0.0, 0.0], vectors_path=str(_vectors(16)),
        hidden_size=16, **SMALL_MODEL,
    )  # fmt: skip
    model, dataset = prepared.model.eval(), prepared.train_data._dataset
    rows = next(iter(prepared.train_data))
    profiles = load_user_vectors(dataset, model.settings)
    model.begin_distillation(profiles, dataset[:2])
    loss = model.calculate_loss(rows).item()
    base = get_model(base_model(name))(prepared.config, dataset).eval()
    base.load_state_dict(model.state_dict())
    users = rows["user_id"]
    if name == "LightGCNDistill":
        vectors = base.forward()[0][users]
    elif name == "BPRDistill":
        vectors = base.user_embedding(users)
    elif name == "CaserDistill":
        vectors = base.forward(users, rows["item_id_list"])
    else:
        vectors = base.forward(rows["item_id_list"], rows["item_length"])
    expected = (vectors - profiles.vectors[users, 0]).square().mean().item()
    assert loss == pytest.approx(expected, rel=1e-4)


def _vectors(size: int) -> Path:
    random = np.random.default_rng(0)
    file = Path("vectors.npz").resolve()
    tokens = np.array([f"u{user}" for user in range(40)])
    np.savez(file, user_id=tokens, user_emb=random.normal(size=(40, size)).astype(np.float32))
    return file


def test_a_general_model_trains_on_the_split_that_profiles_are_written_from(prepare) -> None:
    sequential, general = prepare("GRU4RecDistill"), prepare("LightGCNDistill")
    fingerprints = {one.train_data._dataset.training_fingerprint() for one in (sequential, general)}
    assert len(fingerprints) == 1


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("STAMPDistill", {"distill_pooling": "mean"}, "STAMPDistill has one vector per user, so allowed is output"),
        ("RepeatNetDistill", {"distill_pooling": "output"}, "allowed is mean or exponential or attention or last"),
        ("NARMDistill", {"sequence_training": "whole"}, "NARMDistill has no state at every position.*prefix"),
        ("GCSANDistill", {"distill_layer": 5}, "n_layers=2, so allowed are 0 to 1"),
        ("TransRecDistill", {"train_neg_sample_args": None}, "TransRecDistill learns from pairs"),
        ("FPMCDistill", {}, "no FPMCDistill: FPMC scores users with items"),
        ("DINDistill", {}, "no DINDistill: DIN scores a candidate"),
        ("DeepFMDistill", {}, "DeepFM scores rows of features"),
        ("KGATDistill", {}, "KGAT learns from a knowledge graph"),
        ("ItemKNNDistill", {}, "ItemKNN is not trained by gradients"),
        ("GRU4RecDistil", {}, "nearest: GRU4RecDistill"),
        ("MyModelDistill", {}, "a model of your own is known once its module is imported"),
    ],
)
def test_what_a_student_cannot_is_told_in_one_line(tiny, name: str, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build_config(name, "tiny", None, {"data_path": str(tiny.parent), **settings})
    assert "\n" not in str(caught.value)


def test_a_layer_that_only_the_built_model_knows(prepare) -> None:
    prepared = prepare("NextItNetDistill", distill_layer=99, embedding_size=16)
    with pytest.raises(InputError, match="distill_layer=99"):
        prepared.trainer.fit(prepared.train_data, prepared.valid_data, verbose=False)


def test_every_model_of_recbole_is_a_student_or_says_why_not() -> None:
    for name in model_names():
        if name not in STUDENTS and f"{name}Distill" not in STUDENTS and not name.startswith("Mean"):
            assert explain_unknown_model(f"{name}Distill").startswith(f"there is no {name}Distill: {name} ")


def test_a_student_has_a_docstring_and_its_base() -> None:
    for name, model in STUDENTS.items():
        assert model.__name__ == name
        assert inspect.getdoc(model)
        assert issubclass(model, get_model(base_model(name)))


def test_feature_models_say_which_column_is_missing(prepare) -> None:
    with pytest.raises(InputError, match=r"selected_features=.*'class'"):
        prepare("SASRecFDistill")


@pytest.mark.parametrize("name", ["GRU4RecDistill", "CaserDistill", "LightGCNDistill"])
def test_rows_of_items_and_users_follow_their_tokens(prepare, tiny, name: str) -> None:
    first = prepare(name, epochs=1, **SMALL_MODEL)
    first.trainer.fit(first.train_data, first.valid_data, verbose=False)
    header, *lines = (tiny / "tiny.inter").read_text().splitlines()
    (tiny / "tiny.inter").write_text("\n".join([header, *reversed(lines)]) + "\n")
    second = prepare(name, distill_warm_start=first.trainer.saved_model_file, **SMALL_MODEL)
    then, now = first.train_data._dataset, second.train_data._dataset
    assert list(then.field2id_token["item_id"]) != list(now.field2id_token["item_id"])
    tables = {"item_id": "item_embedding"} | ({} if name == "GRU4RecDistill" else {"user_id": "user_embedding"})
    for field, table in tables.items():
        order = [then.field2token_id[field][token] for token in now.field2id_token[field]]
        before, after = (getattr(one.model, table).weight for one in (first, second))
        assert torch.equal(after[1:], before[order][1:])


def test_weights_that_cannot_follow_another_order_are_refused(prepare, tiny) -> None:
    first = prepare("MultiVAEDistill", epochs=1)
    first.trainer.fit(first.train_data, first.valid_data, verbose=False)
    header, *lines = (tiny / "tiny.inter").read_text().splitlines()
    (tiny / "tiny.inter").write_text("\n".join([header, *reversed(lines)]) + "\n")
    with pytest.raises(InputError, match="cannot follow them"):
        prepare("MultiVAEDistill", distill_warm_start=first.trainer.saved_model_file)


@pytest.mark.parametrize("name", ["GRU4RecDistill", "NARMDistill", "LightGCNDistill"])
def test_recboles_own_weights_are_a_start(prepare, name: str) -> None:
    base = prepare(base_model(name), epochs=1, **SMALL_MODEL, **({} if name != "LightGCNDistill" else PAIRWISE))
    base.trainer.fit(base.train_data, base.valid_data, verbose=False)
    student = prepare(name, distill_warm_start=base.trainer.saved_model_file, **SMALL_MODEL)
    for key, weight in student.model.state_dict().items():
        assert torch.equal(weight, base.model.state_dict()[key]), key
