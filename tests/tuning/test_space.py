"""Search spaces: both file formats, against NumPy's and Ray's own ideas of the distributions; bad files in one line."""

import math

import numpy as np
import pytest
from ray import tune

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.registry import MODELS
from recbole_llmdistill.tuning.space_check import check_space, shipped_space
from recbole_llmdistill.tuning.space_file import read_space

YAML = """
# a comment
learning_rate: {loguniform: [1e-4, 1e-2]}
hidden_dropout_prob:
  uniform: [0.1, 0.5]
hidden_size: {quniform: [32, 128, 32]}
distill_epochs: {quniform: [0.1, 0.5, 0.1]}
clip_grad_norm: {choice: [~, {max_norm: 0.5}]}
mlp_hidden_size: {choice: [[64, 64], [128]]}
"""
RECBOLE = f"""
learning_rate loguniform {math.log(1e-4)!r},{math.log(1e-2)!r}
hidden_dropout_prob uniform 0.1, 0.5
hidden_size quniform 32,128,32
distill_epochs quniform 0.1,0.5,0.1

# a comment
clip_grad_norm choice [None, {{'max_norm': 0.5}}]
mlp_hidden_size choice ['[64, 64]', '[128]']
"""


@pytest.fixture
def spaces(tmp_path):
    """The same space from a yaml file and from RecBole's format."""
    (tmp_path / "space.yaml").write_text(YAML)
    (tmp_path / "space.hyper").write_text(RECBOLE)
    return read_space(tmp_path / "space.yaml"), read_space(tmp_path / "space.hyper")


def test_both_formats_describe_the_same_space(spaces) -> None:
    from_yaml, from_text = spaces
    assert list(from_yaml.distributions) == list(from_text.distributions)
    for key, distribution in from_yaml.distributions.items():
        other = from_text.distributions[key]
        assert type(other) is type(distribution)
        for mine, theirs in zip(distribution.extremes(), other.extremes(), strict=True):
            assert mine == (pytest.approx(theirs) if isinstance(mine, float) else theirs)


def draws(space, key: str, count: int = 300) -> list:
    domain = space.domains()[key]
    random = np.random.RandomState(3)
    return [space.distributions[key].decode(domain.sample(random_state=random)) for _ in range(count)]


def test_draws_are_what_ray_draws(spaces) -> None:
    for space in spaces:
        random = np.random.RandomState(3)
        expected = [tune.loguniform(1e-4, 1e-2).sample(random_state=random) for _ in range(300)]
        assert draws(space, "learning_rate") == pytest.approx(expected)
        assert draws(space, "hidden_dropout_prob") == list(np.random.RandomState(3).uniform(0.1, 0.5, 300))


def test_every_value_is_drawn_and_no_other(spaces) -> None:
    for space in spaces:
        sizes = draws(space, "hidden_size")
        assert set(sizes) == {32, 64, 96, 128}
        assert all(isinstance(size, int) for size in sizes)
        assert set(draws(space, "distill_epochs")) == {0.1, 0.2, 0.3, 0.4, 0.5}
        clipping = draws(space, "clip_grad_norm")
        assert clipping.count(None) + clipping.count({"max_norm": 0.5}) == 300
        assert 100 < clipping.count(None) < 200
        assert {tuple(layers) for layers in draws(space, "mlp_hidden_size")} == {(64, 64), (128,)}
        rates = draws(space, "learning_rate")
        assert min(rates) > 1e-4
        assert max(rates) < 1e-2
        assert 100 < sum(rate < 1e-3 for rate in rates) < 200  # half of the orders of magnitude


