"""A model of one's own is distilled into here and in every process that comes of this one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from recbole.model.abstract_recommender import ContextRecommender
from recbole.model.sequential_recommender import STAMP
from recbole.utils import get_model

from recbole_llmdistill import distill
from recbole_llmdistill.config.model_names import model_names
from recbole_llmdistill.config.recbole_config import build_config
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.own_models import VARIABLE, resolve
from recbole_llmdistill.registry import MODELS

EXAMPLE = Path(__file__).parents[1] / "examples" / "own_model.py"
SETTINGS = ["--embedding_size=16", "--epochs=2", "--distill_epochs=1", "--show_progress=False"]

SPAWNED = """
import multiprocessing, sys
import mine
from recbole.utils import get_model

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(get_model, ("RecentMeanDistill",)) is mine.RecentMean)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch) -> Path:
    """The example as a module ``mine`` in the working folder, and an environment that no test has written to."""
    monkeypatch.setenv(VARIABLE, "")
    shutil.copy(EXAMPLE, tmp_path / "mine.py")
    return tmp_path


@pytest.fixture(autouse=True)
def forgotten() -> None:
    yield
    MODELS.pop("RecentMeanDistill", None)
    sys.modules.pop("mine", None)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_the_example_is_short() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.strip() and not line.startswith(('"""', "#"))]
    assert len(lines) < 30


def test_a_spawned_process_knows_it(mine) -> None:
    (mine / "program.py").write_text(SPAWNED)
    done = run("program.py")
    assert done.stdout.split() == ["True"], done.stderr[-2000:]


def test_the_command_line_takes_module_and_class(mine, tiny) -> None:
    done = run(
        "-m", "recbole_llmdistill.cli.run_recbole", "--model=mine:RecentMean", "--dataset=tiny",
        f"--data_path={tiny.parent}", *SETTINGS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Stage one until epoch 0" in done.stderr
    assert list(Path("saved").glob("RecentMeanDistill-*.pth"))


@pytest.mark.slow
def test_compare_runs_it_in_its_workers(mine, tiny) -> None:
    done = run(
        "-m", "recbole_llmdistill.cli.llmdistill", "compare", "--models=mine.py:RecentMean", "--dataset=tiny",
        "--seeds=2", "--out=table", f"--data_path={tiny.parent}", "--profile_split_check=warn", *SETTINGS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "RecentMeanDistill" in Path("table/tables/comparison.md").read_text()


def test_the_environment_can_name_it(mine) -> None:
    program = "import recbole_llmdistill; from recbole.utils import get_model; print(get_model('RecentMeanDistill'))"
    done = run("-c", program, **{VARIABLE: "mine:RecentMean"})
    assert "mine.RecentMeanDistill" in done.stdout, done.stderr[-2000:]


def test_a_file_that_trains_when_imported_is_told(mine) -> None:
    (mine / "loose.py").write_text(EXAMPLE.read_text().replace('if __name__ == "__main__":\n    run', "run"))
    done = run("-c", "import recbole_llmdistill", **{VARIABLE: "loose.py:RecentMean"})
    assert "loose.py:RecentMean: its file trains as soon as it is imported" in done.stderr


def test_distilling_twice_is_distilling_once() -> None:
    once = distill(STAMP)
    assert once is get_model("STAMPDistill")
    assert distill(once) is once


def test_options_reach_other_processes(mine, monkeypatch) -> None:
    text = EXAMPLE.read_text().replace("@distill\n", "")
    (mine / "plain.py").write_text(text)
    monkeypatch.syspath_prepend(str(mine))
    import plain

    model = distill(plain.RecentMean, states_from="item_embedding")
    assert issubclass(model, DistillationModel)
    assert model.poolings() == ["mean", "exponential", "attention", "last", "output"]
    assert json.loads(os.environ[VARIABLE]) == [
        ["plain:RecentMean", {"states_from": "item_embedding", "causal": False}]
    ]
    program = (
        "import recbole_llmdistill; from recbole.utils import get_model; "
        "print(get_model('RecentMeanDistill').states_from)"
    )
    assert run("-c", program).stdout.strip() == "item_embedding"


@pytest.mark.parametrize("what", [str, ContextRecommender, "SASRec", None.__class__])
def test_what_is_no_recommender_of_users_is_refused(what: object) -> None:
    with pytest.raises(InputError, match=r"distill\("):
        distill(what)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:Model", "nowhere cannot be imported"),
        ("nowhere.py:Model", "there is no file"),
        ("json:Missing", "json has no class Missing"),
        ("json:JSONEncoder", r"distill\(JSONEncoder\)"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(name)


def test_a_model_of_ones_own_is_listed_and_configured(mine, tiny, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(mine))
    assert resolve("mine:RecentMean") == "RecentMeanDistill"
    assert "RecentMeanDistill" in model_names()
    config = build_config("RecentMeanDistill", "tiny", None, {"data_path": str(tiny.parent), "embedding_size": 16})
    assert (config["distill_pooling"], config["sequence_training"]) == ("output", "prefix")
