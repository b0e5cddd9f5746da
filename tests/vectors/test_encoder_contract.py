"""What every encoder has to keep, and one that a stranger adds."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from part_contract import check_declaration, drop_module

from recbole_llmdistill.formats.vectors import read_profile_file
from recbole_llmdistill.vectors import encoders
from recbole_llmdistill.vectors.encoders.protocol import ENCODERS

TEXTS = [f"text {n} of a person who likes {'drama' if n % 2 else 'horror'} and film {n % 5}" for n in range(20)]


@pytest.fixture
def choose(embeddings_server, request):
    """Function name -> the encoder of that name, with a small model where it needs one."""

    def make(name: str):
        given, options = name, {}
        if name == "openai":
            given, options = "openai:tiny", {"base_url": embeddings_server.url}
        if name == "sentence-transformers":
            given = str(request.getfixturevalue("sentence_encoder"))
        if name == "tfidf":
            options = {"dimensions": 4}
        choice = ENCODERS.choose(given, options)
        return choice.part.make(choice.model, choice.options)

    return make


@pytest.mark.parametrize("name", ENCODERS.parts())
def test_declaration(name: str) -> None:
    check_declaration(ENCODERS.parts()[name])


@pytest.mark.parametrize("name", ENCODERS.parts())
def test_every_text_has_its_vector_whatever_the_batch(choose, name: str) -> None:
    encoder = choose(name)
    assert encoder.batch_size >= 1
    assert encoder.concurrency >= 1
    json.dumps(encoder.settings(), allow_nan=False)
    encoder.fit(TEXTS)
    whole = encoder.encode(TEXTS)
    assert whole.vectors.dtype == np.float32
    assert whole.vectors.shape[0] == len(TEXTS)
    assert whole.long_texts == 0
    assert math.isfinite(float(np.abs(whole.vectors).sum()))
    for row in (0, 7):
        np.testing.assert_allclose(encoder.encode([TEXTS[row]]).vectors[0], whole.vectors[row], atol=1e-4)
    again = choose(name)
    again.fit(TEXTS)
    np.testing.assert_array_equal(again.encode(TEXTS).vectors, whole.vectors)
    assert again.settings() == encoder.settings()


def test_one_that_a_stranger_adds(tmp_path: Path, monkeypatch, llmdistill, write_profiles) -> None:
    drop_module(
        monkeypatch,
        encoders,
        tmp_path / "more",
        "lengths",
        """
import numpy as np
from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.vectors.encoders.protocol import EncodedTexts, Encoder


class LengthsOptions(Options):
    powers: int = Field(2, ge=1, description="powers of the length")


class Lengths(Encoder):
    name = "lengths"
    title = "the lengths of the texts"
    Options = LengthsOptions

    @classmethod
    def make(cls, model, options):
        return LengthsEncoder(options.powers)


class LengthsEncoder:
    batch_size, concurrency = 3, 1

    def __init__(self, powers):
        self.powers = powers

    def settings(self):
        return {"encoder": "lengths", "powers": self.powers}

    def fit(self, texts):
        pass

    def encode(self, texts):
        return EncodedTexts(np.array([[len(text) ** p for p in range(1, self.powers + 1)] for text in texts], "f4"))
""",
    )
    texts = {str(user): "x" * user for user in range(1, 9)}
    arguments = ["encode", "-d", "ml-100k", "--profiles", write_profiles(texts), "--out", tmp_path / "v"]
    status, _, err = llmdistill(*arguments, "--encoder", "lengths", "--powers", 3)
    assert status == 0, err
    table = read_profile_file(tmp_path / "v" / "ml-100k.useremb.npz")
    lengths = table.tokens.astype(int)
    np.testing.assert_array_equal(table.vectors[:, 0], np.stack([lengths, lengths**2, lengths**3], 1))
    status, _, err = llmdistill(*arguments, "--powers", 3)
    assert status == 2
    assert "--powers means nothing to --encoder=tfidf" in err
    status, _, err = llmdistill(*arguments, "--encoder", "lengths", "--powers", 0)
    assert status == 2
    assert "--powers=0: input should be greater than or equal to 1" in err
