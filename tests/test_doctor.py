"""``llmdistill doctor``: one line a finding, status 1 if anything is wrong."""

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
    assert any("RecBole knows SASRecDistill, BERT4RecDistill" in line for line in lines)
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
        ("numpy", "2.1.0", "WRONG", "needed is"),
        ("ray", None, "WRONG", "is not installed; mend: pip install ray==2.6.3"),
        ("pandas", "2.2.0", "note", "the tests ran with 2.3.3"),
        ("setuptools", "81.0.0", "WRONG", "mend: pip install setuptools=="),
    ],
)
def test_another_version(diagnose, monkeypatch, name: str, version, state: str, words: str) -> None:
    pretend(monkeypatch, name, version)
    status, lines = diagnose()
    line = next(line for line in lines if f" {name} " in line)
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
    monkeypatch.setattr(doctor.sys, "version_info", (3, 13, 0))
    status, lines = diagnose()
    assert status == 1
    assert lines[0].startswith("WRONG Python 3.13.0, needed is 3.11; mend: python3.11 -m venv")


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
