"""A user's slips, by command: one line that says what is wrong, where, and what to do; status 2; no traceback."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from recbole.config import Config
from recbole.quick_start import run_recbole as run_in_python

from recbole_llmdistill.cli import llmdistill, run_hyper, run_recbole
from recbole_llmdistill.compat.literal_settings import literal
from recbole_llmdistill.config.recbole_config import build_config
from recbole_llmdistill.errors import InputError

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
ROWS = [f"u{user}\ti{(user + step) % 12}\t3\t{step}" for user in range(8) for step in range(6)]
SHORT = ["--epochs=1", "--hidden_size=16", "--show_progress=False", "--state=ERROR"]

COMMANDS: dict[str, tuple[Callable[[], int], list[str]]] = {
    "run_recbole": (run_recbole.main, ["--model=SASRecDistill", "--distill_alpha=0", *SHORT]),
    "run_recbole, RecBole's model": (
        run_recbole.main,
        ["--model=SASRec", "--train_neg_sample_args=None", "--load_col=None", *SHORT],
    ),
    "run_hyper": (run_hyper.main, ["--model=SASRecDistill", "--distill_alpha=0", "--space=space.yaml", *SHORT]),
    "tune": (llmdistill.main, ["tune", "--model=SASRecDistill", "--distill_alpha=0", "--space=space.yaml", *SHORT]),
    "compare": (llmdistill.main, ["compare", "--models=GRU4Rec", "--seeds=1", "--out=out", *SHORT]),
    "generate": (llmdistill.main, ["generate", "--llm=none:summary", "--estimate"]),
    "inspect": (llmdistill.main, ["inspect", "--vectors=vectors.npz"]),
    "doctor": (llmdistill.main, ["doctor"]),
}


def grid(slips: Sequence, commands: Sequence[str]) -> pytest.MarkDecorator:
    """Every slip with the first command, and with one of the others; all others of them are slow tests."""
    cases = [
        pytest.param(command, slip, marks=() if place in (0, 1 + number % (len(commands) - 1)) else pytest.mark.slow)
        for number, slip in enumerate(slips)
        for place, command in enumerate(commands)
    ]
    return pytest.mark.parametrize(("command", "slip"), cases)


class Outcome(NamedTuple):
    """What a command did."""

    status: int
    output: str
    error: str


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., Outcome]:
    """Function (command, arguments) -> its outcome on the data set ``own``."""

    def run_command(command: str, *arguments: str) -> Outcome:
        Path("space.yaml").write_text("initializer_range: {uniform: [0.01, 0.02]}\n")
        np.savez("vectors.npz", user_id=[f"u{user}" for user in range(8)], user_emb=np.eye(8))
        main, fixed = COMMANDS[command]
        given = {argument.split("=")[0] for argument in arguments}
        fixed = [argument for argument in fixed if argument.split("=")[0] not in given]
        monkeypatch.setattr(sys, "argv", [command, *fixed, "--dataset=own", *arguments])
        status = main()
        return Outcome(status, *capsys.readouterr())

    return run_command


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Function (lines, suffix) -> folder of the data set ``own``, where they are now a file."""

    def write_file(lines: list[str] | bytes, suffix: str = "inter") -> Path:
        folder = tmp_path / "dataset" / "own"
        folder.mkdir(parents=True, exist_ok=True)
        content = lines if isinstance(lines, bytes) else ("\n".join(lines) + "\n").encode()
        (folder / f"own.{suffix}").write_bytes(content)
        return folder

    return write_file


def one_line(outcome: Outcome, *words: str) -> None:
    """Status 2 and one line with these words; the doctor's findings go to the output, with status 1."""
    wrong = [line for line in outcome.output.splitlines() if line.startswith("WRONG")]
    text = outcome.error or "\n".join(wrong[-1:])
    assert outcome.status == (2 if outcome.error else 1), outcome
    assert text.startswith("error: " if outcome.error else "WRONG "), outcome
    assert text.count("\n") == (1 if outcome.error else 0), outcome
    for word in words:
        assert word in text


def inter(*rows: str, header: str = INTER) -> list[str]:
    return [header, *rows]


