"""``llmdistill doctor``: one line a finding, status 1 if anything is wrong."""

import re
import subprocess
import sys
from importlib import metadata

import pytest

from recbole_llmdistill.cli import doctor
from recbole_llmdistill.cli.llmdistill import main


@pytest.fixture
def diagnose(monkeypatch, capsys):
    """Function (arguments) -> exit status and lines."""

    def run(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["llmdistill", "doctor", *arguments])
        return main(), capsys.readouterr().out.splitlines()

    return run


def test_a_good_installation(diagnose) -> None:
    status, lines = diagnose("--dataset=ml-100k")
    assert status == 0
    assert not [line for line in lines if line.startswith("WRONG")]
    assert any("RecBole knows SASRecDistill, BERT4RecDistill and" in line for line in lines)
    assert lines[-1].endswith("covers 943 of 943 training users of ml-100k")


def test_each_tested_package_has_a_line(diagnose) -> None:
    _, lines = diagnose()
    for name in doctor.tested_versions():
        assert any(f" {name} " in line for line in lines), name


def pretend(monkeypatch, name: str, version: str | None) -> None:
    real = metadata.version

    def found(package: str) -> str:
        if package != name:
            return real(package)
        if version is None:
            raise metadata.PackageNotFoundError(package)
        return version

    monkeypatch.setattr(metadata, "version", found)


@pytest.mark.parametrize(
    ("name", "version", "state", "words"),
    [
        ("numpy", "1.26.4", "WRONG", "needed is >=2; fix: pip install numpy=="),
        ("tqdm", None, "WRONG", "is not installed; fix: pip install tqdm=="),
        ("tqdm", "4.65.0", "note", "the tests ran with 4."),
        ("pandas", "4.0.0", "WRONG", "fix: pip install pandas=="),
        ("ray", None, "note", "needed only for pip install 'recbole-llmdistill[tune]'"),
        ("recbole", None, "WRONG", "is not installed; fix: pip install --no-deps recbole==1.2.1"),
        ("recbole", "1.2.0", "WRONG", "needed is ==1.2.1; fix: pip install --no-deps recbole==1.2.1"),
    ],
)
def test_another_version(diagnose, monkeypatch, name: str, version, state: str, words: str) -> None:
    pretend(monkeypatch, name, version)
    status, lines = diagnose()
    line = next(line for line in lines if line[6:].startswith(f"{name} "))
    assert line.startswith(state)
    assert words in line
    assert status == (1 if state == "WRONG" else 0)


def test_a_package_that_only_an_extra_needs(diagnose, monkeypatch) -> None:
    pretend(monkeypatch, "matplotlib", None)
    monkeypatch.setattr(doctor, "tested_versions", lambda: {"matplotlib": "3.10.0"})
    status, lines = diagnose()
    line = next(line for line in lines if " matplotlib " in line)
    assert line.startswith("note")
    assert line.endswith("needed only for pip install 'recbole-llmdistill[plot]'")
    assert status == 0


def test_another_python(diagnose, monkeypatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 0))
    status, lines = diagnose()
    assert status == 1
    assert lines[0].startswith("WRONG Python 3.10.0, needed is 3.11 or newer; fix: python3.11 -m venv")


def test_recboles_void_pins_are_all_that_pip_check_complains_of() -> None:
    """pip's own word, so that a real conflict between packages is not taken for one of RecBole's pins."""
    check = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    if "No module named pip" in check.stderr:
        pytest.skip("this environment was made without pip")
    complaints = [line for line in check.stdout.splitlines() if line != "No broken requirements found."]
    assert all(line.startswith("recbole 1.2.1 ") for line in complaints), check.stdout
    named = {line.split(" requires ")[-1].split(" has requirement ")[-1].split(",")[0] for line in complaints}
    assert {re.split("[^a-z]", name)[0] for name in named} <= set(doctor.VOID_PINS)
    noted = [str(finding) for finding in doctor.check_recboles_pins()]
    assert len(noted) == len(complaints)
    assert all(line.startswith("note") and ": void, because" in line for line in noted)


def test_a_requirement_of_recbole_that_is_not_void(monkeypatch) -> None:
    pretend(monkeypatch, "texttable", None)
    (line,) = [str(finding) for finding in doctor.check_recboles_pins() if "texttable" in finding.text]
    assert line.startswith("WRONG")
    assert line.endswith("fix: pip install 'texttable>=0.9.0'")


def test_profiles_of_another_split(diagnose) -> None:
    status, lines = diagnose("--dataset=ml-100k", "--user_inter_num_interval=[100,inf)")
    assert status == 1
    assert "another training split" in lines[-1]


def test_a_data_set_without_profiles(diagnose, tiny) -> None:
    (tiny / "tiny.useremb.npz").unlink()
    status, lines = diagnose("--dataset=tiny")
    assert status == 1
    assert "no profiles for dataset 'tiny'" in lines[-1]


def test_a_missing_data_set(diagnose) -> None:
    status, lines = diagnose("--dataset=nope")
    assert status == 1
    assert "data set 'nope'" in lines[-1]
