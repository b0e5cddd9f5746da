"""Takes the meaning that a text may have in a prompt away from it: the one place for all data that an LLM is shown.

A title can hold the special tokens of a chat template (``<|im_end|>``, ``[INST]``), the marks by which instructions are
written (``### Instruction:``, ``Assistant:``), characters that turn the direction of reading, or such as nobody sees.
Look-alikes take the place of the first two, so that the text stays readable; the others are left out.
"""

import re

# Characters with a meaning in a prompt: the bar between cells, and the angle brackets of our own delimiters and of the
# special tokens of chat templates; their wide forms too, which some tokenizers take for the same.
_LOOK_ALIKES = {
    **dict.fromkeys(map(ord, "<＜﹤"), "‹"),
    **dict.fromkeys(map(ord, ">＞﹥"), "›"),
    **dict.fromkeys(map(ord, "|｜"), "¦"),
}
# Control characters, line and paragraph separators; a braille cell without dots is white space too.
_BREAKS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), "\n") | {9: " ", 0x2800: " "}
# Neither seen nor needed: directional marks, overrides and isolates, zero-width spaces, soft hyphens, fillers,
# invisible operators, annotations, and halves of characters, which cannot be sent.
_INVISIBLE = dict.fromkeys(
    (
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x200B, 0x200E, 0x200F),
        *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFFC)),
        *(*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), 0xE0001, *range(0xD800, 0xE000)),
    )
)
_TABLE = _LOOK_ALIKES | _BREAKS | _INVISIBLE

_PLAIN = re.compile(r"[A-Za-z0-9 ,.;/'&()+!?%*=@$\"_-]*")
"""Nearly all texts; there is nothing to be done to them."""

# The flags of England, Scotland and Wales are a black flag with invisible letters behind it. All other invisible
# letters spell something that nobody who looks at the catalogue has ever seen.
_INVISIBLE_LETTERS = re.compile(
    r"(\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{1,6}\U000E007F)|[\U000E0000-\U000E007F]"
)
# Joiners belong behind the letters of Persian, of Indian languages and the like, and between the parts of an emoji; a
# variation selector behind any character. There is no use for a second one.
_VARIATIONS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_STRAY_JOINERS = re.compile(
    r"(?<![\u0600-\u1FFF\u2100-\u2BFF\u2E80-\U0003FFFF])[\u200C\u200D]+|(?<=[\u200C\u200D])[\u200C\u200D]+"
)
_STRAY_VARIATIONS = re.compile(rf"(?:(?<=[\s{_VARIATIONS}])|^)[{_VARIATIONS}]+")

_CONTROL_WORDS = (
    "inst sys system system_prompt user human assistant model developer tool tools available_tools tool_calls "
    "tool_results tool_content think thinking img img_break img_end audio begin_audio transcribe prefix middle suffix "
    "args call_id model_settings gmask smask mask bos eos unk pad cls sep eot eom end start im_start im_end "
    "end_of_turn start_of_turn endoftext control"
)
_CONTROL_MARK = re.compile(
    rf"[\[［]([\s/\\]*(?:{'|'.join(_CONTROL_WORDS.split())})(?:_\d+)?[\s/\\]*)[\]］]", re.IGNORECASE
)
_HEADING = re.compile("[#＃]{2,}")
_ROLE = re.compile(
    r"^([\W\d_]*(?:human|user|assistant|system|model|developer|tool|ai|bot|instructions?|response|input|output)"
    r"[^\w\n:：]{0,4})[:：]",
    re.IGNORECASE | re.MULTILINE,
)


def harmless(text: str) -> str:
    """A text without special tokens of a chat template, marks of instructions and roles, and hidden characters.

    Control characters become line breaks; see :func:`one_line`. What reads as before stays as it is: a single ``#``, a
    remark in brackets, a joined emoji, the joiners of Persian and of Indian languages.
    """
    if _PLAIN.fullmatch(text):
        return text
    text = _INVISIBLE_LETTERS.sub(lambda found: found.group(1) or "", text).translate(_TABLE)
    text = _STRAY_VARIATIONS.sub("", _STRAY_JOINERS.sub("", text))
    text = _CONTROL_MARK.sub(r"(\1)", text)
    return _ROLE.sub("\\1\ua789", _HEADING.sub("#", text))


def one_line(text: str) -> str:
    """A harmless text in one line with single spaces."""
    return " ".join(harmless(text).split())