def changed(line: int, row: str) -> list[str]:
    """The good file with another line, counted from 1."""
    lines = inter(*ROWS)
    lines[line - 1] = row
    return lines


PLAIN = "user_id:token\titem_id:token\ttimestamp:float"
BAD_FILES = {
    "commas": (
        [line.replace("\t", ",") for line in inter(*ROWS)],
        "own.inter, line 1: its columns are separated by commas",
    ),
    "semicolons": ([line.replace("\t", ";") for line in inter(*ROWS)], "--field_separator=';'"),
    "no types": (inter(*ROWS, header="user_id\titem_id\trating\ttimestamp"), "line 1: 'user_id' is no column"),
    "unknown type": (
        inter(*ROWS, header=INTER.replace("rating:float", "rating:int")),
        "column rating has the type 'int'",
    ),
    "no header": (ROWS, "line 1: 'u0' is no column; each is written name:type"),
    "other names": (
        inter(*ROWS, header=INTER.replace("user_id", "uid")),
        "no column 'user_id', which USER_ID_FIELD names",
    ),
    "no time": (
        [row.rsplit("\t", 1)[0] for row in inter(*ROWS)],
        "no column 'timestamp', which TIME_FIELD names; columns found: user_id:token, item_id:token, rating:float",
    ),
    "user as number": (inter(*ROWS, header=INTER.replace("user_id:token", "user_id:float")), "it must be token"),
    "time as token": (inter(*ROWS, header=INTER.replace("timestamp:float", "timestamp:token")), "it must be float"),
    "dates": (
        changed(3, "u0\ti1\t3\t2024-05-01 10:00"),
        "line 3: '2024-05-01 10:00' in column timestamp:float is no number",
    ),
    "late dates": (
        inter(*ROWS * 40, "u0\ti1\t3\t2024-05-01"),
        "own.inter, line 1922: '2024-05-01' in column timestamp:float is no number; write times as numbers",
    ),
    "decimal comma": (
        changed(4, "u0\ti1\t3,5\t7"),
        "line 4: '3,5' in column rating:float is no number; write decimals with",
    ),
    "open quote": (changed(5, 'u0\t"i1\t3\t7'), "line 5: a quote is opened and not closed"),
    "too many cells": (changed(6, "u0\ti1\t3\t7\t8"), "line 6: 5 cells, and the header has 4 columns"),
    "too few cells": (changed(7, "u0\ti1\t3"), "line 7: 3 cells, and the header has 4 columns"),
    "late short row": (inter(*ROWS * 40, "u0\ti1"), "own.inter, line 1922: 2 cells"),
    "all rows longer": (inter(*[row + "\t" for row in ROWS]), "line 2: 5 cells"),
    "empty": (b"", "own.inter: the file is empty"),
    "blank": (b"\n\n", "own.inter, line 1: no header"),
    "no rows": (inter(), "own.inter: no rows below the header"),
    "two columns of a name": (
        inter(*ROWS, header=INTER.replace("rating", "item_id")),
        "two columns are called item_id",
    ),
    "latin-1": (("\n".join(changed(8, "u0\ti\xe9\t3\t7")) + "\n").encode("latin-1"), "line 8: no text in utf-8"),
    "utf-16": (("\n".join(inter(*ROWS)) + "\n").encode("utf-16"), "--encoding=utf-16"),
    "nulls": (b"\0" * 100, "own.inter, line 1: "),
    "one interaction each": (
        inter(*[f"u{n}\ti{n % 5}\t3\t{n}" for n in range(20)]),
        "users with two interactions or more",
    ),
}


@grid(list(BAD_FILES), list(COMMANDS))
def test_a_bad_inter_file(run, write, command: str, slip: str) -> None:
    content, message = BAD_FILES[slip]
    write(content)
    one_line(run(command, "--load_col={'inter':['user_id','item_id','rating','timestamp']}"), message)


