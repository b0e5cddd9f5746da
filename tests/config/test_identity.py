"""A setting that changes nothing refuses no continuation, repeats no run and makes no other search."""

import pytest

from recbole_llmdistill.comparison.plan.arm_config import _identity
from recbole_llmdistill.config.identity import NOTHING, identity
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.training.resume import _NEEDED, check_same_run


def test_of_settings_that_change_nothing_there_may_be_others(configure) -> None:
    then, now = configure(), configure()
    checked = {"profile_item_fields": ["title"], "profile_interaction_fields": ["rating"], "profile_text_length": 99}
    for key in NOTHING - {"use_gpu"}:
        now.final_config_dict[key] = {**checked, "sequence_data_cache": False}.get(key, "another")
    check_same_run({**dict.fromkeys(_NEEDED, 0), "config": then}, now, "run.resume")
    assert _identity(then, None) == _identity(now, None)
    assert identity(then.final_config_dict) == identity(now.final_config_dict)


@pytest.mark.parametrize(
    ("key", "value"),
    [("sequence_data_cache", False), ("show_progress", True), ("checkpoint_dir", "elsewhere"), ("worker", 1)],
)
def test_as_a_user_sets_it(configure, key: str, value: object) -> None:
    then, now = configure(), configure(**{key: value})
    assert then[key] != now[key]
    check_same_run({**dict.fromkeys(_NEEDED, 0), "config": then}, now, "run.resume")
    assert _identity(then, None) == _identity(now, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [("distill_alpha", 0.25), ("hidden_size", 32), ("sequence_order", "recbole"), ("eval_exclude_seen", True)],
)
def test_one_that_counts_is_another_run(configure, key: str, value: object) -> None:
    then, now = configure(), configure(**{key: value})
    assert _identity(then, None) != _identity(now, None)
    with pytest.raises(InputError, match=f"{key}=.* then, {value!r} now"):
        check_same_run({**dict.fromkeys(_NEEDED, 0), "config": then}, now, "run.resume")
