"""Keys stay out of files and messages: whatever a server sends is read through a mask.

Servers, and the proxies before them, repeat the key in error messages and in answers: as it is, escaped for JSON or for
an address, or in base64.
"""

import base64
import os
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from recbole_llmdistill.errors import InputError

MASK = "***"

_SHORTEST = 8
_SHORTEST_WORD = 12
"""A key of letters alone that is shorter may well be a word of a profile, such as the ``EMPTY`` of local servers."""
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@\"'<>]{1,500}@")
_ESCAPED = re.compile(r"\\|%[0-9A-Fa-f]{2}|&[#a-z]")
"""Without such a character a secret stands there literally, if at all: the common case, told quickly."""
_SENT = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_HEADERS = "OPENAI_CUSTOM_HEADERS"


class Secrets:
    """What must not be seen: the key, other keys of the environment, and what an address holds of this kind.

    Args:
        key: the key, if there is one.
        address: of the server; user, password and the values of its query are secrets.
    """

    def __init__(self, key: str | None, address: str | None = None) -> None:
        values = [key or "", *(os.environ.get(name, "") for name in _SENT), *_header_values(), *_within(address)]
        secrets = sorted({value.strip() for value in values if _is_secret(value.strip())}, key=len, reverse=True)
        short = re.escape(key.strip()) if key and not _is_secret(key.strip()) else None
        forms = [form for secret in secrets for form in _forms(secret)]
        self._literal = [piece for secret in secrets for piece in (*_pieces(secret), *_in_base64(secret.encode()))]
        if short:  # may be a word as well; after "Bearer" it is the key
            forms.append(rf"(?<=Bearer ){short}(?!\w)")
            self._literal.append("Bearer ")
        self._forms = re.compile("|".join(forms)) if forms else None

    def mask(self, text: str) -> str:
        """The text with ``***`` for every secret and for user and password of any address; to be done before a cut."""
        if self._forms is not None and (any(part in text for part in self._literal) or _ESCAPED.search(text)):
            text = self._forms.sub(MASK, text)
        return _CREDENTIALS.sub(f"{MASK}@", text) if "://" in text else text

    def one_line(self, text: object, most: int = 300) -> str:
        """One printable line of at most ``most`` characters, for messages and journals."""
        try:
            masked = self.mask(str(text))
        except RecursionError:  # lists in lists in lists
            return type(text).__name__
        line = " ".join("".join(letter if letter.isprintable() else " " for letter in masked[: 100 * most]).split())
        return line if len(line) <= most else line[: most - 4] + " ..."


def shown_address(address: str | None) -> str | None:
    """An address for messages and manifests: without user and password, and with ``***`` for values of its query."""
    if not address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return MASK
    query = "&".join(f"{pair.split('=', 1)[0]}={MASK}" for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def check_address(address: str | None) -> None:
    """Refuse what is no address of a server.

    Raises:
        InputError: it cannot be read, or is not of HTTP.
    """
    try:
        usable = not address or (urlsplit(address).scheme in ("http", "https") and bool(urlsplit(address).hostname))
    except ValueError:
        usable = False
    if not usable:
        raise InputError("--base-url: no address of a server; it is like http://localhost:8000/v1")


def _is_secret(value: str) -> bool:
    return len(value) >= (_SHORTEST_WORD if value.isalpha() else _SHORTEST)


def _header_values() -> Iterable[str]:
    """Of the headers that the client takes from the environment; of ``Bearer KEY`` the key alone, too."""
    for line in os.environ.get(_HEADERS, "").split("\n"):
        value = line.partition(":")[2].strip()
        yield value
        yield value.rpartition(" ")[2]


def _within(address: str | None) -> Iterable[str]:
    """User, password and values of the query, as they stand in an address and decoded."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return
    userinfo = parts.netloc.rpartition("@")[0]
    for text in (*userinfo.split(":", 1), *(value for _, value in parse_qsl(parts.query))):
        yield text
        yield unquote(text)


def _pieces(secret: str) -> list[str]:
    """All of a secret, and either half of a long one, since a server may have cut it."""
    half = len(secret) // 2
    return [secret, secret[:half], secret[half:]] if half >= _SHORTEST else [secret]


def _forms(secret: str) -> list[str]:
    """Patterns of a secret: its pieces character by character, and base64."""
    pieces = ["".join(map(_letter, piece)) for piece in _pieces(secret)]
    return pieces + [re.escape(piece) for piece in _in_base64(secret.encode())]


def _letter(letter: str) -> str:
    """A character as it is, escaped for JSON (once or twice), for an address, or for HTML."""
    code = ord(letter)
    percent = "".join(rf"%{byte:02x}" for byte in letter.encode())
    plain = re.escape(letter) if letter.isalnum() else rf"\\{{0,2}}{re.escape(letter)}"
    if letter in _ENTITIES:
        plain += rf"|{_ENTITIES[letter]}"
    return rf"(?:{plain}|\\{{1,2}}u(?i:{code:04x})|(?i:{percent})|&#{code};|&#x(?i:{code:x});)"


def _in_base64(secret: bytes) -> list[str]:
    """The characters of base64 that depend on the secret alone, wherever it stands in what was encoded."""
    found = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        begins = (0, 2, 3)[before]  # characters that the bytes before have a part in
        ends = len(encoded) - (1 if (before + len(secret)) % 3 else 0)  # likewise the bytes after
        sure = encoded[begins:ends]
        found += [sure, sure.translate(str.maketrans("+/", "-_"))]
    return [piece for piece in dict.fromkeys(found) if len(piece) >= _SHORTEST]