@pytest.mark.parametrize(
    "name",
    [name for name in BAD_FILES if name not in ("no time", "one interaction each", "user as number", "time as token")],
)
def test_describe(write, monkeypatch, capsys, name: str) -> None:
    content, message = BAD_FILES[name]
    write(content)
    monkeypatch.setattr(sys, "argv", ["llmdistill", "describe", "own"])
    if name in ("late dates", "semicolons", "utf-16", "other names"):  # no settings are given here
        message = "own.inter: no column user_id (USER_ID_FIELD)" if name == "other names" else "own.inter, line"
    one_line(Outcome(llmdistill.main(), *capsys.readouterr()), message)


BAD_ITEMS = {
    "commas": (["item_id:token,class:token", "i0,a"], "own.item, line 1: its columns are separated by commas"),
    "no types": (["item_id\tclass", "i0\ta"], "own.item, line 1: 'item_id' is no column"),
    "no id": (["id:token\tclass:token", "i0\ta"], "own.item, line 1: no column 'item_id', which ITEM_ID_FIELD names"),
    "short row": (["item_id:token\tclass:token", "i0\ta", "i1"], "own.item, line 3: 1 cells"),
    "open quote": (["item_id:token\tclass:token", 'i0\t"a', "i1\tb"], "own.item, line 2: a quote is opened"),
    "no rows": (["item_id:token\tclass:token"], "own.item: no rows below the header"),
}


@grid(
    [(suffix, name) for suffix in ("item", "user") for name in BAD_ITEMS],
    ["run_recbole", "run_recbole, RecBole's model", "tune", "doctor"],
)
def test_a_bad_item_or_user_file(run, write, command: str, slip: tuple[str, str]) -> None:
    suffix, name = slip
    lines, message = BAD_ITEMS[name]
    write(inter(*ROWS))
    write([line.replace("item_id", f"{suffix}_id") for line in lines], suffix)
    other = message.replace("item_id", f"{suffix}_id").replace("ITEM_ID", f"{suffix.upper()}_ID")
    one_line(run(command, "--load_col=None"), other.replace("own.item", f"own.{suffix}"))


BAD_SETTINGS_OF_DATA = [
    ("--load_col={'inter':['user_id','item_id','timestmp']}", "did you mean timestamp?"),
    (
        "--load_col={'inter':['user_id','item_id','timestamp'],'item':['item_id','name']}",
        "load_col: item has the column 'name'",
    ),
    ("--load_col={'inter':['user_id','timestamp']}", "load_col leaves out the column item_id (ITEM_ID_FIELD)"),
    ("--load_col=['user_id']", "load_col=['user_id']"),
    ("--load_col={'inter':'user_id'}", "load_col: inter is 'user_id'; expected a list of columns"),
    ("--USER_ID_FIELD=uid", "no column 'uid', which USER_ID_FIELD names"),
    ("--val_interval={'price':'[3,inf)'}", "val_interval: no column 'price' is loaded"),
    ("--val_interval={'timestamp':'3,inf'}", "val_interval: timestamp: '3,inf' is no interval"),
    ("--val_interval={'timestamp':3}", "val_interval: timestamp: 3 is no interval"),
    (
        "--val_interval={'timestamp':'[100,inf)'}",
        "own.inter: no row is left after the filters of the config (val_interval={'timestamp': '[100,inf)'}",
    ),
    (
        "--user_inter_num_interval=[50,inf)",
        "own.inter: no row is left after the filters of the config (user_inter_num_interval=",
    ),
    ("--user_inter_num_interval=5", "user_inter_num_interval=5"),
    ("--user_inter_num_interval=[5", "'[5' is no interval of numbers; write e.g. '[5,inf)'"),
    ("--item_inter_num_interval=[9,5]", "is no interval"),
    ("--item_inter_num_interval=[x,5]", "'[x,5]' is no interval"),
    ("--benchmark_filename=['train','valid','test']", "own.train.inter: no such file"),
    ("--benchmark_filename=train", "benchmark_filename='train'"),
    ("--field_separator=,", "its columns are separated by tabs and not by"),
    ("--encoding=utf-88", "no encoding of that name is known"),
    ("--rm_dup_inter=newest", "rm_dup_inter='newest'"),
    ("--load_col={}", "load_col leaves out the column user_id"),
    ("--unused_col=5", "unused_col=5"),
    ("--alias_of_item_id=5", "alias_of_item_id=5"),
    ("--additional_feat_suffix=5", "additional_feat_suffix=5: expected a list of suffixes"),
    ("--additional_feat_suffix=kg", "own.kg"),
    ("--TIME_FIELD=None", "set all of them to names of columns"),
    ("--threshold={'rating':'x'}", "threshold"),
    ("--normalize_field=rating", "normalize_field='rating'"),
    ("--field_separator=\\t", "or leave out field_separator"),
    ("--encoding=utf-16", "cannot be read as utf-16 text"),
    ("--dataset=none", "data set 'none': there is no folder dataset/none"),
    ("--data_path=nowhere", "there is no folder nowhere/own"),
    ("--data_path=3", "data_path=3"),
]


