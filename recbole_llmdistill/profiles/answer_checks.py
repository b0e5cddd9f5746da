"""Which answers are profiles, and which profiles say too much."""

import re
from collections.abc import Iterable
from dataclasses import replace

from recbole_llmdistill.formats.answer_text import read_answer_text
from recbole_llmdistill.profiles.llm.protocol import Answer, RequestFailed

# How models begin when they decline; only the beginning counts, since a profile may well say "cannot".
_REFUSAL = re.compile(
    r"\W*(i(’|')?m sorry\b|i am sorry\b|sorry,|i can(’|')?t\b|i cannot\b|i(’|')?m (not able|unable)\b"
    r"|i am (not able|unable)\b|i won(’|')?t\b|as an ai\b|unfortunately, i\b)",
    re.IGNORECASE,
)
# How models begin to think, if nothing marks it as a thought; likewise.
_THOUGHT = re.compile(
    r"\W*((okay|ok|alright|hmm|so|first|well|wait)\W+(so\W+|now\W+)?"
    r"(let me (analy[sz]e|think|start|go through|look|break|see|parse|try)|let(’|')?s (analy[sz]e|think|start)"
    r"|i (need|have) to|we need to|the user (wants|asks|is asking|has (given|provided)))\b"
    r"|we (need|have) to (write|produce|create|craft|output|generate|build|describe|summari[sz]e)\b"
    r"|let me (analy[sz]e|think|start by|go through)\b|hmm\b)",
    re.IGNORECASE,
)
_LONGEST = 2_000_000
"""Characters of an answer; no model writes more in one."""
_CUT_OFF = ("abort", "cancelled", "canceled", "error", "engine_error", "insufficient_system_resource", "timeout")
"""How servers say that they broke an answer off."""
_HOW_TO_THINK = (
    "raise --max-tokens, switch the model's thinking off, or start the server with its reasoning parser (vLLM: "
    "--reasoning-parser)"
)
_ARTICLE_LAST = re.compile(r"^(?P<title>.+), (The|A|An|Le|La|Les|L'|Il|El|Der|Die|Das)(?P<rest>( \(.*\))?)$")
_WORDS = re.compile(r"[^\w]+")
_SHORTEST_TITLE = 4


def check_answer(answer: Answer, min_words: int) -> Answer:
    """The answer with the text of the profile alone, if it can serve as one.

    Args:
        answer: what came back, thoughts and special tokens included.
        min_words: fewest words.

    Raises:
        RequestFailed: it is empty, cut off, a thought, a refusal or too short; it has the answer as it came.
    """
    if len(answer.text) > _LONGEST:
        raise RequestFailed("too_long", f"the answer has {len(answer.text):,} characters", answer)
    found = read_answer_text(answer.text)
    text = found.text
    _check_finished(answer, text, found.thought, found.unfinished)
    if not text:
        if answer.reasoning or found.thought:
            raise RequestFailed("empty", f"the model thought and answered nothing; {_HOW_TO_THINK}", answer)
        raise RequestFailed("empty", "the answer has no text", answer)
    if _THOUGHT.match(text):
        raise RequestFailed("thought", f"the answer reads like a thought: {_one_line(text)!r}; {_HOW_TO_THINK}", answer)
    if _REFUSAL.match(text):
        raise RequestFailed("refused", _one_line(text), answer)
    if (words := len(text.split())) < min_words:
        raise RequestFailed("too_short", f"{words} words, a profile has at least {min_words}", answer)
    return answer if text == answer.text.strip() else replace(answer, text=text)


def _check_finished(answer: Answer, text: str, thought: bool, unfinished: bool) -> None:
    if answer.finish_reason == "content_filter":
        raise RequestFailed("refused", "the server's content filter stopped the answer", answer)
    if answer.finish_reason in _CUT_OFF:
        raise RequestFailed("truncated", f"the server broke the answer off ({answer.finish_reason})", answer)
    if unfinished or (answer.finish_reason == "length" and not text and (thought or answer.reasoning)):
        raise RequestFailed("truncated", f"the model's thought does not end; {_HOW_TO_THINK}", answer)
    if answer.finish_reason == "length":
        spent = ", of which its thoughts are a part" if thought or answer.reasoning else ""
        raise RequestFailed("truncated", f"the answer reached its most tokens{spent}; raise --max-tokens", answer)


def _one_line(text: str) -> str:
    return " ".join(text[:200].split())


def named_titles(text: str, titles: Iterable[str]) -> list[str]:
    """Those of ``titles`` that ``text`` names.

    Titles of several words are found in any case and whatever stands between the words; titles of one word only as
    they are written, because "heat" or "alien" are words of their own. Shorter than four characters: never.
    """
    flat = f" {_flatten(text)} "
    found = []
    for title in titles:
        name = _usual_order(title)
        if len(name) < _SHORTEST_TITLE:
            continue
        words = _flatten(name)
        if " " in words:
            named = f" {words} " in flat
        else:
            named = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
        if named:
            found.append(title)
    return found


def _usual_order(title: str) -> str:
    """``Usual Suspects, The (1995)`` without article and brackets, since a text may leave both out."""
    if match := _ARTICLE_LAST.match(title):
        title = match["title"]
    return re.sub(r"\s*\([^()]*\)\s*$", "", title).strip()


def _flatten(text: str) -> str:
    return _WORDS.sub(" ", text.casefold()).strip()
