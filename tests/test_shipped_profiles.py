"""The texts and vectors of ml-100k that ship with the package: made of what they are said to be made of."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from recbole.config import Config
from recbole.data import create_dataset
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recbole_llmdistill.files import resources
from recbole_llmdistill.formats.entity import ITEMS, USERS
from recbole_llmdistill.formats.profile_texts import read_profile_texts
from recbole_llmdistill.formats.vectors import read_profile_file

SHIPPED = resources.properties("profiles", "ml-100k")
VECTORS = ("ml-100k.useremb.npz", "ml-100k.itememb.npz")
MANIFESTS = ("manifest.json", "items.manifest.json")


@pytest.mark.slow
def test_the_script_rebuilds_the_shipped_vectors(tmp_path, monkeypatch) -> None:
    import runpy

    shutil.copytree(SHIPPED.parent.parent, tmp_path / "properties")
    folder = tmp_path / "properties" / "profiles" / "ml-100k"
    for name in VECTORS + MANIFESTS:
        (folder / name).unlink()
    monkeypatch.setattr(resources, "checkout", lambda: tmp_path)
    monkeypatch.setattr(sys, "argv", ["rebuild_shipped_profiles.py", "ml-100k"])
    runpy.run_path(str(SHIPPED.parents[2] / "run_scripts" / "rebuild_shipped_profiles.py"), run_name="__main__")
    for name, of in zip(VECTORS, (USERS, ITEMS), strict=True):
        rebuilt, shipped = (read_profile_file(path / name, of) for path in (folder, SHIPPED))
        assert rebuilt.tokens.tolist() == shipped.tokens.tolist()
        np.testing.assert_allclose(rebuilt.vectors, shipped.vectors, atol=1e-4)
    for name in MANIFESTS:
        assert json.loads((folder / name).read_text()) == json.loads((SHIPPED / name).read_text())


def test_every_user_has_a_profile_of_this_split() -> None:
    part, _, _ = create_dataset(Config("SASRecDistill", "ml-100k")).build()
    users = set(part.field2id_token["user_id"][1:])
    assert set(read_profile_file(SHIPPED / "ml-100k.useremb.npz").tokens) == users
    assert set(read_profile_texts(SHIPPED / "profiles.jsonl").tokens) == users
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


def test_every_item_has_a_description_and_a_vector_of_its_fields() -> None:
    config = Config("SASRecDistill", "ml-100k")
    rows = (Path(config["data_path"]) / "ml-100k.item").read_text().splitlines()[1:]
    items = [row.split("\t")[0] for row in rows]
    descriptions = read_profile_texts(SHIPPED / "items.jsonl", ITEMS)
    assert descriptions.tokens == items
    assert (descriptions.text_of >= 0).all()
    table = read_profile_file(SHIPPED / "ml-100k.itememb.npz", ITEMS)
    assert table.tokens.tolist() == items
    cells = [row.split("\t") for row in rows]
    fields = [f"title: {title}\nyear: {year}\ngenres: {genres}" for _, title, year, genres in cells]
    counts = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(list(dict.fromkeys(fields)))
    svd = TruncatedSVD(64, algorithm="arpack", random_state=0).fit(counts.transform(dict.fromkeys(fields)))
    np.testing.assert_allclose(table.vectors[:, 0], svd.transform(counts.transform(fields)), atol=1e-4)
    manifest = json.loads((SHIPPED / "items.manifest.json").read_text())
    assert (manifest["of"], manifest["items"], manifest["encoder"]["views"]) == ("items", 1682, ["fields"])