@grid(BAD_SETTINGS_OF_DATA, ["run_recbole", "run_recbole, RecBole's model", "tune", "compare", "generate", "doctor"])
def test_settings_that_do_not_fit_the_data(run, write, command: str, slip: tuple[str, str]) -> None:
    argument, message = slip
    write(inter(*ROWS))
    write(["item_id:token\tclass:token", "i0\ta"], "item")
    arguments = (
        [argument] if "load_col" in argument else [argument, "--load_col={'inter':['user_id','item_id','timestamp']}"]
    )
    one_line(run(command, *arguments), message)


def test_benchmark_files(run, write) -> None:
    parts = "--benchmark_filename=['train','valid','test']"
    for part in ("train", "valid", "test"):
        folder = write(inter(*ROWS), f"{part}.inter")
    for command in ("run_recbole, RecBole's model", "doctor", "generate"):
        one_line(run(command, parts, "--load_col=None"), "no column item_id_list:token_seq, the items before each")
    rows = [f"{row}\ti0 i1" for row in ROWS]
    for part in ("train", "valid", "test"):
        write(inter(*rows, header=INTER + "\titem_id_list:token_seq"), f"{part}.inter")
    one_line(run("run_recbole, RecBole's model", parts, "--load_col=None"), "set alias_of_item_id=['item_id_list']")
    (folder / "own.valid.inter").unlink()
    one_line(
        run("run_recbole, RecBole's model", parts), "own.valid.inter: no such file", "own.test.inter, own.train.inter"
    )


