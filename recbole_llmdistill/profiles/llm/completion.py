"""Read a chat completion, whatever a server makes of it."""

from typing import Any

from recbole_llmdistill.profiles.llm.protocol import Answer, RequestFailed
from recbole_llmdistill.servers.answers import error_of, read_json
from recbole_llmdistill.servers.masking import Secrets

_MOST_TOKENS = 10**9
_FINISHED = ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "end", "complete", "completed")
_CUT_AT_LENGTH = ("length", "max_tokens", "max_output_tokens", "max_new_tokens", "model_length")
_FILTERED = (
    "content_filter",
    "content-filter",
    "contentfilter",
    "safety",
    "prohibited_content",
    "blocklist",
    "recitation",
)
_THOUGHTS = ("thinking", "reasoning", "redacted_thinking", "thought")


def read_completion(body: str, secrets: Secrets) -> Answer:
    """The answer in the JSON text of a chat completion.

    Raises:
        RequestFailed: it is none, or the model refused.
    """
    try:
        completion = read_json(body)
    except ValueError as error:
        raise RequestFailed("no_json", f"the answer is no JSON: {secrets.one_line(body, 80)!r}") from error
    return answer_of(completion, secrets)


def answer_of(completion: Any, secrets: Secrets) -> Answer:
    """The answer in a chat completion; raises as :func:`read_completion`."""
    if (error := error_of(completion)) is not None:
        raise RequestFailed("http", f"the server answered with an error: {secrets.one_line(error)}")
    choices = completion.get("choices") if isinstance(completion, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        what = "has no choices" if choices == [] else "is no chat completion"
        raise RequestFailed("no_json", f"the answer {what}: {secrets.one_line(completion, 80)!r}")
    usage = completion.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    content = message.get("content")
    text, thought = _text(content)
    thought = thought or _string(message.get("reasoning_content")) or _string(message.get("reasoning"))
    answer = Answer(
        secrets.mask(text),
        _finish_reason(choice.get("finish_reason"), secrets),
        _tokens(usage.get("prompt_tokens")),
        _tokens(usage.get("completion_tokens")),
        reasoning=secrets.mask(thought),
    )
    if not isinstance(content, str | list | dict | None):
        raise RequestFailed("no_json", f"the content of the answer is no text: {secrets.one_line(content, 80)}", answer)
    if message.get("refusal"):
        raise RequestFailed("refused", secrets.one_line(message["refusal"]), answer)
    return answer


def _text(content: Any) -> tuple[str, str]:
    """Text and thought of a message's content, which may come in parts of several types."""
    if isinstance(content, str):
        return content, ""
    parts = content if isinstance(content, list) else [content]
    texts: list[str] = []
    thoughts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            is_thought = part.get("type") in _THOUGHTS or part.get("thought") is True
            (thoughts if is_thought else texts).append(_part_text(part))
    return "".join(texts), "".join(thoughts)


def _part_text(part: dict[str, Any]) -> str:
    for name in ("text", "thinking", "reasoning", "summary", "content"):
        value = part.get(name)
        if isinstance(value, dict):
            value = value.get("value")
        if isinstance(value, list):
            value = "".join(_string(piece.get("text")) for piece in value if isinstance(piece, dict))
        if text := _string(value):
            return text
    return ""


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _tokens(value: Any) -> int:
    """A count of tokens; 0 for all that is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < _MOST_TOKENS else 0  # NaN compares to nothing


def _finish_reason(value: Any, secrets: Secrets) -> str:
    """One word: ``stop``, ``length``, ``content_filter``, or what else the server says."""
    if not isinstance(value, str) or not value.strip():
        return "stop"
    word = value.strip().lower()
    for reason, spellings in (("stop", _FINISHED), ("length", _CUT_AT_LENGTH), ("content_filter", _FILTERED)):
        if word in spellings:
            return reason
    return secrets.one_line(word, 40)