def test_real_intervals_reach_both_ends_of_a_range(spaces) -> None:
    for space in spaces:
        assert set(space.real_domains()) == {"learning_rate", "hidden_dropout_prob", "hidden_size", "distill_epochs"}
        size, rate = space.distributions["hidden_size"], space.distributions["learning_rate"]
        assert [size.from_real(point) for point in (32.0, 47.9, 48.1, 128.0)] == [32, 32, 64, 128]
        low, high = rate.real_interval()
        assert rate.from_real(low) == pytest.approx(1e-4)
        assert rate.from_real(high) == pytest.approx(1e-2)
        assert rate.from_real((low + high) / 2) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", "x: 1\ny: {uniform: [0.5, 0.1]}\n", "a.yaml, line 1: x: expected one of choice, uniform"),
        ("a.yaml", "\ny: {uniform: [0.5, 0.1]}\n", "a.yaml, line 2: y: uniform [0.5, 0.1]: its lower end 0.5 is not"),
        ("a.yaml", "y: {uniform: [0.5, 0.5]}\n", "its lower end 0.5 is not below its upper end 0.5"),
        ("a.yaml", "y: {uniform: [0.5]}\n", "uniform takes 2 numbers (low, high), found 1"),
        ("a.yaml", "y: {uniform: [0.1, much]}\n", "high='much': input should be a valid number"),
        ("a.yaml", "y: {uniform: [0.1, .inf]}\n", "high=inf: input should be a finite number"),
        ("a.yaml", "y: {loguniform: [0, 1]}\n", "low=0: input should be greater than 0"),
        ("a.yaml", "y: {quniform: [1, 10, 3]}\n", "1 is not a multiple of the step 3"),
        ("a.yaml", "y: {quniform: [0, 10, 0]}\n", "step=0: input should be greater than 0"),
        ("a.yaml", "y: {normal: [0, 1]}\n", "'normal' is none of choice, uniform, quniform, loguniform"),
        ("a.yaml", "y: {choice: []}\n", "list should have at least 1 item"),
        ("a.yaml", "y: {choice: [1, 2, 1]}\n", "1 stands there twice"),
        ("a.yaml", "y: {choice: [1]}\ny: {choice: [2]}\n", "line 2: the key 'y' stands there twice"),
        ("a.yaml", "y: [1\n", "a.yaml, line 2: "),
        ("a.yaml", "", "expected settings"),
        ("a.hyper", "# nothing\n", "a.hyper: no setting to search"),
        ("a.hyper", "x choice [1]\ny uniform\n", "a.hyper, line 2: expected a setting, a distribution and its values"),
        ("a.hyper", "y uniform 1,b\n", "a.hyper, line 1: y: 'b' is no number"),
        ("a.hyper", "y choice [adam]\n", "is no list of numbers and quoted strings"),
        ("a.hyper", "y choice __import__('os').getcwd()\n", "is no list of numbers and quoted strings"),
        (
            "a.hyper",
            "y loguniform 0.0001,0.01\n",
            "are natural logarithms, as RecBole reads them; for values from 0.0001",
        ),
        ("a.hyper", "y loguniform 1,1e9\n", "is too large"),
        ("a.test", "y uniform 2,1\n", "a.test, line 1: y: uniform"),
    ],
)
def test_bad_files(tmp_path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as caught:
        read_space(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path) -> None:
    for name in ("no.yaml", "no.hyper"):
        with pytest.raises(InputError, match=f"{name}: No such file"):
            read_space(tmp_path / name)
    (tmp_path / "latin.hyper").write_bytes("é".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.hyper: not a text file in UTF-8"):
        read_space(tmp_path / "latin.hyper")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "lerning_rate: {uniform: [0.1, 0.2]}",
            "unknown setting 'lerning_rate' of SASRecDistill; nearest: learning_rate",
        ),
        ("xyzzy: {uniform: [0.1, 0.2]}", "no known one is similar"),
        ("valid_metric: {choice: [NDCG@10, MRR@10]}", "valid_metric cannot be searched: all trials are measured alike"),
        ("hidden_size: {choice: [16, 32]}", "--hidden_size=16: space.yaml searches hidden_size"),
        ("distill_alpha: {uniform: [0.5, 1.5]}", "distill_alpha=1.5: input should be less than or equal to 1"),
        ("distill_pooling: {choice: [mean, maen]}", "did you mean 'mean'?"),
    ],
)
def test_spaces_that_do_not_fit_the_model(configure, tmp_path, content: str, message: str) -> None:
    (tmp_path / "space.yaml").write_text(content)
    space = read_space(tmp_path / "space.yaml")
    with pytest.raises(InputError) as caught:
        check_space(space, (tmp_path / "space.yaml").relative_to(tmp_path), configure(), {"hidden_size": 16})
    assert message in str(caught.value)


@pytest.mark.parametrize("model", list(MODELS))
def test_every_distilled_model_has_a_space_that_fits_it(configure, model: str) -> None:
    path = shipped_space(model)
    check_space(read_space(path), path, configure(model), {})


def test_every_shipped_space_is_some_models() -> None:
    assert {shipped_space(model) for model in MODELS} == set(properties("search").glob("*.yaml"))


def test_a_model_without_a_shipped_space() -> None:
    with pytest.raises(InputError, match=r"no search space comes with BPR .only with distilled models.; give"):
        shipped_space("BPR")