def test_a_folder_for_a_file_and_a_file_for_a_folder(run, write, tmp_path) -> None:
    folder = write(inter(*ROWS))
    (folder / "own.inter").unlink()
    (folder / "own.inter").mkdir()
    one_line(run("run_recbole"), "own.inter: is no file")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "own").write_text("")
    one_line(run("run_recbole", "--data_path=data"), "data/own is no folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(run, write) -> None:
    (write(inter(*ROWS)) / "own.inter").chmod(0)
    one_line(run("run_recbole"), "own.inter: cannot be read (Permission denied)")


def test_a_byte_order_mark_is_read(run, write) -> None:
    content = ("\n".join(inter(*ROWS)) + "\n").encode("utf-8-sig")
    write(content)
    items = "".join(f"i{item}\ta\n" for item in range(12))
    write(f"\ufeffitem_id:token\tclass:token\n{items}".encode(), "item")
    for command in ("run_recbole", "run_recbole, RecBole's model"):
        assert run(command).status == 0
    assert run("generate", "--profile_item_fields=['class']").status == 0
    assert run("generate", "--profile_item_fields=['class']", "--encoding=utf-8").status == 0


LABELED = "{'order':'TO','mode':'labeled','split':{'LS':'valid_and_test'}}"
BAD_VALUES = [
    ("--epochs=ten", "epochs='ten'"),
    ("--epochs=1.5", "epochs=1.5"),
    ("--epochs=-1", "epochs=-1"),
    ("--epochs=True", "epochs=True"),
    ("--train_batch_size=0", "train_batch_size=0"),
    ("--eval_batch_size=-5", "eval_batch_size=-5"),
    ("--train_batch_size=1e3", "train_batch_size=1000.0"),
    ("--learning_rate=fast", "learning_rate='fast'"),
    ("--learning_rate=-1", "learning_rate=-1"),
    ("--learning_rate=0,001", "learning_rate='0,001'"),
    ("--weight_decay=-1", "weight_decay=-1"),
    ("--stopping_step=-1", "stopping_step=-1"),
    ("--eval_step=x", "eval_step='x'"),
    ("--seed=abc", "seed='abc'"),
    ("--seed=-1", "seed=-1"),
    ("--seed=99999999999", "seed=99999999999"),
    ("--gpu_id=first", "gpu_id='first'"),
    ("--gpu_id=[0,1]", "gpu_id"),
    ("--reproducibility=maybe", "reproducibility='maybe': expected True or False"),
    ("--state=LOUD", "state='LOUD'"),
    ("--learner=adma", "did you mean 'adam'?"),
    ("--loss_type=BRP", "loss_type='BRP': expected CE (all items) or BPR"),
    ("--MAX_ITEM_LIST_LENGTH=0", "MAX_ITEM_LIST_LENGTH=0"),
    ("--topk=0", "topk=0"),
    ("--topk=-5", "topk=-5"),
    ("--topk=[5,0]", "topk=[5, 0]"),
    ("--topk=[]", "topk=[]"),
    ("--topk=ten", "topk='ten'"),
    ("--metrics=['Recal']", "did you mean 'recall'?"),
    ("--metrics=Recall@10", "the k of Recall@10 is set by topk"),
    ("--metrics=[]", "metrics=[]"),
    ("--metrics=['AUC','Recall']", "cannot be mixed"),
    ("--valid_metric=NDCG", "valid_metric='NDCG' is not among the metrics"),
    ("--valid_metric=3", "valid_metric=3"),
    ("--repeatable=False", "repeatable=False"),
    ("--clip_grad_norm=5", "clip_grad_norm=5"),
    ("--clip_grad_norm={'max_nrom':5}", "expected e.g. {'max_norm': 0.5}"),
    ("--train_neg_sample_args={'distribution':'zipf'}", "train_neg_sample_args"),
    ("--hidden_size=0", "hidden_size=0"),
    ("--hidden_size=16.0", "hidden_size=16.0"),
    ("--eval_args=TO", "eval_args='TO'"),
    ("--eval_args={'order':'RO'}", "sequential models need order TO"),
    ("--eval_args={'split':{'LS':'valid_and_test'}}", "order is not given, and by default RO, which"),
    ("--eval_args={'order':'time'}", "order 'time' is none of TO (by time), RO (random)"),
    ("--eval_args={'order':'TO','group_by':'item'}", "group_by 'item' is none of user, none"),
    ("--eval_args={'order':'TO','mode':'labeled'}", "mode labeled ranks nothing"),
    ("--eval_args={'order':'TO','mode':'fulll'}", "mode 'fulll' is none of full, uniN"),
    ("--eval_args={'order':'TO','mode':'uni'}", "mode 'uni' is none of"),
    ("--eval_args={'order':'TO','mode':{'train':'full'}}", "mode of 'train'"),
    ("--eval_args={'order':'TO','splitt':{'LS':'valid_and_test'}}", "unknown key 'splitt'"),
    ("--eval_args={'order':'TO','split':{'LSS':'valid_and_test'}}", "unknown split 'LSS'; did you mean 'LS'?"),
    ("--eval_args={'order':'TO','split':{'LS':'valid_and_tst'}}", "did you mean 'valid_and_test'?"),
    ("--eval_args={'order':'TO','split':{'RS':[0.8,0.2]}}", "expected the shares of training, validation and test"),
    ("--eval_args={'order':'TO','split':{'RS':[0.8,0.3,-0.1]}}", "expected the shares"),
    ("--eval_args={'order':'TO','split':'LS'}", "split 'LS'; expected one of"),
    ("--epoch=3", "unknown setting 'epoch': did you mean 'epochs'?"),
    ("--learning_rat=.1", "did you mean 'learning_rate'?"),
    ("--epochs=3 4", "epochs='3 4'"),
    ("--valid_metric=None", "valid_metric=None"),
    ("--transform=mask", "transform='mask'"),
    ("--LIST_SUFFIX=''", "LIST_SUFFIX=''"),
]
OF_OUR_MODELS = [
    ("--n_heads=3", "n_heads=3 does not divide hidden_size=16, which the heads share; possible: 1, 2, 4, 8, 16"),
    ("--n_layers=0", "n_layers"),
    ("--n_layers=two", "n_layers"),
    ("--hidden_dropout_prob=1.5", "hidden_dropout_prob=1.5: expected a probability"),
    ("--attn_dropout_prob=-0.1", "attn_dropout_prob=-0.1"),
    ("--hidden_act=gleu", "did you mean 'gelu'?"),
    ("--inner_size=-1", "inner_size=-1"),
    ("--layer_norm_eps=0", "layer_norm_eps=0"),
    ("--hiden_size=16", "did you mean 'hidden_size'?"),
    ("--train_batch_sise=3", "did you mean 'train_batch_size'?"),
]


@grid(BAD_VALUES, list(COMMANDS))
def test_a_value_that_cannot_be(run, write, command: str, slip: tuple[str, str]) -> None:
    argument, message = slip
    write(["no", "atomic", "file"])  # so nothing has been loaded
    if "--seed=" in argument:
        if command in ("tune", "run_hyper") and "abc" in argument:
            pytest.skip("argparse refuses it: --seed is an option of the search")
        message = "did you mean --seeds?" if command == "compare" else message
    if command == "compare" and argument.split("=")[0] in ("--loss_type", "--train_neg_sample_args"):
        write(inter(*ROWS))  # these are the arms', which are configured when the data set is known to be there
    one_line(run(command, argument), message)


@grid(OF_OUR_MODELS, ["run_recbole", "run_recbole, RecBole's model", "tune", "generate", "doctor", "inspect"])
def test_a_value_of_the_model_that_cannot_be(run, write, command: str, slip: tuple[str, str]) -> None:
    argument, message = slip
    write(["no", "atomic", "file"])
    one_line(run(command, argument, "--hidden_size=16"), message)


@pytest.mark.parametrize(("argument", "message"), [*BAD_VALUES[::4], *OF_OUR_MODELS[::2]])
def test_the_same_in_python(write, argument: str, message: str) -> None:
    write(["no", "atomic", "file"])
    if "valid_metric" in argument:
        pytest.skip("a program may evaluate by itself")
    key, _, value = argument.removeprefix("--").partition("=")
    settings = {"hidden_size": 16, key: value}
    with pytest.raises(InputError) as caught:
        run_in_python(model="SASRecDistill", dataset="own", config_dict=settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("command", "argument", "option"),
    [
        ("run_recbole", "--config_file_list=a.yaml", "--config_files"),
        ("run_recbole", "--nprocs=2", "--nproc"),
        ("run_recbole", "--modle=SASRec", "--model"),
        ("tune", "--sercher=optuna", "--searcher"),
        ("run_hyper", "--param_file=x", "--params_file"),
        ("inspect", "--vector_s=x", "--vectors"),
        ("doctor", "--datset=x", "--dataset"),
        ("generate", "--promt=x", "--prompt"),
        ("compare", "--baselin=x", "--baseline"),
    ],
)
def test_a_misspelt_option(run, write, command: str, argument: str, option: str) -> None:
    write(inter(*ROWS))
    one_line(run(command, argument), f"did you mean {option}?")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model="], "unknown model ''"),
        (["--MODEL_TYPE=3"], "--MODEL_TYPE: RecBole sets it itself"),
        (["--device=cpu"], "--device: RecBole sets it itself"),
        (["--model=SASRec", "--loss_type=BPR", "--train_neg_sample_args=None"], "learns from pairs of an item and a"),
        (["--checkpoint_dir=dataset/own/own.inter"], "checkpoint_dir='dataset/own/own.inter': cannot be made"),
        (["--metrics=AUC", "--valid_metric=AUC", f"--eval_args={LABELED}"], "LABEL_FIELD: no column 'label' is loaded"),
        (["--config_files=dataset"], "dataset: Is a directory"),
    ],
)
def test_other_slips(run, write, arguments: list[str], message: str) -> None:
    write(inter(*ROWS))
    one_line(run("run_recbole", *arguments), message)


