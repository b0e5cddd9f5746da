"""Files made to do harm when they are read as checkpoints: nothing runs or fills the memory, and one line says why."""

import collections
import io
import os
import pickle
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recbole.config import Config
from recbole.model.sequential_recommender import SASRec
from recbole.quick_start import load_data_and_model
from recbole.utils import ModelType
from scipy import sparse

from recbole_llmdistill.compat.checkpoints import read_checkpoint, write_checkpoint
from recbole_llmdistill.errors import InputError

COMMAND = "touch executed"
EVALUATED = f"__import__('os').system({COMMAND!r})"


class Call:
    """Pickled as a call of ``function`` with ``arguments``, and perhaps a state for what comes out."""

    def __init__(self, function: Callable, *arguments, state=None) -> None:
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


def evil_config() -> Call:
    return Call(Config, "SASRec", "ml-100k", None, {"epochs": EVALUATED})


def write_pickle(file: Path, content: bytes) -> None:
    """A file as ``torch.save`` writes it, with this pickle."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/data.pkl", content)
        archive.writestr("x/version", "3\n")
        archive.writestr("x/data/0", bytes(4))


def read(file: Path) -> tuple[dict, str]:
    """What the file holds, or why it is refused."""
    try:
        return read_checkpoint(file), ""
    except InputError as error:
        return {}, str(error)


def executed() -> bool:
    return os.path.exists("executed")


CALLS = {
    "system": lambda: Call(os.system, COMMAND),
    "eval": lambda: Call(eval, EVALUATED),
    "config": evil_config,
    "config in a list": lambda: [[evil_config()]],
    "config with a state": lambda: Call(Config, "SASRec", "ml-100k", None, {"a": EVALUATED}, state={"model": "SASRec"}),
    "config as a factory": lambda: Call(collections.defaultdict, evil_config()),
    "factory": lambda: Call(collections.defaultdict, os.system, state=None),
    "argument of a device": lambda: Call(torch.device, evil_config()),
    "argument of an enum": lambda: Call(ModelType, evil_config()),
    "argument of a type of numbers": lambda: Call(np.dtype, evil_config()),
    "state of a matrix": lambda: Call(sparse.csr_matrix, (1, 1), state={"data": evil_config()}),
    "entries": lambda: {Call(os.system, COMMAND): 1},
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", CALLS)
def test_no_call_in_a_checkpoint_is_made(tmp_path, name: str, protocol: int) -> None:
    file = tmp_path / "evil.pth"
    torch.save(
        {"state_dict": {}, "config": CALLS[name](), "other_parameter": {"w": CALLS[name]()}},
        file,
        pickle_protocol=protocol,
    )
    state, refusal = read(file)
    assert not executed()
    assert "evil.pth is not a readable checkpoint" in refusal or not isinstance(state.get("config"), Config)


OPCODES = {
    "imports a module": b"cantigravity\nfly\n.",
    "instantiates": b"(S'" + COMMAND.encode() + b"'\nios\nsystem\n.",
    "attributes of a class": b"ctorch\nUntypedStorage\n(N}Vnbytes\nI1\nst\x94b.",
    "attributes of a stand-in": b"crecbole.config.configurator\nConfig\n(N}V__new__\nI1\nst\x94b.",
    "an extension": b"\x80\x02\x82\x01.",
    "a deep list": b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
    "a deep key": b"\x80\x02}" + b")" + b"\x85" * 300_000 + b"I1\ns.",
    "a deep element": b"\x80\x04\x8f(" + b")" + b"\x85" * 300_000 + b"\x90.",
    "laughs": b"\x80\x02](Va\n" + b"e" + b"".join(b"q%c](" % n + b"h%c" % n * 10 + b"e" for n in range(1, 30)) + b".",
    "bytes of billions": b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"x.",
    "a buffer of billions": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.",
    "a number without an end": b"\x80\x02}K\x01\x8b" + (10**5).to_bytes(4, "little") + b"\x01" * 10**5 + b"s.",
    "no dictionary": b"\x80\x02].",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", OPCODES)
def test_no_pickle_does_harm(tmp_path, name: str) -> None:
    write_pickle(tmp_path / "evil.pth", OPCODES[name])
    with pytest.raises(InputError, match=r"evil\.pth is not a readable checkpoint \(.+\)$"):
        read_checkpoint(tmp_path / "evil.pth")
    assert not executed()
    assert "antigravity" not in sys.modules
    assert callable(torch.UntypedStorage.nbytes)


@pytest.mark.parametrize("content", [b"\x80\x02}r\xff\xff\xff\x7f.", b"\x80\x04\x95" + b"\xff" * 6 + b"\0\0}."])
def test_a_large_number_in_a_pickle_takes_no_memory(tmp_path, content: bytes) -> None:
    write_pickle(tmp_path / "x.pth", content)  # a place in the memo, a length of a frame
    assert read_checkpoint(tmp_path / "x.pth") == {}


def tensor_of(shape, stride, offset: int = 0) -> bytes:
    """Pickle of a float32 tensor over the single number that :func:`write_pickle` writes."""

    class Described:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Numbers(), offset, shape, stride, False, collections.OrderedDict())

    class Numbers:
        pass

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            return ("storage", torch.FloatStorage, "0", "cpu", 1) if isinstance(value, Numbers) else None

    file = io.BytesIO()
    Pickler(file, 2).dump({"state_dict": {"w": Described()}})
    return file.getvalue()


def test_a_tensor_of_its_numbers_is_read(tmp_path) -> None:
    write_pickle(tmp_path / "x.pth", tensor_of((1, 1), (1, 1)))
    assert torch.equal(read_checkpoint(tmp_path / "x.pth")["state_dict"]["w"], torch.zeros(1, 1))


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [((2,), (1,), 0), ((10**6, 10**6), (0, 0), 0), ((1,), (1,), 1), ((-1,), (1,), 0), ((1,), (-1,), 0),
     ((2**62, 4), (1, 1), 0), ((1,), (1, 1), 0), ((10**30,), (1,), 0), (("a",), (1,), 0), ((1,), (1,), -1)],
)  # fmt: skip
def test_a_tensor_larger_than_its_numbers_is_refused(tmp_path, shape, stride, offset: int) -> None:
    write_pickle(tmp_path / "x.pth", tensor_of(shape, stride, offset))
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "x.pth")


PLAIN = {
    "an enum of builtins": {"recbole_enum": ["__builtins__", "eval"]},
    "a matrix of billions": {"scipy_sparse": ["csr_matrix", [2**60, 2], *[{"numpy_array": torch.zeros(1)}] * 3]},
    "a matrix of a costly form": {"scipy_sparse": ["dia_matrix", [9, 9], *[{"numpy_array": torch.zeros(1)}] * 3]},
    "a device": {"torch_device": "nowhere"},
    "an array of nothing": {"numpy_array": "x"},
}


@pytest.mark.parametrize("name", PLAIN)
def test_our_own_form_is_checked_too(tmp_path, name: str) -> None:
    torch.save({"other_parameter": {"w": PLAIN[name]}}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "x.pth")


def test_a_matrix_that_points_outside_of_itself_is_refused(tmp_path) -> None:
    matrix = sparse.csr_matrix(np.eye(3))
    matrix.indices = np.array([0, 1, 10**6], dtype=np.int32)
    torch.save({"other_parameter": {"w": matrix}}, tmp_path / "x.pth", pickle_protocol=4)
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "x.pth")


def test_what_recbole_pickles_is_read(tmp_path) -> None:
    values = {
        "csr": sparse.csr_matrix(np.eye(3)),
        "csc": sparse.csc_matrix(np.eye(3)),
        "coo": sparse.coo_matrix(np.eye(3)),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "texts": np.array(["a", "bc"]),
        "big_endian": np.arange(3, dtype=">i4"),
        "scalar": np.float64(0.5),
        "set": {1, 2},
        "size": torch.Size([2, 3]),
    }
    for protocol in (2, 4):
        torch.save({"other_parameter": values}, tmp_path / "x.pth", pickle_protocol=protocol)
        read = read_checkpoint(tmp_path / "x.pth")["other_parameter"]
        for name in ("csr", "csc", "coo"):
            assert type(read[name]) is type(values[name])
            assert (read[name].toarray() == values[name].toarray()).all()
        for name in ("fortran", "texts", "big_endian"):
            assert read[name].dtype == values[name].dtype
            assert (read[name] == values[name]).all()
        assert (read["scalar"], read["set"], read["size"]) == (0.5, {1, 2}, (2, 3))


def test_numpy_2_named_its_module_otherwise(tmp_path) -> None:
    torch.save({"a": np.arange(3)}, tmp_path / "x.pth", pickle_protocol=2)
    with zipfile.ZipFile(tmp_path / "x.pth") as archive:
        content = archive.read("x/data.pkl")
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        renamed = content.replace(b"numpy._core.", b"numpy.core.").replace(b"numpy.core.multiarray", name)
        write_pickle(tmp_path / "y.pth", renamed)
        assert read_checkpoint(tmp_path / "y.pth")["a"].tolist() == [0, 1, 2]


def test_one_tensor_referred_to_twice_stays_one(tmp_path) -> None:
    shared = torch.arange(4.0)
    write_checkpoint({"state_dict": {"a": shared, "b": shared, "c": shared[1:3]}}, tmp_path / "x.pth")
    read = read_checkpoint(tmp_path / "x.pth")["state_dict"]
    assert read["a"] is read["b"]
    read["a"][1] = 7
    assert read["c"][0] == 7


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.complex64, torch.int64])
def test_every_type_of_numbers(tmp_path, dtype) -> None:
    written = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype).t()
    write_checkpoint({"a": written, "empty": torch.empty(0, 3, dtype=dtype)}, tmp_path / "x.pth")
    read = read_checkpoint(tmp_path / "x.pth")
    assert torch.equal(read["a"], written)
    assert read["empty"].shape == (0, 3)
    assert read["empty"].dtype == dtype


def test_a_bit_flipped_in_the_weights_is_noticed(tmp_path) -> None:
    file = tmp_path / "x.pth"
    write_checkpoint({"state_dict": {"w": torch.full((1000,), 0.125)}}, file)
    content = bytearray(file.read_bytes())
    content[content.index(torch.tensor(0.125).numpy().tobytes() * 900) + 400] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(file)


def tampered(prepared, file: Path, **config) -> Path:
    """A checkpoint of the base model as RecBole writes it, with these settings in its config."""
    model = SASRec(prepared.config, prepared.train_data._dataset)
    prepared.config.final_config_dict.update(config)
    torch.save({"config": prepared.config, "state_dict": model.state_dict()}, file, pickle_protocol=4)
    return file


@pytest.mark.parametrize("key", ["dataset_save_path", "dataloaders_save_path"])
def test_files_that_a_checkpoint_names_are_not_unpickled(prepare, tmp_path, key: str) -> None:
    prepared = prepare("SASRec")
    (tmp_path / "other.pth").write_bytes(pickle.dumps(Call(os.system, COMMAND)))
    file = tampered(prepared, tmp_path / "x.pth", **{key: str(tmp_path / "other.pth"), "unpickle_saved_data": True})
    config, *_ = load_data_and_model(str(file))
    assert not executed()
    assert config[key] is None
    assert not config["unpickle_saved_data"]


def test_a_loaded_config_writes_and_sends_nothing_elsewhere(prepare, tmp_path) -> None:
    prepared = prepare("SASRec")
    (tmp_path / "given").mkdir()
    elsewhere = str(tmp_path / "elsewhere")
    file = tampered(
        prepared, tmp_path / "given" / "x.pth", checkpoint_dir=elsewhere, save_dataset=True, save_dataloaders=True,
        log_wandb=True, distill_warm_start=elsewhere, distill_resume=elsewhere, sequence_data_cache=elsewhere,
    )  # fmt: skip
    before = sorted(tmp_path.rglob("*.pth"))
    config, *_ = load_data_and_model(file)
    assert sorted(tmp_path.rglob("*.pth")) == before
    assert not os.path.exists(elsewhere)
    assert config["checkpoint_dir"] == str(tmp_path / "given")
    assert config["log_wandb"] is False
    assert config["distill_warm_start"] is config["distill_resume"] is None


@pytest.mark.parametrize("key", ["model", "dataset", "benchmark_filename", "additional_feat_suffix"])
@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "a\\b", 7])
def test_names_in_a_config_that_lead_elsewhere_are_refused(prepare, tmp_path, key: str, name) -> None:
    prepared = prepare("SASRec")
    value = name if key in ("model", "dataset") else [name]
    if key in ("model", "dataset"):
        setattr(prepared.config, key, value)
    file = tampered(prepared, tmp_path / "x.pth", **{key: value})
    with pytest.raises(InputError, match=rf"x\.pth.*{key}"):
        load_data_and_model(file)


def test_a_text_that_a_model_evaluates_is_refused(prepare, tmp_path) -> None:
    prepared = prepare("SASRec")
    prepared.config.model = "KD_DAGFM"
    for teacher in (EVALUATED, "exit", "torch", None):
        file = tampered(prepared, tmp_path / "x.pth", model="KD_DAGFM", teacher=teacher)
        with pytest.raises(InputError, match=r"x\.pth: teacher in its config is no network of KD_DAGFM"):
            load_data_and_model(file)
    assert not executed()


def test_a_data_set_that_is_not_there_is_not_downloaded(prepare, tmp_path) -> None:
    file = tampered(prepare("SASRec"), tmp_path / "x.pth", data_path=str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match=r"x\.pth was trained on the data set tiny in .*, which is not there"):
        load_data_and_model(file)
    assert not os.path.exists(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "state",
    [{}, {"config": 1}, {"config": {"recbole_config": {}}}, {"config": {"recbole_config": {"model": 1}}},
     {"state_dict": {"a": torch.zeros(1)}}],
)  # fmt: skip
def test_a_checkpoint_without_a_model(tmp_path, state: dict) -> None:
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth"):
        load_data_and_model(tmp_path / "x.pth")


@pytest.mark.parametrize("change", [{"seed": "a"}, {"seed": -1}, {"state": 3}, {"eval_args": None}, {"hidden_size": 8}])
def test_a_config_that_recbole_fails_on_is_told_in_one_line(prepare, tmp_path, change: dict) -> None:
    file = tampered(prepare("SASRec"), tmp_path / "x.pth", **change)
    with pytest.raises(InputError, match=r"^[^\n]*x\.pth[^\n]*$"):
        load_data_and_model(file)


def test_other_parameters_replace_no_method(prepare, tmp_path) -> None:
    prepared = prepare("SASRec")
    model = SASRec(prepared.config, prepared.train_data._dataset)
    model.load_other_parameter({"full_sort_predict": 1, "logger": None})
    assert callable(model.full_sort_predict)
    assert model.logger is not None


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory) -> list[bytes]:
    """A checkpoint in our format and one in RecBole's, both small."""
    folder = tmp_path_factory.mktemp("valid")
    config = Config.__new__(Config)
    config.model, config.dataset, config.parameters = "SASRec", "tiny", {}
    config.final_config_dict = {"model": "SASRec", "dataset": "tiny", "MODEL_TYPE": ModelType.SEQUENTIAL, "seed": 1}
    state = {
        "config": config,
        "state_dict": collections.OrderedDict(w=torch.arange(6.0).reshape(2, 3)),
        "other_parameter": {"w": sparse.csr_matrix(np.eye(3)), "a": np.arange(3.0), "best": np.float64(0.5)},
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
    }
    write_checkpoint(state, folder / "ours.pth")
    torch.save(state, folder / "recbole.pth", pickle_protocol=4)
    return [(folder / name).read_bytes() for name in ("ours.pth", "recbole.pth")]


