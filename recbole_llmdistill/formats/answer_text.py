"""What of an LLM's answer is the profile: the text without thoughts, marks of chat templates, and code fences.

Models that reason write their thoughts before the answer, and only some servers take them apart. Here this is done for
every back end, after the answer has arrived and before anything is made of it.
"""

import re
from dataclasses import dataclass

_LEFT = r"(?:<|&lt;|\\u003c|＜|◁)"
_RIGHT = r"(?:>|&gt;|\\u003e|＞|▷)"
_NAME = (
    r"(?:[a-z]{1,12}[:_])?(?:think(?:ing)?(?:[_-]?process)?|thoughts?|reasoning|reflection|scratch_?pad"
    r"|inner_monologue)"
)
_MARK = re.compile(
    # <|begin_of_thought|>, <|END_THINKING|>, <|thinking_start|>
    rf"<[|｜](?:(?P<before>begin|start|end)_(?:of_)?{_NAME}|{_NAME}_(?P<after>begin|start|end))[|｜]>"
    # <think>, </think>, <thinking effort="high">, <seed:think>, <|think|>
    rf"|{_LEFT}\|?\s{{0,9}}(?P<slash>/?)\s{{0,9}}{_NAME}(?P<attributes>[\s/|][^<>]{{0,200}}?)?{_RIGHT}"
    # [THINK], [/THINK] of Mistral
    r"|\[(?P<square_slash>/?)(?:think|thinking|(?-i:THOUGHTS?|REASONING))\]"
    # <|channel>thought ... <channel|> of Gemma 4, <unused94>thought ... <unused95> of MedGemma
    r"|(?P<gemma_open><\|channel>\s{0,9}(?:thought|thinking|analysis)\b|<unused94>(?:thought\b)?)"
    r"|(?P<gemma_close><channel\|>|<unused95>)",
    re.IGNORECASE,
)
# Models that announce their thoughts in words: Granite, Apriel.
_ANNOUNCED = (
    (
        re.compile(r"\s*here(?: is|['’]s) my thought process:", re.I),
        re.compile(r"here(?: is|['’]s) my response:", re.I),
    ),
    (re.compile(r"\s*here are my reasoning steps:", re.I), re.compile(r"\[BEGIN FINAL RESPONSE\]")),
)
# The channels of gpt-oss ("harmony"), as they are and as a server leaves them that drops special tokens.
_CHANNEL = re.compile(r"<\|channel\|>\s*(?P<name>\w+)[^<]{0,200}(?:<\|constrain\|>[^<]{0,200})?<\|message\|>")
_CHANNEL_MARK = re.compile(r"<\|(?:start|end|message|channel|constrain|return|call)\|>|<\|?channel\|?>|<unused9[45]>")
_CHANNEL_ENDS = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_BARE_FINAL = "assistantfinal"
_BARE_ANALYSIS = re.compile(r"\s*(?:assistant)?(?:analysis|commentary)(?=[A-Z\"“'*(])")
_BARE_ROLE = re.compile(r"\s*(?:final(?=[A-Z])|(?:assistant|model)[ \t]*\n)")