def test_autoencoders_need_no_negatives(write) -> None:
    write(inter(*ROWS))
    assert build_config("MultiVAE", "own", config_dict={"train_neg_sample_args": None})["model"] == "MultiVAE"


def test_a_file_in_another_encoding_is_read(run, write) -> None:
    for encoding in ("utf-16", "latin-1"):
        write(("\n".join(inter(*ROWS, *[f"é{row}" for row in ROWS])) + "\n").encode(encoding))
        assert run("run_recbole", f"--encoding={encoding}").status == 0


def test_a_misspelt_key_in_a_file(run, write, tmp_path) -> None:
    folder = write(inter(*ROWS))
    (tmp_path / "mine.yaml").write_text("epoch: 3\n")
    for command in ("run_recbole", "run_recbole, RecBole's model", "tune"):
        one_line(run(command, "--config_files=mine.yaml"), "unknown setting 'epoch': did you mean 'epochs'?")
    (folder / "own.yaml").write_text("load_cols: {inter: [user_id]}\n")
    one_line(run("run_recbole"), "own.yaml: unknown setting 'load_cols': did you mean 'load_col'?")


def test_keys_that_nobody_reads_are_named(run, write, caplog) -> None:
    write(inter(*ROWS))
    assert run("run_recbole", "--my_own_note=hello", "--num_layers=3").status == 0
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert text.count("my_own_note is no setting of RecBole, of SASRecDistill or of this package") == 1
    assert "num_layers is a setting of other models; SASRecDistill does not read it (nearest: n_layers)" in text