def read_or_refuse(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    _, refusal = read(file)
    assert "\n" not in refusal
    assert not executed()


def with_pickle(content: bytes, change: Callable[[bytearray], None], folder: Path) -> bytes:
    """The file with its pickle changed, and checksums that fit again: what reaches the readers behind zip's."""
    (folder / "before.pth").write_bytes(content)
    with zipfile.ZipFile(folder / "before.pth") as old, zipfile.ZipFile(folder / "after.pth", "w") as new:
        for record in old.infolist():
            part = bytearray(old.read(record))
            if record.filename.endswith("data.pkl"):
                change(part)
            new.writestr(record.filename, bytes(part))
    return (folder / "after.pth").read_bytes()


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_a_damaged_checkpoint_is_read_or_refused_in_one_line(valid_files, data) -> None:
    folder = Path("fuzz")
    folder.mkdir(exist_ok=True)
    content = data.draw(st.sampled_from(valid_files))
    changes = data.draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=5)), max_size=6))
    cut = data.draw(st.one_of(st.just(1.0), st.floats(0, 1)))

    def change(part: bytearray) -> None:
        for place, replacement in changes:
            start = int(place * len(part))
            part[start : start + len(replacement)] = replacement
        del part[int(cut * len(part)) :]

    if data.draw(st.booleans()):
        damaged = bytearray(content)
        change(damaged)
        read_or_refuse(folder / "x.pth", bytes(damaged))
    else:
        read_or_refuse(folder / "x.pth", with_pickle(content, change, folder))


def test_some_damaged_checkpoints(valid_files, tmp_path) -> None:
    generator = random.Random(0)
    for content in valid_files:
        for _ in range(60):

            def change(part: bytearray) -> None:
                for _ in range(generator.randint(1, 4)):
                    part[generator.randrange(len(part))] = generator.randrange(256)

            read_or_refuse(tmp_path / "x.pth", with_pickle(content, change, tmp_path))
