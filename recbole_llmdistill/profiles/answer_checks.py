"""Which answers are profiles, and which profiles say too much."""

import re
from collections.abc import Iterable

from recbole_llmdistill.profiles.backends.protocol import Answer, RequestFailed

# How models begin when they decline; only the beginning counts, since a profile may well say "cannot".
_REFUSAL = re.compile(
    r"\W*(i(’|')?m sorry\b|i am sorry\b|sorry,|i can(’|')?t\b|i cannot\b|i(’|')?m (not able|unable)\b"
    r"|i am (not able|unable)\b|i won(’|')?t\b|as an ai\b|unfortunately, i\b)",
    re.IGNORECASE,
)
_ARTICLE_LAST = re.compile(r"^(?P<title>.+), (The|A|An|Le|La|Les|L'|Il|El|Der|Die|Das)(?P<rest>( \(.*\))?)$")
_WORDS = re.compile(r"[^\w]+")
_SHORTEST_TITLE = 4


def check_answer(answer: Answer, min_words: int) -> Answer:
    """The answer, if it can serve as a profile.

    Args:
        answer: what came back.
        min_words: fewest words.

    Raises:
        RequestFailed: it is empty, cut off, a refusal or too short.
    """
    text = answer.text.strip()
    if answer.finish_reason == "content_filter":
        raise RequestFailed("refused", "the server's content filter stopped the answer", answer)
    if answer.finish_reason == "length":
        raise RequestFailed("truncated", "the answer reached its most tokens; raise --max-tokens", answer)
    if not text:
        raise RequestFailed("empty", "the answer has no text", answer)
    if _REFUSAL.match(text):
        raise RequestFailed("refused", text[:200].replace("\n", " "), answer)
    if (words := len(text.split())) < min_words:
        raise RequestFailed("too_short", f"{words} words, a profile has at least {min_words}", answer)
    return answer


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
