"""Fields that say the same in several languages, such as ``title_de`` and ``title_en``: an LLM needs one of them."""

import re
from collections.abc import Iterable

# Without those that are an English word or an abbreviation at the end of a field's name as well, such as "id" or "no".
_LANGUAGES = (
    "en|de|fr|es|it|pt|nl|pl|cs|sk|sl|hr|sr|hu|ro|bg|ru|uk|el|tr|sv|da|fi|nb|nn|et|lv|lt|he|fa|hi|bn|ja|zh|ko|vi|th|kk"
    "|eng|ger|deu|fra|fre|spa|ita|por|rus|jpn|chi|zho|kor|english|german|french|spanish|italian|portuguese|russian"
    "|japanese|chinese|korean|dutch|polish|turkish|original|orig"
)
_SUFFIX = re.compile(rf"^(.+?)[_.\- ]({_LANGUAGES})(?:[_\-][a-z]{{2}})?$", re.IGNORECASE)
_PREFIX = re.compile(rf"^({_LANGUAGES})[_.\- ](.+)$", re.IGNORECASE)
_ENGLISH = ("en", "eng", "english")


def language_variants(fields: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Which of the text fields are to be shown, and the others that speak where the shown one is empty.

    Of fields that differ by a language in their name alone the English one is shown, as prompts ask for English; else
    the one without a language, else the first.

    Returns:
        Shown field -> fields that say the same in another language, often none.
    """
    groups: dict[str, list[tuple[int, str]]] = {}
    for field in fields:
        stem, language = _parse(field)
        rank = 0 if language in _ENGLISH else 1 if language is None else 2
        groups.setdefault(stem, []).append((rank, field))
    shown = {}
    for variants in groups.values():
        first, *others = (field for _, field in sorted(variants, key=lambda variant: variant[0]))
        shown[first] = tuple(others)
    return shown


def _parse(field: str) -> tuple[str, str | None]:
    """Name without the language, and the language."""
    if match := _SUFFIX.match(field):
        return match[1].lower(), match[2].lower()
    if match := _PREFIX.match(field):
        return match[2].lower(), match[1].lower()
    return field.lower(), None
