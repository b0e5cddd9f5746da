"""Shared by all tests."""

import sys

import pytest

import recbole_llmdistill  # noqa: F401  (registers the models)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    """RecBole writes log/ and saved/ into the working folder, and reads the command line of any process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pytest"])
