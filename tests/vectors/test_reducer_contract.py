"""What every reduction has to keep, and one that a stranger adds."""

import json
from pathlib import Path

import numpy as np
import pytest
from part_contract import check_declaration, drop_module

from recbole_llmdistill.formats.vectors import read_profile_file, write_binary
from recbole_llmdistill.vectors import reducers
from recbole_llmdistill.vectors.reducers.protocol import REDUCERS, ReducerOptions

VECTORS = np.random.default_rng(0).normal(size=(40, 9)).astype(np.float32)
SLOW = {"umap"}  # its functions are compiled on first use
ALL = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in REDUCERS.parts()]


@pytest.mark.parametrize("name", REDUCERS.parts())
def test_declaration(name: str) -> None:
    check_declaration(REDUCERS.parts()[name])
    assert issubclass(REDUCERS.parts()[name].Options, ReducerOptions)


@pytest.mark.parametrize("name", ALL)
def test_shapes_and_repetition(name: str) -> None:
    part = REDUCERS.parts()[name]
    options = {"dimensions": 4} if "dimensions" in part.Options.model_fields else {}
    reducer = part.make(REDUCERS.choose(name, options).options)
    json.dumps(reducer.settings(), allow_nan=False)
    learnt = reducer.fit_transform(VECTORS)
    assert learnt.dtype == np.float32
    assert learnt.shape == (40, options.get("dimensions", 9))
    assert np.isfinite(learnt).all()
    assert reducer.transform(VECTORS[:5]).shape == (5, learnt.shape[1])
    assert reducer.explained_variance is None or 0 < reducer.explained_variance <= 1
    again = part.make(REDUCERS.choose(name, options).options)
    np.testing.assert_array_equal(again.fit_transform(VECTORS), learnt)
    assert again.settings() == reducer.settings()


def test_one_that_a_stranger_adds(tmp_path: Path, monkeypatch, llmdistill) -> None:
    drop_module(
        monkeypatch,
        reducers,
        tmp_path / "more",
        "leading",
        """
from pydantic import Field

from recbole_llmdistill.vectors.reducers.protocol import Reduction, SizedReducerOptions


class LeadingOptions(SizedReducerOptions):
    skip: int = Field(0, ge=0, description="values to skip")


class Leading(Reduction):
    name = "leading"
    title = "the leading values"
    Options = LeadingOptions

    @classmethod
    def make(cls, options):
        return LeadingReducer(options)


class LeadingReducer:
    explained_variance = None

    def __init__(self, options):
        self.kept = slice(options.skip, options.skip + options.dimensions)

    def settings(self):
        return {"skip": self.kept.start}

    def fit_transform(self, vectors):
        return self.transform(vectors)

    def transform(self, vectors):
        return vectors[:, self.kept]
""",
    )
    full = tmp_path / "full"
    full.mkdir()
    write_binary(full / "x.useremb.npz", [str(user) for user in range(40)], VECTORS)
    arguments = ["reduce", "-d", "x", "--vectors", full, "--out", tmp_path / "out", "--dimensions", 2, "--skip", 3]
    status, _, err = llmdistill(*arguments, "--method", "leading", "--no-standardize")
    assert status == 0, err
    found = read_profile_file(tmp_path / "out" / "x.useremb.npz").vectors[:, 0]
    np.testing.assert_array_equal(found, VECTORS[:, 3:5])
    status, _, err = llmdistill(*arguments)
    assert status == 2
    assert "--skip means nothing to --method=pca" in err
