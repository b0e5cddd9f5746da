"""An export scores, ranks and recommends as the checkpoint does that it was made from, and is whole or not there."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.data.interaction import Interaction
from tiny_dataset import N_ITEMS

import recbole_llmdistill
from recbole_llmdistill import Recommender
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports import onnx_graph, writing
from recbole_llmdistill.exports.exported_model import ExportedModel
from recbole_llmdistill.exports.neighbour_index import write_index
from recbole_llmdistill.recommendation.checkpoint_model import CheckpointModel

onnxruntime = pytest.importorskip("onnxruntime")
faiss = pytest.importorskip("faiss")
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # of scores: sums of a batch of another shape are added in another order
LONGEST = 10
SEQUENTIAL = ["SASRecDistill", "BERT4RecDistill", "ESASRecDistill", "SASRec", "BERT4Rec", "GRU4Rec"]
MORE = ["NARM", "STAMP"]  # NARM's graph brings its padding along
SETTINGS = {"BERT4Rec": {"transform": "mask_itemseq"}}
PAIRWISE = {"train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False}, "loss_type": "BPR"}
SHAPES = [(1, 1), (1, 2), (1, 10), (2, 1), (2, 10), (3, 7), (8, 4), (64, 1), (64, 10), (65, 9)]


def exported(checkpoint: Path, **options) -> Path:
    folder = Path("exported")
    recbole_llmdistill.export(checkpoint=checkpoint, out=folder, **options)
    return folder


def of_recbole(model: CheckpointModel, items: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """What RecBole's method says, with sequences as wide as in its data sets."""
    network = model.network
    wide = torch.zeros(len(items), LONGEST, dtype=torch.int64)
    wide[:, : items.shape[1]] = torch.from_numpy(items)
    columns = {network.ITEM_SEQ: wide, network.ITEM_SEQ_LEN: torch.from_numpy(lengths)}
    with torch.no_grad():
        return network.full_sort_predict(Interaction(columns)).numpy()[:, 1 : N_ITEMS + 1]


def random_batch(rows: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(rows * 100 + width)
    lengths = random.integers(1, width + 1, rows)
    items = random.integers(1, N_ITEMS + 1, (rows, width)) * (np.arange(width) < lengths[:, None])
    return items, lengths, random.integers(0, N_ITEMS + 1, (rows, 1 + rows % 4))


@pytest.mark.parametrize("name", [*SEQUENTIAL, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_the_graph_computes_what_recbole_does_whatever_the_shape(checkpoint, name: str) -> None:
    file = checkpoint(name, **SETTINGS.get(name, {}))
    graph = onnxruntime.InferenceSession(exported(file) / "model.onnx")
    model = CheckpointModel(file)
    for rows, width in SHAPES:
        items, lengths, seen = random_batch(rows, width)
        for k in (1, 7, N_ITEMS):
            inputs = {"items": items, "lengths": lengths, "seen": seen, "k": np.array([k])}
            best, scores, everything = graph.run(["best_items", "best_scores", "all_scores"], inputs)
            expected = of_recbole(model, items, lengths)
            expected[np.arange(rows)[:, None].repeat(seen.shape[1], 1)[seen > 0], seen[seen > 0] - 1] = -np.inf
            np.testing.assert_allclose(everything[:, 1 : N_ITEMS + 1], expected, **TOLERANCE)
            assert np.isneginf(everything[:, [0, *range(N_ITEMS + 1, everything.shape[1])]]).all()
            assert best.shape == scores.shape == (rows, k)
            np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :k], **TOLERANCE)
            np.testing.assert_array_equal(np.take_along_axis(everything, best, axis=1), scores)


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill", "GRU4Rec"])
@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_recommends_as_the_checkpoint(checkpoint, name: str, form: str) -> None:
    file = checkpoint(name)
    random = np.random.default_rng(3)
    sequences = [[f"i{n}" for n in random.integers(0, N_ITEMS, random.integers(0, 30))] for _ in range(40)]
    sequences += [[], ["new"], ["new", "i1", "newer"], [f"i{n}" for n in range(N_ITEMS)]]
    original, copy = Recommender.load(file), Recommender.load(exported(file, format=form))
    assert copy.items == original.items
    for settings in ({"k": 9}, {"k": N_ITEMS, "exclude_seen": True}, {"k": 2, "candidates": ["i3", "i50", "i7"]}):
        pairs = zip(original.recommend(sequences, **settings), copy.recommend(sequences, **settings), strict=True)
        for one, other in pairs:
            assert (one.items, one.source, one.unknown_items) == (other.items, other.source, other.unknown_items)
            np.testing.assert_allclose(one.scores, other.scores, **TOLERANCE)


def test_the_best_are_those_of_all_scores(checkpoint) -> None:
    model = ExportedModel(exported(checkpoint()))
    sequences, seen = [[1, 2, 3], [4] * 30, [5]], [[], [1, 2], range(1, N_ITEMS)]
    items, scores = model.best(sequences, seen, 4)
    everything = model.scores(sequences)
    for row, excluded in enumerate(seen):
        everything[row, list(excluded)] = -np.inf
    np.testing.assert_allclose(scores, -np.sort(-everything, axis=1)[:, :4], **TOLERANCE)
    assert items[2, 0] == N_ITEMS
    assert np.isneginf(scores[2, 1:]).all()


def test_eight_bits_are_fewer_bytes_and_nearly_the_same_ranking(checkpoint) -> None:
    file = checkpoint(hidden_size=64, inner_size=256)
    fine = exported(file)
    fine.rename("fine")
    coarse = exported(file, precision="int8")
    sizes = [Path(folder, "model.onnx").stat().st_size for folder in ("fine", coarse)]
    assert sizes[1] < 0.7 * sizes[0]
    sequences = [random_batch(1, 10)[0][0].tolist()]
    one, other = (ExportedModel(folder).scores(sequences)[0, 1:] for folder in ("fine", coarse))
    assert np.corrcoef(one, other)[0, 1] > 0.99
    assert not np.allclose(one, other, **TOLERANCE)
    assert "eight bits" in (coarse / "README.md").read_text()
    assert not list(coarse.glob("int8-*"))


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])
def test_parts_give_the_scores_and_an_index_finds_the_best(checkpoint, name: str) -> None:
    file = checkpoint(name)
    folder = exported(file, parts=True, index="hnsw")
    with np.load(folder / "item_vectors.npz", allow_pickle=False) as archive:
        vectors = archive["vectors"]
    graph = onnxruntime.InferenceSession(folder / "user_state.onnx")
    items, lengths, _ = random_batch(5, 6)
    (states,) = graph.run(None, {"items": items, "lengths": lengths})
    model = ExportedModel(folder)
    expected = model.scores([row[:length].tolist() for row, length in zip(items, lengths, strict=True)])
    np.testing.assert_allclose((states @ vectors.T)[:, 1:], expected[:, 1:], **TOLERANCE)
    index = faiss.read_index(str(folder / "items.faiss"))
    scores, found = index.search(states, 3, params=faiss.SearchParametersHNSW(efSearch=N_ITEMS))
    assert found.tolist() == (-expected).argsort(axis=1)[:, :3].tolist()
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :3], **TOLERANCE)


