"""What of an answer is the profile: texts as models and servers are known to send them."""

import pytest

from recbole_llmdistill.formats.answer_text import read_answer_text, without_thought
from recbole_llmdistill.profiles.answer_checks import check_answer
from recbole_llmdistill.profiles.llm.protocol import Answer, RequestFailed

PROFILE = "Preferences: drama.\nLikes [old] films <3 & more."


@pytest.mark.parametrize(
    "answer",
    [
        "<think>hm</think>\n\n{}",
        "<think>\n\n</think>\n\n{}",  # Qwen3 with its thinking switched off
        "<THINK effort='high'>hm\n</Think >{}",
        "hm hm</think>\n{}",  # the template begins the thought
        "<thinking>x</thinking>{}",
        "<reasoning>x</reasoning>\n{}",
        "<thought>x</thought>\n{}",
        "<|begin_of_thought|>x<|end_of_thought|>\n<|begin_of_solution|>{}<|end_of_solution|>",
        "[THINK]x[/THINK]{}",
        "<seed:think>a<seed:cot_budget_reflect>b</seed:cot_budget_reflect></seed:think>{}",
        "<think>a<think>b</think>c</think>{}",
        "<think>It should end with </think> and then</think>{}",
        "<think/>{}",
        "<|think|>a<|/think|>{}",
        "◁think▷a◁/think▷{}",
        "&lt;think&gt;a&lt;/think&gt;{}",
        "\\u003cthink\\u003ea\\u003c/think\\u003e{}",
        "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
        "<|channel>thought\nhm<channel|>{}",
        "<unused94>thought\nhm<unused95>{}",
        "Here is my thought process: hm. Here is my response:\n{}",
        "<|channel|>analysis<|message|>We need<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
        "We need<|end|><|start|>assistant<|channel|>final<|message|>{}",
        "analysisWe need to write.assistantfinal{}",  # special tokens dropped by the server
        "<think>a</think><answer>{}</answer>",
        "So drama it is. <answer>{}</answer>",
    ],
)
def test_thoughts_are_taken_out(answer: str) -> None:
    found = read_answer_text(answer.replace("{}", PROFILE))
    assert (found.text, found.thought, found.unfinished) == (PROFILE, True, False)


@pytest.mark.parametrize(
    "answer",
    [
        "{}<|eot_id|>",
        "{}<|im_end|>\n<|im_start|>user\nMore",
        "<|im_start|>assistant\n{}<|im_end|>",
        "{}</s>",
        "<start_of_turn>model\n{}<end_of_turn>\n",
        "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
        "{}<｜end▁of▁sentence｜>",
        "assistant\n\n{}",
        "```\n{}\n```",
        "```text\n{}\n```\n",
        "~~~\n{}\n~~~",
        "```\n{}",
        "```markdown\n<profile>{}</profile>\n```<|eot_id|>",
        "\x00{}\x1b",
        "  {}\n",
    ],
)
def test_what_stands_around_a_profile_goes(answer: str) -> None:
    found = read_answer_text(answer.replace("{}", PROFILE))
    assert (found.text, found.thought) == (PROFILE, False)


@pytest.mark.parametrize(
    "text",
    [
        PROFILE,
        "He is thinking of <b>bold</b> things, and of [reasoning].",
        "<thinker>a</thinker>",
        "Likes `code` and\n```\nx\n```\nmuch else.",
        "Final words: analysis of drama, channel 4.",
    ],
)
def test_all_else_stays(text: str) -> None:
    assert read_answer_text(text).text == text
    assert without_thought(f"{text}\n") == f"{text}\n"  # a file's texts are changed for a thought alone


@pytest.mark.parametrize(
    "answer",
    [
        "<think>Okay, the user",
        f"{PROFILE}<think>wait",
        f"<think>a</think>{PROFILE}<think>b",
        "[THINK]hm",
        "<|channel|>analysis<|message|>We need",
        "<|channel|>analysis<|message|>We need<|end|><|start|>assistant<|channel|>final",
        "analysisWe need",
        "Here is my thought process: hm.",
    ],
)
def test_a_thought_that_does_not_end_is_no_profile(answer: str) -> None:
    with pytest.raises(RequestFailed, match="--reasoning-parser") as failure:
        check_answer(Answer(answer, "stop", 1, 1), 0)
    assert failure.value.reason == "truncated"
    assert failure.value.answer.text == answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("<think>all of it</think>", "stop", 1, 1), "empty"),
        (Answer("", "stop", 1, 1, reasoning="all of it"), "empty"),
        (Answer("", "length", 1, 1, reasoning="all of it"), "truncated"),
        (Answer("Okay, so I need to write a profile of this person.", "stop", 1, 1), "thought"),
        (Answer("We need to produce a paragraph of 100 words.", "stop", 1, 1), "thought"),
        (Answer(PROFILE, "abort", 1, 1), "truncated"),
        (Answer("x" * 3_000_000, "stop", 1, 1), "too_long"),
    ],
)
def test_what_is_left_is_checked(answer: Answer, reason: str) -> None:
    with pytest.raises(RequestFailed) as failure:
        check_answer(answer, 1)
    assert failure.value.reason == reason


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert read_answer_text("a \ud83d b").text == "a ? b"
