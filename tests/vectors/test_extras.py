"""Optional packages: where one is missing, one line names the extra, and all else works."""

import sys
from importlib import metadata

import pytest

from recbole_llmdistill.cli import doctor
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.vectors.encoders.protocol import ENCODERS
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS
from recbole_llmdistill.vectors.reducers.umap import UMAPOptions


def made(choice):
    return choice.part.make(choice.model, choice.options)


@pytest.mark.parametrize(
    ("package", "extra", "build"),
    [
        ("sentence_transformers", "encoders", lambda: made(ENCODERS.choose("all-MiniLM-L6-v2", {}))),
        ("openai", "llm", lambda: made(ENCODERS.choose("openai:m", {"base_url": "http://127.0.0.1:1"}))),
        ("umap", "encoders", lambda: REDUCERS.choose("umap", {}).part.make(UMAPOptions())),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, package: str, extra: str, build) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "recbole_llmdistill.servers.http_client", raising=False)
    with pytest.raises(InputError, match=rf"pip install 'recbole-llmdistill\[{extra}\]'") as caught:
        build()
    assert "\n" not in str(caught.value)


def test_doctor_tells_optional_packages_from_needed_ones(monkeypatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name in ("umap-learn", "scipy"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    findings = {finding.text.split()[0]: finding for finding in doctor.check_packages()}
    assert findings["umap-learn"].state == "note"
    assert "recbole-llmdistill[encoders]" in findings["umap-learn"].text
    assert findings["scipy"].state == "WRONG"