def test_the_same_vectors_give_the_same_index(tmp_path) -> None:
    vectors = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    for name in ("one", "other"):
        write_index(vectors, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_weights_beside_a_graph_that_protobuf_cannot_hold(checkpoint, monkeypatch) -> None:
    monkeypatch.setattr(onnx_graph, "WITHIN_ONE_FILE", 0)
    file = checkpoint()
    folder = exported(file)
    assert (folder / "model.onnx.data").stat().st_size > 10_000
    one, other = (Recommender.load(path).recommend([["i1", "i2"]], k=3)[0].items for path in (file, folder))
    assert one == other
    Recommender.load(exported(file, precision="int8", overwrite=True)).recommend([["i1"]], k=3)


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_the_folder_holds_no_pickle_and_tells_what_it_is(checkpoint, form: str) -> None:
    file = checkpoint(valid_metric="NDCG@10")
    folder = exported(file, format=form, license="CC BY 4.0")
    for path in folder.iterdir():
        parts = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts += [archive.read(name) for name in archive.namelist()]
        assert not any(part[:1] == b"\x80" and part[1:2] in b"\2\3\4\5" for part in parts if part)
    state = torch.load(file, weights_only=True)
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["schema"], settings["model"], settings["n_items"]) == (1, "SASRecDistill", N_ITEMS + 1)
    assert settings["validation"] == {
        "metric": "NDCG@10", "value": state["best_valid_score"], "epoch": state["epoch"],
    }  # fmt: skip
    card = (folder / "README.md").read_text()
    for said in ("CC BY 4.0", settings["data_fingerprint"], "tiny", "NDCG@10"):
        assert said in card
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_reading_an_export_needs_neither_torch_nor_recbole(checkpoint) -> None:
    import subprocess

    folder = exported(checkpoint())
    code = (
        "import sys, llmdistill_commands\nllmdistill_commands.starting = True\n"
        "from recbole_llmdistill.exports.exported_model import ExportedModel\n"
        f"print(ExportedModel({str(folder)!r}).best([[1, 2]], [[1]], 3)[0].shape)\n"
        "print([name for name in ('torch', 'recbole.config', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(1, 3)\n[]\n"


# What is damaged, and what there is no export of


def cut_short(folder: Path) -> None:
    file = folder / "model.onnx"
    file.write_bytes(file.read_bytes()[:-100])


def changed(folder: Path) -> None:
    file = folder / "items.json"
    file.write_text(file.read_text().replace("i1", "i2", 1))


def of_tomorrow(folder: Path) -> None:
    file = folder / "settings.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema": 7}))