_ANSWER_MARK = re.compile(
    r"<[|｜](?:begin|start|end)_(?:of_)?(?:solution|response|answer|box)[|｜]>|<(?:pad|unk|unused\d+)>|\[PAD\]"
    r"|\[(?:BEGIN|END) FINAL RESPONSE\]",
    re.IGNORECASE,
)
"""Stand around or within an answer, and are left out."""
_TURN = r"(?:<[|｜][^<>\n]{1,40}[|｜]>|</?s>|<(?:bos|eos|start_of_turn|end_of_turn)>|\[/?INST\]|\[(?:EOS|BOS)\])"
_TURN_MARK = re.compile(_TURN)
_TURN_BEGINS = re.compile(rf"\s*(?:{_TURN}\s*(?:(?:assistant|model)[ \t]*(?=\n|<|$)\s*)?)+")
_ANSWER_TAG = re.compile(r"<(?P<slash>/?)(?:final_)?answer>", re.IGNORECASE)
_WRAPPERS = "answer|final_answer|output|response|profile|user_profile|solution|final"
_WRAPPER_BEGINS = re.compile(rf"\s*<(?:{_WRAPPERS})>", re.IGNORECASE)
_WRAPPER_ENDS = re.compile(rf"</(?:{_WRAPPERS})>\Z", re.IGNORECASE)
_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})[ \t]*[\w+.-]*[ \t]*")
_BRACKET = re.compile(r"[<\[＜◁&\\]")
"""Without one there is no mark: the common case, told quickly."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class AnswerText:
    """An answer's text.

    Attributes:
        text: what is left; stripped.
        thought: whether a thought was taken out.
        unfinished: a thought begins and does not end, so that there is no profile; ``text`` is empty.
    """

    text: str
    thought: bool = False
    unfinished: bool = False


UNFINISHED = AnswerText("", thought=True, unfinished=True)


def without_thought(text: str) -> str:
    """A finished profile without the thought that an older version left in it; every other text as it is."""
    found = read_answer_text(text)
    return found.text if found.thought else text


def is_mark(token: str) -> bool:
    """Whether a special token says what is a thought and what is the answer, so that it must not be dropped unread."""
    return _MARK.fullmatch(token) is not None or _CHANNEL_MARK.fullmatch(token) is not None


def read_answer_text(answer: str) -> AnswerText:
    """The text that an answer was to be, without thoughts, special tokens and fences around it.

    A thought whose end alone is there was begun by the chat template: all before it goes. What follows a special token
    that ends a turn is another turn, and goes as well.

    Args:
        answer: as the model gave it.
    """
    text = _CONTROL.sub("", answer.encode("utf-8", "replace").decode())
    thought = False
    for remove in (_without_channels, _without_announced_thoughts, _without_marked_thoughts):
        left = remove(text)
        if left is None:
            return UNFINISHED
        thought = thought or left != text
        text = left
    if (inside := _inside_answer_tag(text)) is not None and not _WRAPPER_BEGINS.match(text):
        text, thought = inside, True  # what stands before the tag is how the model got there
    for _ in range(4):  # a fence within tags within a fence
        left = _without_fence(_without_wrapper(_first_turn(text))).strip()
        if left == text:
            break
        text = left
    return AnswerText(text, thought)


def _without_channels(text: str) -> str | None:
    """The final channel of gpt-oss; None: it is not there."""
    if "<|channel|>" in text:
        final = None
        for channel in _CHANNEL.finditer(text):
            if channel["name"] == "final":
                ends = _CHANNEL_ENDS.search(text, channel.end())
                final = text[channel.end() : ends.start() if ends else None]
        return final
    if "<|message|>" in text:
        return text.rsplit("<|message|>", 1)[1]
    if _BARE_FINAL in text:
        return text.rsplit(_BARE_FINAL, 1)[1]
    return None if _BARE_ANALYSIS.match(text) else text


def _without_announced_thoughts(text: str) -> str | None:
    for begins, ends in _ANNOUNCED:
        if begins.match(text):
            end = ends.search(text)
            return text[end.end() :] if end else None
    return text


def _without_marked_thoughts(text: str) -> str | None:
    """All that is not between marks; None: the last thought does not end.

    An end ends all that has begun, because thoughts mention such marks; an end that nothing has begun shows that all
    before it was a thought.
    """
    marks = list(_MARK.finditer(text)) if _BRACKET.search(text) else []
    if not marks:
        return text
    kept: list[str] = []
    position, inside = 0, False
    for mark in marks:
        if not inside:
            kept.append(text[position : mark.start()])
        position = mark.end()
        if _ends_thought(mark):
            if not inside:
                kept.clear()
            inside = False
        elif not (mark["attributes"] or "").rstrip("| ").endswith("/"):  # <think/> is a thought of no words
            inside = True
    if inside:
        return None
    kept.append(text[position:])
    pieces = [piece for piece in kept if piece.strip()]
    return pieces[0] if len(pieces) == 1 else "\n".join(piece.strip() for piece in pieces)


def _ends_thought(mark: re.Match) -> bool:
    named = (mark["before"] or mark["after"] or "").lower()
    return bool(mark["slash"] or mark["square_slash"] or mark["gemma_close"] or named == "end")


def _inside_answer_tag(text: str) -> str | None:
    """What the last ``<answer>...</answer>`` holds; None: there is none."""
    begins, inside = None, None
    for tag in _ANSWER_TAG.finditer(text):
        if not tag["slash"]:
            begins = tag.end()
        elif begins is not None:
            inside, begins = text[begins : tag.start()], None
    return inside


def _first_turn(text: str) -> str:
    """The first turn with a text, without the marks that stand around it."""
    if begins := _BARE_ROLE.match(text):
        text = text[begins.end() :]
    if not _BRACKET.search(text):
        return text
    text = _ANSWER_MARK.sub("", text)
    if begins := _TURN_BEGINS.match(text):
        text = text[begins.end() :]
    ends = _TURN_MARK.search(text)
    return text[: ends.start()] if ends else text


def _without_wrapper(text: str) -> str:
    text = text.strip()
    if begins := _WRAPPER_BEGINS.match(text):
        text = text[begins.end() :]
    if ends := _WRAPPER_ENDS.search(text):
        text = text[: ends.start()]
    return text


def _without_fence(text: str) -> str:
    """The inside of a code fence around the whole text; a text that only has one in it stays as it is."""
    text = text.strip()
    first, *lines = text.split("\n")
    fence = _FENCE.fullmatch(first.rstrip("\r"))
    if fence is None:
        one_line = re.fullmatch(r"```+([^`\n]+)```+", text)
        return one_line[1] if one_line else text
    for number, line in enumerate(lines):
        line = line.strip()
        if len(line) >= len(fence["fence"]) and not line.strip(fence["fence"][0]):
            return text if number + 1 < len(lines) else "\n".join(lines[:number])
    return "\n".join(lines)
