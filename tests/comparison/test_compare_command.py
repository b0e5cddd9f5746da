"""The command: makes what is missing, once; bad input is one line; a model that fails ends nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recbole_llmdistill.comparison.results import Run
from recbole_llmdistill.comparison.run.processes import Job, run_jobs


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_makes_missing_runs_once_and_writes_everything(command, tmp_path) -> None:
    out = tmp_path / "out"
    # KSR wants a knowledge graph, so it cannot be run; everything else goes on.
    models = ["--dataset=tiny", "--models=SASRecDistill,KSR", f"--out={out}"]
    status, text, error = command(*models, "--seeds=1", "--controls=shuffled")
    assert (status, error) == (1, "")
    assert "tiny: 40 test cases; 4 arms with 1 seed are 4 runs: 0 are in" in text
    assert [record["label"] for record in records(out)] == [
        *("SASRec (whole sequences)", "SASRecDistill", "SASRecDistill, profiles shuffled", "KSR"),
    ]
    done = {record["label"]: record for record in records(out) if record["status"] == "done"}
    assert "KSR" not in done
    reason = next(record["reason"] for record in records(out) if record["label"] == "KSR")
    markdown = (out / "tables" / "comparison.md").read_text().replace("\\", "")
    assert f"KSR: no result ({reason})." in markdown
    for record in done.values():
        assert record["config"]["epochs"] == 2
        assert record["data"]["dataset"] == "tiny"
        assert record["peak_memory_mib"] > 50
        assert record["code"]["torch"]
        assert record["epochs"] == len(record["valid_scores"]) == 2
    assert "Distilled against its controls" in text
    page = (out / "comparison.html").read_text()
    assert "Who gains: SASRecDistill against SASRec (whole sequences)" in page
    assert "http" not in page.split("<script>")[0]  # it needs no network
    assert (out / "comparison.svg").read_text().startswith("<?xml")
    assert {path.name for path in (out / "tables").iterdir()} == {
        *("comparison.md", "comparison.tex", "accuracy.csv", "changes.csv", "controls.csv", "costs.csv"),
        *("beyond_accuracy.csv", "gains.csv"),
    }
    assert not (out / "scratch").exists()
    assert not Path("saved").exists()

    before = (out / "results.jsonl").read_text()
    # One seed more, one model less: only the new seed's runs are made, and nothing old is touched.
    status, text, _ = command("--dataset=tiny", "--models=SASRecDistill", f"--out={out}", "--seeds=2", "--jobs=2")
    assert status == 0
    assert "4 runs: 2 are in" in text
    assert "2 to be made, 2 at a time" in text
    after = (out / "results.jsonl").read_text()
    assert after.startswith(before)
    assert {(record["label"], record["seed"]) for record in records(out)[4:]} == {
        *(("SASRec (whole sequences)", 1), ("SASRecDistill", 1)),
    }

    status, text, _ = command("--dataset=tiny", "--models=SASRecDistill", f"--out={out}", "--seeds=2")
    assert "0 to be made" in text
    assert (out / "results.jsonl").read_text() == after

    # A model that has not been run is no row of the changes, and nothing is run.
    status, text, _ = command("--dataset=tiny", "--models=SASRecDistill,GRU4Rec", f"--out={out}", "--report-only")
    assert status == 0
    assert "SASRecDistill  SASRec (whole sequences)  NLL" in text
    assert "GRU4Rec" not in text.split("Change against the baseline")[1].split("What it costs")[0]
    assert (out / "results.jsonl").read_text() == after


def test_the_old_name_of_vectors_is_understood_with_a_hint(command, tmp_path) -> None:
    given = ["--dataset=tiny", "--models=SASRecDistill", f"--out={tmp_path / 'out'}", "--profiles=a=nowhere"]
    status, _, error = command(*given)
    assert status == 2
    assert error.splitlines() == [
        "hint: --profiles NAME=PATH is now called --vectors NAME=PATH",
        "error: SASRecDistill, a: vectors_path: nowhere does not exist",
    ]


def one_line(result: tuple[int, str, str]) -> str:
    status, _, error = result
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models=SASRecDistil"], "--models: unknown model 'SASRecDistil'; nearest: SASRecDistill, SASRec"),
        (["--models=SASRec", "--metrics=['NDGC']"], "There is no metric named 'NDGC'"),
        (["--models=SASRec", "--valid_metric=NDCG@7"], "valid_metric='NDCG@7' is not among the metrics"),
        (["--models=SASRecDistill", "--distill_los=mse"], "did you mean 'distill_loss'?"),
        (["--models=SASRecDistill", "--vectors_path=nowhere"], "SASRecDistill: vectors_path: nowhere does not exist"),
        (["--models=SASRecDistill", "--vectors=a=nowhere"], "SASRecDistill, a: vectors_path: nowhere does not exist"),
        (["--models=SASRecDistill", "--vectors=nowhere"], "--vectors: nowhere is not written NAME=PATH"),
        (["--models=SASRecDistill", "--settings-of=SASRec=x.yaml"], "--settings-of SASRec: this model is not among"),
        (["--models=SASRec", "--settings-of=SASRec=x.yaml"], "x.yaml: No such file or directory"),
        (["--models=SASRec", "--config_files=x.yaml"], "x.yaml: No such file or directory"),
        (["--models="], "--models=[]: tuple should have at least 1 item"),
        (["--models=SASRec", "--seeds=0"], "--seeds=0: input should be greater than or equal to 1"),
        (["--models=SASRec", "--seed=3"], "did you mean --seeds?"),
        (["--models=SASRec", "--baselin=GRU4Rec"], "did you mean --baseline?"),
        (["--models=SASRec", "--baseline=GRU4Rec"], "no arm is called 'GRU4Rec'; nearest: SASRec (prefixes)"),
        (
            ["--models=SASRec", "--eval_args={'order': 'TO', 'mode': 'uni100'}"],
            "a comparison ranks all items, so set mode: full",
        ),
        (["--models=SASRec", "--dataset=nope"], "data set 'nope': there is no folder dataset/nope"),
    ],
)
def test_bad_input(command, tmp_path, arguments: list[str], message: str) -> None:
    given = ["--dataset=tiny", f"--out={tmp_path / 'out'}", "--seeds=1", *arguments]
    assert message in one_line(command(*given))
    assert not (tmp_path / "out").exists()


def test_profiles_of_another_split_are_refused_before_anything_is_run(command, tiny, tmp_path) -> None:
    (tiny / "manifest.json").write_text('{"training_fingerprint": "sha256:0"}')
    given = ["--dataset=tiny", "--models=SASRecDistill", f"--out={tmp_path / 'out'}"]
    assert "written from another training split" in one_line(command(*given))


def test_when_nothing_succeeds(command, tmp_path) -> None:
    given = ["--dataset=tiny", "--models=KSR", f"--out={tmp_path / 'out'}", "--seeds=3"]
    assert "no run has succeeded; KSR: " in one_line(command(*given))
    assert len(records(tmp_path / "out")) == 1  # further seeds of an arm that failed are not tried


def test_a_process_that_breaks_says_why(tmp_path) -> None:
    def scratch(run: Run) -> Path:
        folder = tmp_path / run.name
        folder.mkdir()
        return folder

    jobs = [Job(Run("broken", "0", 0), {"model": "SASRec"})]
    running = run_jobs(jobs, 1, scratch, lambda run: tmp_path / f"{run.name}.log", lambda run: True)
    _, result = next(running)
    assert result["status"] == "failed"
    assert result["reason"].startswith("KeyError: 'dataset'")
    running.close()


@pytest.mark.slow
def test_interrupted_killed_and_resumed(tiny, tmp_path) -> None:
    def start(epochs: int) -> subprocess.Popen:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "recbole_llmdistill.cli.llmdistill", "compare", "--dataset=tiny"),
                *("--models=SASRecDistill", f"--out={tmp_path / 'out'}", "--seeds=1", "--hidden_size=16"),
                *("--load_col={'inter':['user_id','item_id','timestamp']}", f"--epochs={epochs}"),
                "--stopping_step=1000000",
            ],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A shell's background job ignores Ctrl-C, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def runs_alive() -> list[str]:
        found = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in found.splitlines() if "run.worker" in line and str(tmp_path) in line]

    def wait_for(condition) -> None:
        for _ in range(600):
            if condition():
                return
            time.sleep(0.1)
        pytest.fail("it did not happen within a minute")

    process = start(100_000)
    wait_for(runs_alive)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.strip().splitlines()[-1] == "interrupted"
    assert not runs_alive()

    process = start(100_000)
    wait_for(runs_alive)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for(lambda: not runs_alive())  # they notice that the command is gone

    process = start(1)
    text, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert "2 runs: 0 are in" in text
    assert len(records(tmp_path / "out")) == 2


@pytest.mark.slow
def test_ml_100k_for_real(monkeypatch, capsys, tmp_path) -> None:
    """Real data and profiles: a run is what ``run_recbole`` prints, and distillation changes the result."""
    from recbole.quick_start import run_recbole

    from recbole_llmdistill.cli import llmdistill

    command = ["--dataset=ml-100k", "--models=SASRecDistill", "--seeds=2", f"--out={tmp_path / 'out'}", "--epochs=3"]
    monkeypatch.setattr(sys, "argv", ["llmdistill", "compare", *command])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as this process has: sums in another order are other sums
    assert llmdistill.main() == 0
    by_arm: dict[str, list[dict]] = {}
    for record in records(tmp_path / "out"):
        by_arm.setdefault(record["label"], []).append(record["test"])
    assert len(by_arm["SASRec (whole sequences)"]) == len(by_arm["SASRecDistill"]) == 2
    monkeypatch.setattr(sys, "argv", ["run_recbole"])
    settings = {
        "epochs": 3, "seed": 1, "metrics": ["Recall", "NDCG", "MRR"], "topk": [5, 10, 20], "show_progress": False,
        "state": "ERROR",
    }  # fmt: skip
    expected = run_recbole(model="SASRecDistill", dataset="ml-100k", config_dict=settings)["test_result"]
    for name, value in expected.items():
        assert by_arm["SASRecDistill"][1][name] == pytest.approx(value, abs=0.51e-4)
    assert by_arm["SASRecDistill"] != by_arm["SASRec (whole sequences)"]
    assert "of 2" in capsys.readouterr().out