def with_another_file(folder: Path) -> None:
    file = folder / "settings.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"graph": "../model.onnx"}))


DAMAGES = [
    (cut_short, r"model\.onnx: [\d,]+ bytes, where [\d,]+ were written"),
    (changed, r"items\.json: its checksum is not the one that was written"),
    (of_tomorrow, r"settings\.json: its schema is 7, known here is 1"),
    (with_another_file, r"settings\.json: '\.\./model\.onnx' is none of its files"),
    (lambda folder: (folder / "items.json").unlink(), r"items\.json: cannot be read"),
    (lambda folder: (folder / "settings.json").unlink(), r"has no settings\.json"),
    (lambda folder: (folder / "settings.json").write_text('{"schema"'), r"settings\.json: cannot be read"),
    (lambda folder: (folder / "settings.json").write_text('{"schema": 1}'), r"settings\.json: written_by: "),
    (lambda folder: (folder / "settings.json").write_text("[]"), r"settings\.json: its schema is None"),
]


def test_what_is_not_as_it_was_written_is_told_in_one_line(checkpoint) -> None:
    folder = exported(checkpoint())
    for number, (damage, message) in enumerate(DAMAGES):
        damaged = Path(shutil.copytree(folder, f"damaged-{number}"))
        damage(damaged)
        with pytest.raises(InputError, match=message) as caught:
            Recommender.load(damaged)
        assert "\n" not in str(caught.value)


def test_a_program_with_a_pickle_is_not_loaded(checkpoint) -> None:
    from recbole_llmdistill.exports.torch_program import load_program

    folder = exported(checkpoint(), format="torch")
    with zipfile.ZipFile(folder / "model.pt2") as archive, zipfile.ZipFile("evil.pt2", "w") as evil:
        for name in archive.namelist():
            evil.writestr(name, archive.read(name).replace(b'"use_pickle": false', b'"use_pickle": true'))
    with pytest.raises(InputError, match=r"evil\.pt2: PyTorch .* keeps pickles in it"):
        load_program(Path("evil.pt2"))
    Path("no.pt2").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"no\.pt2: no program"):
        load_program(Path("no.pt2"))


def test_nothing_is_left_of_an_export_that_does_not_score_as_the_model(checkpoint, monkeypatch) -> None:
    file = checkpoint()
    monkeypatch.setattr(writing, "largest_difference", lambda *_: 3.0)
    with pytest.raises(InputError, match=r"scores otherwise than PyTorch \(3 times what rounding explains\)"):
        exported(file)
    assert [path.name for path in Path().iterdir() if "exported" in path.name] == []


def test_an_export_takes_the_place_of_another_and_of_nothing_else(checkpoint) -> None:
    file = checkpoint()
    folder = exported(file)
    with pytest.raises(InputError, match="--out=exported is not empty; give another folder, or --overwrite"):
        exported(file)
    (folder / "notes.txt").write_text("old")
    exported(file, overwrite=True)
    assert not (folder / "notes.txt").exists()
    (folder / "settings.json").unlink()
    with pytest.raises(InputError, match="--out=exported holds no export, so nothing in it is overwritten"):
        exported(file, overwrite=True)
    assert [path.name for path in Path().iterdir() if path.name.startswith(".exported")] == []


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("BPR", PAIRWISE, "BPR scores users by name"),
        ("FPMC", PAIRWISE, "FPMC scores users by name"),
        ("CORE", {}, "CORE computes scores otherwise than as products"),
    ],
)
def test_models_without_an_export_say_so(checkpoint, name: str, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        exported(checkpoint(name, **settings))
    assert "\n" not in str(caught.value)
    assert not Path("exported").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "torch", "precision": "int8"}, "--precision=int8 is written as ONNX"),
        ({"format": "torch", "parts": True}, "--parts is written as ONNX"),
        ({"index": "hnsw"}, "--index=hnsw is of the item vectors; give --parts"),
        ({"format": "tflite"}, "--format=tflite: input should be 'onnx' or 'torch'"),
        ({"out": "none/exported"}, "--out=none/exported: the folder none does not exist"),
        ({"out": "file"}, "--out=file is a file"),
        ({"checkpoint": "none.pth"}, "checkpoint none.pth does not exist"),
        ({"checkpoint": "."}, r"--checkpoint=\. is a folder"),
    ],
)
def test_options_that_cannot_be(options: dict, message: str) -> None:
    Path("file").write_text("")
    with pytest.raises(InputError, match=message):
        recbole_llmdistill.export(**{"checkpoint": "file", "out": "exported", **options})
