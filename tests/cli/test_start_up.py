"""What a command does not need is not imported; whatever else imports the package has its models."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "recbole.config", "ray", "transformers", "openai", "sklearn")


def imported(code: str, *names: str) -> list[str]:
    """Which of the modules a fresh process has imported after running ``code``."""
    code += f"\nimport sys; print('imported', [name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return eval(done.stdout.rpartition("imported ")[2])


def command(*arguments: str) -> str:
    """Code that runs ``llmdistill`` as its script does."""
    return (
        f"import sys, llmdistill_commands\nsys.argv = {['llmdistill', *arguments]!r}\n"
        "try: status = llmdistill_commands.llmdistill()\nexcept SystemExit as end: status = end.code\n"
        "assert not status, status"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        *(
            [name, "--help"]
            for name in ("generate", "encode", "reduce", "tune", "compare", "recommend", "export", "serve")
        ),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_that_takes_seconds(arguments: list[str]) -> None:
    assert imported(command(*arguments), *HEAVY, "pandas", "polars") == []


def test_convert_describe_and_merge_import_neither_torch_nor_recbole(tmp_path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu,i,1400000000\nu,j,1400000001\n")
    for number, name in enumerate(("one", "two"), start=1):
        (tmp_path / name).mkdir()
        manifest = {"dataset": "shop", "training_fingerprint": "sha256:ab", "shard": f"{number}/2", "users": 2}
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
        (tmp_path / name / "profiles.jsonl").write_text(json.dumps({"user_id": name, "profile": "Likes tea."}) + "\n")
    for arguments in (
        ["convert", "csv", "--input", "log.csv", "--out", "dataset/shop"],
        ["describe", "shop"],
        ["merge", "one", "two", "--out", "all"],
    ):
        assert imported(command(*arguments), *HEAVY) == [], arguments


def test_importing_the_package_registers_and_leaves_out_what_few_runs_need() -> None:
    found = imported(
        "import recbole_llmdistill\nfrom recbole.utils import get_model\nget_model('SASRecDistill')",
        *("torch", "ray", "transformers", "openai", "polars", "plotly", "matplotlib"),
    )
    assert found == ["torch"]


def test_a_process_that_merely_imports_a_commands_script_has_the_models() -> None:
    """As processes do that multiprocessing spawns: they import the script that started the command."""
    imported(
        "import llmdistill_commands, recbole_llmdistill\n"
        "from recbole.utils import get_model\nget_model('SASRecDistill')"
    )
