"""Two CPU processes over gloo do what one process does with the same batches."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recbole.quick_start import load_data_and_model
from tiny_dataset import SMALL

from recbole_llmdistill.cli.parallel import check_processes, free_port
from recbole_llmdistill.compat.parallel_training import end_process
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.processes import mean_over_processes

PROGRAM = Path(__file__).parents[1] / "helpers" / "parallel_program.py"

# Whole histories in one window each (40 rows, an even number: two processes share them without repeating one), nothing
# random in training: the processes then see what one process sees.
EXACT = {
    **SMALL,
    "MAX_ITEM_LIST_LENGTH": 40,
    "shuffle": False,
    "hidden_dropout_prob": 0.0,
    "attn_dropout_prob": 0.0,
    "ft_ratio": 1.0,
    "learning_rate": 0.01,
    "epochs": 5,
    "distill_epochs": 3,
    "metrics": ["NDCG", "Recall", "ItemCoverage", "GiniIndex"],
    "metric_decimal_place": 8,
}


@pytest.fixture
def outcome(tiny, tmp_path):
    """Function (number of processes, settings) -> what the program wrote."""
    table = np.load(tiny / "tiny.useremb.npz")  # ten users have no profile, so the processes count unlike numbers
    np.savez(tiny / "tiny.useremb.npz", user_id=table["user_id"][10:], user_emb=table["user_emb"][10:])

    def run(processes: int, **settings) -> dict | None:
        (tmp_path / "settings.json").write_text(json.dumps({"data_path": str(tiny.parent), **EXACT, **settings}))
        command = [sys.executable, str(PROGRAM), str(processes), "settings.json", "result.json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        result = tmp_path / "result.json"
        return json.loads(result.read_text()) if result.is_file() else None

    return run


def share_of_a_batch(rank: int, port: str, folder: str) -> None:
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2, init_method=f"tcp://localhost:{port}")
    weight = torch.tensor(1.0, requires_grad=True)
    elements = [torch.tensor([1.0, 2.0, 6.0]), torch.tensor([11.0])][rank]
    mean, count = mean_over_processes((weight * elements).mean(), len(elements))
    mean.backward()
    empty, count_of_one = mean_over_processes(torch.zeros(()) if rank else (weight * 8), 1 - rank)
    nothing, none = mean_over_processes(torch.zeros(()), 0)
    values = [mean.item(), count, weight.grad.item(), empty.item(), count_of_one, nothing.item(), none]
    Path(folder, str(rank)).write_text(json.dumps(values))
    end_process()


def test_the_mean_is_over_all_elements_and_not_of_the_means(tmp_path) -> None:
    torch.multiprocessing.spawn(share_of_a_batch, args=(free_port(), str(tmp_path)), nprocs=2)
    first, second = (json.loads((tmp_path / rank).read_text()) for rank in "01")
    for values in (first, second):
        assert values[0] == pytest.approx(20 / 4)
        assert values[1] == 4
        assert values[3:] == [pytest.approx(8), 1, 0, 0]
    assert (first[2] + second[2]) / 2 == pytest.approx(20 / 4)  # parallel training averages gradients


ENDING = """
import atexit, gc, os, sys
from torch import distributed, ones
from recbole_llmdistill.compat import parallel_training

class Unwilling:
    def __del__(self, abort=os.abort):  # bound here: what a module has imported may be cleared before its objects
        abort()  # as gloo's threads do when the interpreter is cleared up

def gloo_threads():
    names = [open(f"/proc/self/task/{thread}/comm").read() for thread in os.listdir("/proc/self/task")]
    return sum("gloo_runloop" in name for name in names)

unwilling = Unwilling()
atexit.register(print, "said at exit")
if sys.argv[1] == "gloo":
    where = f"tcp://localhost:{sys.argv[2]}"
    parallel_training._start_gloo(distributed.init_process_group, "nccl", rank=0, world_size=1, init_method=where)
    distributed.all_reduce(ones(1))
    before = gloo_threads()
    distributed.destroy_process_group()
    gc.collect()
    assert gloo_threads() >= before > 0  # one that has just begun gets its name a moment later
