"""The command ``run_recbole``: trains as RecBole's own script does, and tells bad input in one line with status 2."""

import sys

import numpy as np
import pytest

from recbole_llmdistill.cli.run_recbole import main


@pytest.fixture
def run(tiny, monkeypatch, capsys):
    """Function (arguments) -> exit status and standard error."""

    def run_command(*arguments: str) -> tuple[int, str]:
        small = ["--epochs=1", "--hidden_size=16", "--show_progress=False", "--state=ERROR"]
        monkeypatch.setattr(sys, "argv", ["run_recbole", *arguments, *small])
        status = main()
        return status, capsys.readouterr().err

    return run_command


@pytest.mark.parametrize("model", ["SASRecDistill", "BERT4RecDistill"])
def test_trains_saves_loads_and_tests(run, tmp_path, model: str) -> None:
    status, error = run(f"--model={model}", "--dataset=tiny")
    assert (status, error) == (0, "")
    assert len(list((tmp_path / "saved").glob(f"{model}-*.pth"))) == 1


def test_short_flags_and_config_files(run, tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("learning_rate: 0.01\n")
    (tmp_path / "b.yaml").write_text("dataset: tiny\n")
    assert run("-m", "SASRecDistill", "--config_files", "a.yaml b.yaml") == (0, "")


def one_line(status: int, error: str) -> str:
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=SASRecDistil", "--dataset=tiny"], "unknown model 'SASRecDistil'; nearest: SASRecDistill, SASRec"),
        (["--model=sasrec", "--dataset=tiny"], "unknown model 'sasrec'; nearest: SASRec"),
        (["--model=SASRecDistill"], "dataset need to be specified"),
        (["--model=SASRecDistill", "--dataset=nope"], "data set 'nope': there is no folder dataset/nope"),
        (["--model=SASRecDistill", "--dataset=tiny", "more"], "argument 'more' is not understood"),
        (["--model=SASRecDistill", "--dataset=tiny", "--config_files=no.yaml"], "no.yaml: No such file or directory"),
        (["--model=SASRecDistill", "--dataset=tiny", "--distill_los=mse"], "did you mean 'distill_loss'?"),
        (["--model=SASRecDistill", "--dataset=tiny", "--distill_layer=2"], "allowed are 0 to 1, or -2 to -1"),
        (
            ["--model=SASRecDistill", "--dataset=tiny", "--distill_bridge=none"],
            "hidden_size=16 dimensions",
        ),
        (["--model=SASRecDistill", "--dataset=tiny", "--vectors_path=nowhere"], "vectors_path: nowhere does not exist"),
        (["--model=SASRecDistill", "--dataset=tiny", "--valid_metric=NDCG@7"], "valid_metric='NDCG@7'"),
        (["--model=SASRecDistill", "--dataset=tiny", "--metrics=['Nice']"], "There is no metric named 'Nice'"),
        (["--model=SASRecDistill", "--dataset=tiny", "--nproc=99"], "--nproc=99: there is no CUDA GPU and only"),
        (
            ["--model=SASRecDistill", "--dataset=tiny", "--distill_resume=x.resume"],
            "x.resume does not exist",
        ),
        (["--model=SASRecDistill", "--dataset=tiny", "--distill_warm_start=x.pth"], "checkpoint x.pth does not exist"),
        (["--model=SASRecDistill", "--dataset=tiny", "--loss_type=BPR"], "sequence_training=prefix"),
    ],
)
def test_bad_arguments(run, arguments: list[str], message: str) -> None:
    assert message in one_line(*run(*arguments))


def test_bad_yaml(run, tmp_path) -> None:
    for content, message in {
        "epochs: 2\nlearner: [adam\n": "bad.yaml, line 3: ",
        "": "bad.yaml: expected settings",
        "- 1\n": "bad.yaml: expected settings",
    }.items():
        (tmp_path / "bad.yaml").write_text(content)
        error = one_line(*run("--model=SASRecDistill", "--dataset=tiny", "--config_files=bad.yaml"))
        assert message in error


def test_bad_yaml_beside_the_data(run, tiny) -> None:
    (tiny / "tiny.yaml").write_text("load_col: {inter: [user_id\n")
    assert "tiny.yaml, line 2: " in one_line(*run("--model=SASRecDistill", "--dataset=tiny"))


def test_a_folder_without_interactions(run, tiny) -> None:
    (tiny / "tiny.inter").unlink()
    assert "there is no tiny.inter in" in one_line(
        *run("--model=SASRec", "--dataset=tiny", "--train_neg_sample_args=None")
    )


def test_no_profiles(run, tiny) -> None:
    (tiny / "tiny.useremb.npz").unlink()
    error = one_line(*run("--model=SASRecDistill", "--dataset=tiny"))
    assert "no profiles for dataset 'tiny'" in error
    assert "distill_alpha=0" in error
    assert run("--model=SASRecDistill", "--dataset=tiny", "--distill_alpha=0")[0] == 0
    assert run("--model=SASRecDistill", "--dataset=tiny", "--distill_epochs=0")[0] == 0


def test_no_item_vectors(run) -> None:
    error = one_line(*run("--model=SASRecDistill", "--dataset=tiny", "--item_knowledge=residual"))
    assert "looked for tiny.itememb and tiny.itememb.npz" in error
    assert "item_knowledge=none" in error
    without_texts = ["--item_knowledge=init", "--item_control=cooccurrence"]
    assert run("--model=SASRecDistill", "--dataset=tiny", *without_texts)[0] == 0


def test_profiles_with_nan(run, tiny) -> None:
    vectors = np.ones((40, 3))
    vectors[7, 1] = np.nan
    np.savez(tiny / "tiny.useremb.npz", user_id=[f"u{u}" for u in range(40)], user_emb=vectors)
    assert "the vector of user 'u7'" in one_line(*run("--model=SASRecDistill", "--dataset=tiny"))


def test_profiles_of_other_users(run, tiny) -> None:
    np.savez(tiny / "tiny.useremb.npz", user_id=[f"x{u}" for u in range(40)], user_emb=np.ones((40, 3)))
    assert "cover 0 of 40 training users" in one_line(*run("--model=SASRecDistill", "--dataset=tiny"))


def test_interrupted_by_the_user(run, monkeypatch) -> None:
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("recbole_llmdistill.training.checks.check_vectors", interrupt)
    assert run("--model=SASRecDistill", "--dataset=tiny") == (130, "interrupted\n")
