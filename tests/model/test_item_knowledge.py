"""Item knowledge: what it does to the table, and that nothing of it is left in a trained model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.model.sequential_recommender import BERT4Rec, SASRec
from recbole.utils import get_model

from recbole_llmdistill.config.model_names import base_model
from recbole_llmdistill.data.item_vectors import ItemVectors, cooccurrence_vectors, load_item_vectors, training_matrix
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ITEMS
from recbole_llmdistill.formats.vectors import write_binary
from recbole_llmdistill.model.recommendation_loss.build import Softmax
from recbole_llmdistill.model.recommendation_loss.text_smoothing import NEIGHBOURS, TextSmoothing

MODELS = {"SASRecDistill": SASRec, "BERT4RecDistill": BERT4Rec}
FORMS = ("residual", "init", "frozen")


@pytest.fixture
def item_vectors(tiny: Path) -> np.ndarray:
    """Vectors beside the data set, for all items but three: ``[items, 6]``."""
    items = sorted({line.split("\t")[1] for line in (tiny / "tiny.inter").read_text().splitlines()[1:]})[:-3]
    vectors = np.random.default_rng(0).normal(size=(len(items), 6)).astype(np.float32)
    write_binary(tiny / "tiny.itememb.npz", np.array(items), vectors, of=ITEMS)
    return vectors


def fitted(prepared):
    prepared.trainer.fit(prepared.train_data, prepared.valid_data, saved=False)
    return prepared


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MODELS)
def test_a_trained_model_is_the_base_model(prepare, item_vectors, name: str, form: str) -> None:
    prepared = fitted(prepare(name, item_knowledge=form, epochs=2, distill_alpha=0))
    model, dataset = prepared.model, prepared.train_data._dataset
    base = MODELS[name](prepared.config, dataset)
    assert list(model.state_dict()) == list(base.state_dict())
    assert type(model.item_embedding) is torch.nn.Embedding
    base.load_state_dict(model.state_dict())
    batch = next(iter(prepared.test_data))[0]
    assert torch.equal(model.eval().full_sort_predict(batch), base.eval().full_sort_predict(batch))
    assert len(prepared.trainer.optimizer.param_groups) == 1


@pytest.mark.parametrize("form", ["residual", "frozen"])
def test_the_table_while_training_is_what_the_formula_says(prepare, item_vectors, form: str) -> None:
    prepared = prepare(item_knowledge=form, distill_alpha=0)
    model, trainer = prepared.model, prepared.trainer
    free = model.item_embedding.weight.detach().clone()
    trainer._begin_item_knowledge(prepared.train_data, None)
    vectors = load_item_vectors(prepared.train_data._dataset, model.settings)
    seen = training_matrix(prepared.train_data._dataset).getnnz(axis=0) > 0
    weight = model.item_embedding.parametrizations.weight[0].map.weight.detach()
    for item in range(model.n_items):
        text = weight @ vectors.vectors[item] if vectors.present[item] else torch.zeros(model.hidden_size)
        own = free[item] if not vectors.present[item] or (form == "residual" and seen[item]) else 0
        torch.testing.assert_close(model.item_embedding.weight[item], own + text)
        if form == "frozen" or seen[item] or not vectors.present[item]:
            torch.testing.assert_close(model.state_dict()["item_embedding.weight"][item], own + text)


def test_the_map_is_trained_with_the_free_table(prepare, item_vectors) -> None:
    prepared = prepare(item_knowledge="residual", distill_alpha=0)
    prepared.trainer._begin_item_knowledge(prepared.train_data, None)
    prepared.model.train().calculate_loss(next(iter(prepared.train_data))).backward()
    for name, weight in prepared.model.item_embedding.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_init_starts_from_the_leading_components_at_the_scale_asked_for(prepare, item_vectors) -> None:
    prepared = prepare(item_knowledge="init", item_scale=0.3, distill_alpha=0)
    before = prepared.model.item_embedding.weight.detach().clone()
    prepared.trainer._begin_item_knowledge(prepared.train_data, None)
    table = prepared.model.item_embedding.weight.detach()
    present = load_item_vectors(prepared.train_data._dataset, prepared.model.settings).present
    rows = table[present][:, :6]
    assert rows.square().mean().sqrt() == pytest.approx(0.3, rel=1e-5)
    assert torch.equal(table[~present], before[~present])
    assert torch.equal(table[present][:, 6:], before[present][:, 6:])
    centred = item_vectors - item_vectors.mean(axis=0)
    distances = np.linalg.norm(centred[:, None] - centred[None], axis=-1)
    token2id = prepared.train_data._dataset.field2token_id["item_id"]
    order = [token2id[token] for token in sorted(token2id, key=lambda t: token2id[t]) if present[token2id[token]]]
    files = np.load(Path(prepared.config["data_path"]) / "tiny.itememb.npz")["item_id"].astype(str)
    place = {token2id[token]: row for row, token in enumerate(files) if token in token2id}
    found = np.linalg.norm((rows[:, None] - rows[None]).numpy(), axis=-1)
    expected = distances[np.ix_([place[i] for i in order], [place[i] for i in order])]
    np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=1e-4)  # a turn keeps distances


@pytest.mark.parametrize("form", FORMS)
def test_a_continued_run_ends_as_the_whole_one(prepare, item_vectors, tmp_path, form: str) -> None:
    settings = {"item_knowledge": form, "epochs": 4, "distill_epochs": 2, "eval_step": 1, "stopping_step": 99}
    settings |= {"hidden_dropout_prob": 0.3, "checkpoint_dir": str(tmp_path / "saved")}
    whole = prepare(**settings)
    whole.trainer.fit(whole.train_data, whole.valid_data)

    class Killed(Exception):
        pass

    def kill(epoch: int, score: float) -> None:
        if epoch == stop:
            raise Killed

    for stop in (0, 2):  # in stage one, and in stage two
        first = prepare(**settings)
        with pytest.raises(Killed):
            first.trainer.fit(first.train_data, first.valid_data, callback_fn=kill)
        second = prepare(**settings, distill_resume=str(first.trainer.resume_file))
        second.trainer.fit(second.train_data, second.valid_data)
        for key, weight in whole.model.state_dict().items():
            assert torch.equal(weight, second.model.state_dict()[key]), (stop, key)


def test_a_checkpoint_holds_one_plain_table_and_no_map(prepare, item_vectors, tmp_path) -> None:
    prepared = prepare(item_knowledge="residual", epochs=2, checkpoint_dir=str(tmp_path))
    prepared.trainer.fit(prepared.train_data, prepared.valid_data)
    state = torch.load(prepared.trainer.saved_model_file, weights_only=True)
    assert not [key for key in state["state_dict"] if "parametrizations" in key]
    assert len(state["optimizer"]["param_groups"]) == 1
    result = prepared.trainer.evaluate(prepared.test_data, load_best_model=True)
    assert result["ndcg@10"] > 0
    SASRec(prepared.config, prepared.train_data._dataset).load_state_dict(state["state_dict"])


def test_an_item_that_training_never_sees_has_what_its_text_says(prepare, tiny, item_vectors) -> None:
    with open(tiny / "tiny.inter", "a") as file:  # as the last of a user it is held out
        user = (tiny / "tiny.inter").read_text().splitlines()[1].split("\t")
        file.write("\t".join([user[0], "new", *("999999999" for _ in user[2:])]) + "\n")
    known = np.load(tiny / "tiny.itememb.npz")
    tokens = [*known["item_id"].astype(str), "new"]
    vectors = np.vstack([known["item_emb"].reshape(-1, 6), np.full((1, 6), 0.5)]).astype(np.float32)
    write_binary(tiny / "tiny.itememb.npz", np.array(tokens), vectors, of=ITEMS)
    prepared = prepare(item_knowledge="residual", distill_alpha=0, filter_inter_by_user_or_item=False)
    item = prepared.train_data._dataset.field2token_id["item_id"]["new"]
    trainer = prepared.trainer
    trainer._begin_item_knowledge(prepared.train_data, None)
    loaded = load_item_vectors(prepared.train_data._dataset, prepared.model.settings)
    weight = prepared.model.item_embedding.parametrizations.weight[0].map.weight
    torch.testing.assert_close(prepared.model.item_embedding.weight[item], weight @ loaded.vectors[item])


def test_controls(prepare, item_vectors) -> None:
    part = prepare().train_data._dataset
    plain, permuted, noise = (
        load_item_vectors(part, prepare(item_knowledge="init", item_control=control).model.settings)
        for control in ("none", "permuted", "random")
    )
    assert torch.equal(plain.present, permuted.present)
    assert not torch.equal(plain.vectors, permuted.vectors)
    for key in (0, 1):  # the same rows in another order
        assert torch.allclose(plain.vectors[:, key].sort().values, permuted.vectors[:, key].sort().values)
    assert noise.vectors[noise.present].square().mean() == pytest.approx(1, rel=1e-5)
    assert not noise.vectors[~noise.present].any()


def test_cooccurrence_is_the_spectrum_of_the_mutual_information(prepare) -> None:
    part = prepare().train_data._dataset
    matrix = training_matrix(part).toarray().astype(float)
    users = part.user_num
    items = part.item_num
    histories = [set() for _ in range(users)]
    first, end = part.training_ranges()
    for start, stop in zip(first, end, strict=True):
        for row in range(start, stop):
            user = int(part.sorted_interactions["user_id"][row])
            histories[user].add(int(part.sorted_interactions["item_id"][row]))
    for user in range(users):
        assert set(np.flatnonzero(matrix[user])) == histories[user]
    counts = matrix.sum(axis=0)
    information = np.zeros((items, items))
    for one in range(items):
        for other in range(items):
            together = sum(one in history and other in history for history in histories)
            if one != other and together:
                information[one, other] = max(0, np.log(together * counts.sum() / (counts[one] * counts[other])))
    vectors = cooccurrence_vectors(part)
    strengths = np.linalg.svd(information)[1]
    found = np.linalg.norm(vectors.vectors.numpy(), axis=0) ** 2
    np.testing.assert_allclose(found, strengths[: len(found)], rtol=1e-3)


def test_whitening_gives_each_direction_the_same_variance() -> None:
    drawn = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)) @ torch.diag(
        torch.tensor([9.0, 4, 1, 1, 0.2])
    )
    given = ItemVectors(drawn, torch.ones(200, dtype=torch.bool))
    for kind in ("pca", "zca"):
        white = given.standardized(kind).vectors.double()
        torch.testing.assert_close(white.T @ white / 200, torch.eye(5, dtype=torch.float64), atol=1e-4, rtol=0)
    plain = given.standardized("none").vectors
    assert plain.square().mean() == pytest.approx(1, rel=1e-5)
    turned = torch.linalg.lstsq(drawn - drawn.mean(0), plain).solution
    torch.testing.assert_close(turned, turned[0, 0] * torch.eye(5), atol=1e-5, rtol=0)  # nothing but one scale


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"item_vectors_path": "nowhere"}, "item_vectors_path: nowhere does not exist"),
        ({}, r"no item vectors for dataset 'tiny': looked for tiny.itememb .* item_knowledge=none"),
    ],
)
def test_without_vectors_it_says_what_to_do(prepare, settings: dict, message: str) -> None:
    prepared = prepare(item_knowledge="residual", **settings)
    with pytest.raises(InputError, match=message):
        prepared.trainer.fit(prepared.train_data, saved=False)


def test_vectors_of_another_catalogue_are_refused(prepare, tiny) -> None:
    write_binary(tiny / "tiny.itememb.npz", np.array(["x", "y"]), np.eye(2, dtype=np.float32), of=ITEMS)
    prepared = prepare(item_knowledge="init")
    with pytest.raises(InputError, match=r"vectors cover 0 of .* items, less than vectors_min_coverage"):
        prepared.trainer.fit(prepared.train_data, saved=False)


@pytest.mark.parametrize("with_bias", [False, True])
def test_targets_smoothed_by_text_are_the_dense_formula(with_bias: bool) -> None:
    random = torch.Generator().manual_seed(0)
    states, embeddings = (torch.randn(size, 5, generator=random, dtype=torch.float64) for size in (7, 30))
    targets = torch.tensor([1, 2, 2, 29, 5, 28, 7])
    bias = torch.randn(30, generator=random, dtype=torch.float64) if with_bias else None
    present = torch.ones(30, dtype=torch.bool)
    present[[0, 5]] = False
    vectors = ItemVectors(torch.randn(30, 4, generator=random) * present.unsqueeze(1), present)
    dense = torch.zeros(30, 30, dtype=torch.float64)
    for item in range(30):
        cosines = {
            other: float(torch.cosine_similarity(vectors.vectors[item], vectors.vectors[other], dim=0))
            for other in range(30)
            if other != item and present[other]
        }
        nearest = sorted(cosines, key=cosines.__getitem__)[-NEIGHBOURS:] if present[item] else []
        total = sum(np.exp(cosines[other] / 0.1) for other in nearest)
        for other in nearest:
            dense[item, other] = 0.3 * np.exp(cosines[other] / 0.1) / total
        dense[item, item] = 1 - dense[item].sum()
    logits = states @ embeddings.T + (bias if bias is not None else 0)
    expected = -(dense[targets] * logits.log_softmax(dim=1)).sum(dim=1).mean()
    found = TextSmoothing(Softmax(), 0.3, vectors)(states, embeddings, targets, bias)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("form", ["none", "residual"])
def test_smoothing_by_text_ends_with_training_and_resumes_exactly(prepare, item_vectors, form: str) -> None:
    settings = {"item_target_smoothing": 0.2, "item_knowledge": form, "distill_alpha": 0.0}
    plain = fitted(prepare(distill_alpha=0.0)).model.state_dict()["item_embedding.weight"]
    whole = prepare(checkpoint_dir="whole", **settings)
    whole.trainer.fit(whole.train_data, whole.valid_data, verbose=False)
    expected = whole.model.state_dict()
    assert not torch.equal(plain, expected["item_embedding.weight"])
    assert isinstance(whole.model.recommendation_loss, Softmax)

    def stop(epoch: int, _score: float) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    half = prepare(checkpoint_dir="half", **settings)
    with pytest.raises(KeyboardInterrupt):
        half.trainer.fit(half.train_data, half.valid_data, verbose=False, callback_fn=stop)
    half = prepare(checkpoint_dir="half", distill_resume=str(half.trainer.resume_file), **settings)
    half.trainer.fit(half.train_data, half.valid_data, verbose=False)
    for key, weight in half.model.state_dict().items():
        assert torch.equal(weight, expected[key]), key


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequence_training": "prefix"}, r"item_target_smoothing=0\.2 is for whole sequences"),
        ({"sequence_loss": "gbce"}, r"item_target_smoothing=0\.2 smooths the targets of a softmax"),
        ({"item_target_smoothing": 2}, "item_target_smoothing=2"),
    ],
)
def test_smoothing_where_it_cannot_be(configure, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        configure(**{"item_target_smoothing": 0.2, **settings})


@pytest.mark.parametrize("name", ["GRU4RecDistill", "COREDistill", "RepeatNetDistill", "LightGCNDistill"])
def test_other_students_know_items_too(prepare, item_vectors, name: str) -> None:
    settings = {"distill_alpha": 0.0, "epochs": 2, "embedding_size": 16, "load_col": None}
    plain, prepared = prepare(name, **settings), fitted(prepare(name, item_knowledge="residual", **settings))
    model = prepared.model
    assert list(model.state_dict()) == list(plain.model.state_dict())
    base = get_model(base_model(name))(prepared.config, prepared.train_data._dataset)
    base.load_state_dict(model.state_dict())
    batch = next(iter(prepared.test_data))[0]
    assert torch.equal(model.eval().full_sort_predict(batch), base.eval().full_sort_predict(batch))
    before, after = (getattr(one, model.item_table).weight for one in (fitted(plain).model, model))
    assert not torch.equal(before, after)


def test_a_model_without_a_table_of_items_says_so(prepare, item_vectors) -> None:
    with pytest.raises(InputError, match="MultiVAEDistill has no table of item embeddings; set item_knowledge=none"):
        fitted(prepare("MultiVAEDistill", item_knowledge="residual", distill_alpha=0.0, epochs=1))


def test_outside_training_an_item_that_it_never_sees_has_a_row_from_the_others_texts(prepare, item_vectors) -> None:
    """Ridge regression by hand, of the other rows on their texts, at the others' mean length."""
    prepared = prepare(item_knowledge="residual", distill_alpha=0)
    model = prepared.model
    vectors = load_item_vectors(prepared.train_data._dataset, model.settings)
    seen = torch.ones(model.n_items, dtype=torch.bool)
    seen[[3, 7, 20]] = False
    model.begin_item_knowledge(vectors, seen)
    learnt, cold = (vectors.present & seen).numpy(), (vectors.present & ~seen).numpy()
    assert cold.any()
    training = model.item_embedding.weight.detach().numpy()
    texts, rows = vectors.vectors.numpy().astype(float), training.astype(float)
    inputs, centre = texts[learnt] - texts[learnt].mean(axis=0), rows[learnt].mean(axis=0)
    products = inputs.T @ inputs
    products += 0.1 * np.trace(products) / len(products) * np.eye(len(products))
    expected = (texts[cold] - texts[learnt].mean(axis=0)) @ np.linalg.solve(
        products, inputs.T @ (rows[learnt] - centre)
    )
    expected += centre
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    expected *= np.linalg.norm(rows[learnt], axis=1).mean() / lengths
    folded = model.state_dict()["item_embedding.weight"].numpy()
    np.testing.assert_allclose(folded[cold], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(folded[~cold], training[~cold])
    assert model.item_embedding.training
    np.testing.assert_array_equal(model.eval().item_embedding.weight.detach().numpy(), folded)
    model.end_item_knowledge()
    np.testing.assert_array_equal(model.item_embedding.weight.detach().numpy(), folded)