parallel_training._run_recboles(0, lambda rank: print("trained in process", rank))
"""


@pytest.mark.parametrize(("backend", "status"), [("gloo", 0), ("none", -signal.SIGABRT)])
def test_a_process_that_used_gloo_ends_without_clearing_up(backend: str, status: int) -> None:
    command = [sys.executable, "-c", ENDING, backend, free_port()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, done.stderr
    assert done.stdout == "trained in process 0\nsaid at exit\n"


def test_alone_a_process_gets_back_what_it_gave() -> None:
    mean = torch.tensor(3.0)
    assert mean_over_processes(mean, 5) == (mean, 5)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["SASRecDistill", "BERT4RecDistill"])
def test_two_processes_give_the_loss_curve_of_one(outcome, model: str) -> None:
    one, two = outcome(1, model=model), outcome(2, model=model)
    assert one["rows"] % 2 == 0
    assert len(one["losses"]) == 5
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-5)
    assert two["validations"] == pytest.approx(one["validations"], abs=1e-6)
    assert two["test"] == pytest.approx(one["test"], abs=1e-6)
    assert two["threads"] <= one["threads"]


@pytest.mark.slow
def test_evaluation_counts_no_user_twice(outcome, tiny) -> None:
    lines = (tiny / "tiny.inter").read_text().splitlines(keepends=True)
    (tiny / "tiny.inter").write_text("".join(line for line in lines if not line.startswith("u39\t")))
    one = outcome(1, model="SASRecDistill", evaluate_only=True, eval_batch_size=6)
    two = outcome(2, model="SASRecDistill", evaluate_only=True, eval_batch_size=6)
    assert one["test_rows"] % 2 == 1
    assert two["test"] == pytest.approx(one["test"], abs=1e-7)


@pytest.mark.slow
def test_a_parallel_run_resumes_as_if_uninterrupted(outcome, tmp_path) -> None:
    random = {"model": "SASRecDistill", "hidden_dropout_prob": 0.3, "shuffle": True}
    whole = outcome(2, checkpoint_dir="whole", **random)
    (tmp_path / "result.json").unlink()
    assert outcome(2, checkpoint_dir="half", stop_after=1, **random) is None
    resume_file = next((tmp_path / "half").glob("*.resume"))
    resumed = outcome(2, checkpoint_dir="half", distill_resume=str(resume_file), **random)
    assert resumed["losses"] == whole["losses"]
    assert resumed["weights"] == whole["weights"]
    assert resumed["test"] == whole["test"]


PROGRAM_COMMAND = [
    *(sys.executable, "-m", "recbole_llmdistill.cli.run_recbole", "--model=SASRecDistill", "--dataset=tiny"),
    *("--hidden_size=16", "--show_progress=False", "--train_batch_size=16", "--nproc=2", "--state=ERROR"),
]


def command(*arguments: str) -> subprocess.CompletedProcess:
    run = [*PROGRAM_COMMAND, "--epochs=2", *arguments]
    return subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the command refuses more processes than cores")
def test_the_command_trains_in_two_processes_and_one_alone_loads_the_result(tiny, tmp_path) -> None:
    done = command()
    assert (done.returncode, done.stderr) == (0, "")
    (checkpoint,) = (tmp_path / "saved").glob("SASRecDistill-*.pth")
    assert not list((tmp_path / "saved").glob("*.resume"))
    _config, _model, _dataset, _train, _valid, test_data = load_data_and_model(str(checkpoint))
    assert sum(len(batch[0]) for batch in test_data) == 40


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the command refuses more processes than cores")
def test_interrupted_processes_end_and_the_run_goes_on_from_there(tiny, tmp_path) -> None:
    with subprocess.Popen([*PROGRAM_COMMAND, "--epochs=2000", "--stopping_step=9999"], stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 240
        whole = "SASRecDistill-*[0-9].resume"  # a file that is being written is called *.tmp.resume
        while not (found := list((tmp_path / "saved").glob(whole))) and time.monotonic() < deadline:
            time.sleep(0.2)
        run.send_signal(signal.SIGINT)  # to the first process alone, as `kill -INT` does
        assert run.wait(timeout=60) == 130
    resumed = command(f"--distill_resume={found[0]}", "--stopping_step=9999")  # the file is whole; 2 epochs are asked
    assert resumed.returncode == 2
    assert "is of a run with other settings: epochs=2000 then, 2 now\n" in resumed.stderr


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the command refuses more processes than cores")
def test_what_a_process_refuses_is_told_in_one_line(tiny) -> None:
    np.savez(tiny / "tiny.useremb.npz", user_id=[f"x{u}" for u in range(40)], user_emb=np.ones((40, 3)))
    done = command()
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "profiles cover 0 of 40 training users" in done.stderr


def config(device: str = "cpu", batch: int = 128, gpus: str = "0") -> dict:
    return {"device": SimpleNamespace(type=device), "train_batch_size": batch, "gpu_id": gpus}


@pytest.mark.parametrize(
    ("given", "processes", "world", "message"),
    [
        (config(), 0, -1, "--nproc=0: .* at least 1"),
        (config(), 9, -1, "--nproc=9: there is no CUDA GPU and only 4 CPU cores; set at most 4"),
        (config(), 3, -1, "train_batch_size=128 is shared by 3 processes, .* set --train_batch_size=126"),
        (config(batch=1), 2, -1, "set --train_batch_size=2"),
        (config("cuda"), 2, -1, "gpu_id=0 names 1; set --gpu_id=0,1, or --gpu_id= to train on CPU cores"),
        (config(), 2, 1, "--world_size=1 counts the processes on all machines, and --nproc=2"),
        (config(), 2, 5, "shared by 5 processes"),
    ],
)
def test_unfit_numbers_of_processes_are_refused(monkeypatch, given, processes: int, world: int, message: str) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    with pytest.raises(InputError, match=message):
        check_processes(given, processes, world)


def test_fit_numbers_of_processes_are_not(monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    check_processes(config(batch=3), 1, -1)
    check_processes(config(), 4, -1)
    check_processes(config(), 2, 8)
    check_processes(config("cuda", gpus="0,1"), 2, -1)
