"""Ray is an extra: all but ``tune`` and ``--ray`` works without it, and where it is, it is imported when it is used."""

import os
import subprocess
import sys

import pytest

HIDDEN = """
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run(program: str, *arguments: str, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True, text=True, timeout=200, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr[-3000:]
    return done


def test_ray_is_imported_when_it_is_used_and_gets_one_dictionary() -> None:
    run(
        "import recbole_llmdistill, sys\n"
        "from recbole.quick_start import quick_start\n"
        "quick_start.tune.report(**{'ndcg@10': 0.5})  # no trial runs here, so there is nobody to report to\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'ray']\n"
        "from ray import tune\n"
        "seen = []\n"
        "tune.report = seen.append\n"
        "quick_start.tune.report(**{'ndcg@10': 0.5})  # as RecBole's objective_function does\n"
        "assert seen == [{'ndcg@10': 0.5}]\n"
    )


@pytest.mark.parametrize(
    "imports",
    [
        "import recbole_llmdistill, ray.tune",
        pytest.param("import ray.tune, recbole_llmdistill", marks=pytest.mark.slow),
        pytest.param("import ray, recbole_llmdistill", marks=pytest.mark.slow),
        pytest.param("import recbole.quick_start, recbole_llmdistill", marks=pytest.mark.slow),
        "from recbole.quick_start import objective_function; import recbole_llmdistill",
    ],
)
def test_ray_is_ray_in_whatever_order_it_is_imported(imports: str) -> None:
    run(
        f"{imports}\n"
        "import ray, sys, importlib.util\n"
        "from ray import tune\n"
        "from recbole.quick_start import quick_start\n"
        "assert ray.__file__ and tune.Tuner and sys.modules['ray.tune'] is tune is ray.tune\n"
        "assert quick_start.tune.Tuner is tune.Tuner\n"
        "from ray import cloudpickle\n"
        "assert cloudpickle.loads(cloudpickle.dumps(quick_start.objective_function))\n"
    )


def test_without_ray_a_model_is_trained_and_recboles_quick_start_can_be_imported(tiny) -> None:
    program = HIDDEN + (
        "sys.argv[1:] = ['--model=SASRecDistill', '--dataset=tiny', f'--data_path={sys.argv[1]}', '--epochs=1',"
        " '--hidden_size=16', '--show_progress=False']\n"
        "from recbole_llmdistill.cli.run_recbole import main\n"
        "import recbole.quick_start\n"
        "sys.exit(main())\n"
    )
    assert "test result" in run(program, str(tiny.parent)).stderr


COMMANDS = """
from recbole_llmdistill.cli.llmdistill import main
for command in (
    "tune --model=SASRecDistill --dataset=tiny",
    "generate -d tiny --llm=none:summary --out=out --ray=local",
    "encode -d tiny --profiles=p --out=out --ray=local",
):
    sys.argv = ["llmdistill", *command.split()]
    assert main() == 2
"""


def test_without_ray_what_needs_it_names_the_extra() -> None:
    assert run(HIDDEN + COMMANDS).stderr.splitlines() == [
        "error: a search needs Ray (ray): pip install 'recbole-llmdistill[tune]'",
        "error: --ray needs Ray (ray): pip install 'recbole-llmdistill[cluster]'",
        "error: --ray needs Ray (ray): pip install 'recbole-llmdistill[cluster]'",
    ]
