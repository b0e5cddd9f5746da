"""Keys in every form in which servers repeat them."""

import base64
import html
import json
from urllib.parse import quote

import pytest

from recbole_llmdistill.servers.masking import Secrets, shown_address

KEY = "sk-proj/Ab+Cd=12?34_x~y&z"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        f"Bearer {KEY}",
        json.dumps(KEY).replace("/", "\\/"),
        json.dumps(json.dumps(KEY)),
        "".join(f"\\u{ord(letter):04X}" for letter in KEY),
        quote(KEY, safe=""),
        html.escape(KEY),
        KEY[: len(KEY) // 2],
        *(base64.b64encode(f"{'x' * before}{KEY}{'y' * after}".encode()).decode() for before, after in
          [(0, 0), (1, 0), (2, 1), (5, 2)]),
        base64.urlsafe_b64encode(f"ab{KEY}x".encode()).decode(),
    ],
)  # fmt: skip
def test_every_form_of_a_key(form: str) -> None:
    masked = Secrets(KEY).mask(f"before {form} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "***" in masked
    assert all(part not in masked for part in (KEY[:12], KEY[12:], form[4:-4]))


def test_it_is_masked_before_it_is_cut() -> None:
    line = Secrets(KEY).one_line("x" * 285 + KEY * 100)
    assert len(line) <= 300
    assert KEY[:6] not in line
    assert Secrets(KEY).one_line("a\x1b[31m\n b") == "a [31m b"


def test_other_secrets(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "api-key: a-custom-secret\nAuthorization: Bearer other-secret-1")
    secrets = Secrets("EMPTY", "http://me:pass-word-1@host/v1?code=query-secret")
    for secret in ("a-custom-secret", "other-secret-1", "pass-word-1", "query-secret", "Bearer EMPTY"):
        assert secrets.mask(f"<{secret}>") in ("<***>", "<Bearer ***>")
    assert secrets.mask("tries EMPTY rooms") == "tries EMPTY rooms"  # local servers' keys are words
    assert secrets.mask("see http://a:b@c/d") == "see http://***@c/d"
    assert shown_address("http://u:p@h:1/v1?code=q&x#f") == "http://h:1/v1?code=***&x=***"
