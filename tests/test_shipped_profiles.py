"""The profiles of ml-100k that ship with the package: made of the texts, and of the split that RecBole makes."""

import json
import shutil
import sys

import numpy as np
import pytest
from recbole.config import Config
from recbole.data import create_dataset

from recbole_llmdistill.files import resources
from recbole_llmdistill.formats.profile_texts import read_profile_texts
from recbole_llmdistill.formats.vectors import read_profile_file

SHIPPED = resources.properties("profiles", "ml-100k")


@pytest.mark.slow
def test_the_script_rebuilds_the_shipped_vectors(tmp_path, monkeypatch) -> None:
    import runpy

    shutil.copytree(SHIPPED.parent.parent, tmp_path / "properties")
    folder = tmp_path / "properties" / "profiles" / "ml-100k"
    (folder / "ml-100k.useremb.npz").unlink()
    (folder / "manifest.json").unlink()
    monkeypatch.setattr(resources, "checkout", lambda: tmp_path)
    monkeypatch.setattr(sys, "argv", ["rebuild_shipped_profiles.py", "ml-100k"])
    runpy.run_path(str(SHIPPED.parents[2] / "run_scripts" / "rebuild_shipped_profiles.py"), run_name="__main__")
    rebuilt, shipped = (read_profile_file(f / "ml-100k.useremb.npz") for f in (folder, SHIPPED))
    assert rebuilt.user_tokens.tolist() == shipped.user_tokens.tolist()
    np.testing.assert_allclose(rebuilt.vectors, shipped.vectors, atol=1e-4)
    assert json.loads((folder / "manifest.json").read_text()) == json.loads((SHIPPED / "manifest.json").read_text())


def test_every_user_has_a_profile_of_this_split() -> None:
    part, _, _ = create_dataset(Config("SASRecDistill", "ml-100k")).build()
    users = set(part.field2id_token["user_id"][1:])
    assert set(read_profile_file(SHIPPED / "ml-100k.useremb.npz").user_tokens) == users
    assert set(read_profile_texts(SHIPPED / "profiles.jsonl").user_tokens) == users
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    assert manifest["training_fingerprint"] == part.training_fingerprint()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"user_id": "1"}', "line 2: expected"),
        ("not json", "line 2: expected"),
        ('{"user_id": "0", "profile": "b"}', "line 2: user '0' has a profile already"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path, line: str, message: str) -> None:
    from recbole_llmdistill.errors import InputError

    path = tmp_path / "profiles.jsonl"
    path.write_text('{"user_id": "0", "profile": "a"}\n' + line + "\n")
    with pytest.raises(InputError, match=message):
        read_profile_texts(path)