def test_a_setting_given_twice(run, write) -> None:
    write(inter(*ROWS))
    for command in ("run_recbole", "compare"):
        one_line(run(command, "--learning_rate=0.1", "--learning_rate=0.2"), "--learning_rate is given twice")


@pytest.mark.parametrize("command", ["run_recbole", "run_recbole, RecBole's model", "tune", "compare"])
def test_lists_longer_than_the_catalogue(run, write, command: str, monkeypatch) -> None:
    def train(*_args, **_kwargs):
        raise AssertionError("an epoch was trained")

    monkeypatch.setattr("recbole.trainer.Trainer._train_epoch", train)
    write(inter(*ROWS))
    load = "--load_col={'inter':['user_id','item_id','timestamp']}"
    metric = "--valid_metric=NDCG@50"
    message = "topk=[5, 50]: data set 'own' has 12 items, so no list is 50 long; set topk to at most 12"
    one_line(run(command, "--topk=[5,50]", metric, load), message)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("3", 3),
            ("1e-3", 0.001),
            ("-0.5", -0.5),
            ("[1,'a']", [1, "a"]),
            ("{'a':None}", {"a": None}),
            ("0,1", (0, 1)),
        ),
        *(("None", None), ("True", True), ("false", False), ("'a'", "a"), ("adam", "adam"), ("ml-100k", "ml-100k")),
        *(("", ""), ("a b", "a b"), ("[a]", "[a]"), ("C:\\data\\x", "C:\\data\\x")),
        # What Python would have computed, or done:
        *(("2019-10", "2019-10"), ("1/0", "1/0"), ("2*3", "2*3"), ("id", "id"), ("open('x','w')", "open('x','w')")),
        *(("__import__('os').system('touch x')", "__import__('os').system('touch x')"), ("{1,2}", "{1,2}")),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_settings_are_literals(text: str, value: object) -> None:
    found = literal(text)
    assert (found, type(found)) == (value, type(value))


def test_no_setting_runs_code(tmp_path, monkeypatch) -> None:
    code = "[open('ran', 'w')]"
    monkeypatch.setattr(sys, "argv", ["x", f"--wandb_project={code}"])
    config = Config("SASRecDistill", "ml-100k", config_dict={"dataset_save_path": code})
    assert (config["wandb_project"], config["dataset_save_path"]) == (code, code)
    assert not (tmp_path / "ran").exists()
