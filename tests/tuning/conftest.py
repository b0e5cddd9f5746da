"""A search that all tests of searches start from."""

import pytest
from on_ray import SPACE


@pytest.fixture
def arguments(tiny, tmp_path) -> list[str]:
    """A search over SASRecDistill on the tiny data set, whose space is in ``space.yaml``."""
    (tmp_path / "space.yaml").write_text(SPACE)
    return [
        *("--model=SASRecDistill", "--dataset=tiny", "--space=space.yaml", "--out=found", "--concurrency=1"),
        *(f"--data_path={tiny.parent}", "--hidden_size=16", "--train_batch_size=16"),
    ]
