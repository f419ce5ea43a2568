"""Redaction: known secrets, shapes of secrets, control characters, lengths."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.redact import (
    MASK,
    UNDECODABLE,
    credentials_in,
    escape_controls,
    is_sensitive_header,
    redact_headers,
    redact_text,
    redact_url,
    redact_value,
    safe_identifier,
    safe_message,
)
from http_util.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "hunter2XYZ0123456789"


@pytest.mark.requirement("HTU-1004", "HTU-11", "SEC-16")
@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {KEY}",
        f"authorization: Basic {KEY}==",
        f"bearer {KEY}",
        f"x-api-key: {KEY}",
        f"'api-key': {KEY}",
        f'{{"api_key": "{KEY}", "model": "m"}}',
        f'{{"api_key":"{KEY} with space"}}',
        f"{{'password': '{KEY}'}}",
        f'{{\\"access_token\\": \\"{KEY}\\"}}',
        f'{{"OPENAI_API_KEY": "{KEY}"}}',
        f"https://user:{KEY}@example.com/v1",
        f"https://example.com/v1?api_key={KEY}&n=1",
        f"https://example.com/v1?n=1&key={KEY}",
        f"https://example.com/v1?sig={KEY}#top",
        f"grant_type=x&client_secret={KEY}",
        f"export OPENAI_API_KEY={KEY}",
        f'{{"proxy_auth": "user:{KEY}"}}',
        f"http://h/?proxy_auth=user:{KEY}",
        f"Incorrect API key provided: sk-proj-{KEY}",
        f"key sk-{KEY}, org-{KEY}",
        f"hf_{KEY}, ghp_{KEY}, gsk_{KEY}, xoxb-{KEY}",
        f"eyJhbGciOiJIUzI1NiJ9.{KEY}.{KEY}",
        f"AIzaSy{KEY}",
        f"Set-Cookie: session={KEY}; Path=/",
        f"OpenAI-Organization: {KEY}",
    ],
)
def test_what_looks_like_a_credential_is_removed(text: str) -> None:
    """Headers, JSON members, query parameters, userinfo and the usual shapes of keys."""
    shown = redact_text(text)
    assert KEY not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=5 and total_tokens: 7",
        '{"prompt_tokens": 3, "model": "gpt-4o", "tokens": 5}',
        "the basic idea of a token bucket",
        "https://example.com/v1/models?limit=5",
        "upstream answered 429 Too Many Requests",
        "task-skeleton risk-free disk-usage",
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    """Redaction that removes everything is of no use."""
    assert redact_text(text) == text


@pytest.mark.requirement("HTU-1004", "SEC-16")
@given(
    secret=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=60),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
)
def test_a_known_secret_never_appears_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    """Verbatim, percent-encoded, in a message, in a header and in a value."""
    if secret in MASK or secret in before + after:
        return
    for text in (f"{before}{secret}{after}", f"{before}{quote(secret, safe='')}{after}"):
        for shown in (
            redact_text(text, secrets=[secret]),
            safe_message(text, [secret]),
            redact_headers({"x-note": text}, secrets=[secret])["x-note"],
            str(redact_value({"note": [text]}, secrets=[secret])),
        ):
            assert secret not in shown


def test_the_beginning_of_a_known_secret_at_the_end_of_a_cut_text_is_removed() -> None:
    """A body cut in the middle of an echoed key shows no part of it."""
    assert redact_text(f"you sent {KEY[:-3]}", secrets=[KEY]) == f"you sent {MASK}"
    assert redact_text(f"you sent {KEY[:3]}", secrets=[KEY]) == f"you sent {KEY[:3]}"


@pytest.mark.requirement("SEC-16")
def test_a_known_secret_is_found_in_lower_case_unless_it_is_short() -> None:
    """What stood in a header comes back so; a key like EMPTY is a word then."""
    assert redact_text(f"content-encoding {KEY.lower()}/x", secrets=[KEY]) == f"content-encoding {MASK}/x"
    assert redact_text("it must not be empty", secrets=["EMPTY"]) == "it must not be empty"
    assert redact_text("the key is EMPTY", secrets=["EMPTY"]) == f"the key is {MASK}"


@pytest.mark.requirement("SEC-16")
def test_credentials_are_found_in_fields_by_their_names() -> None:
    """Word by word, without the scheme in front, and without what is too short or can stand in no header."""
    fields = [
        ("Authorization", f"Bearer {KEY}"),
        ("X-Tenant", "acme-acme"),
        ("cookie", "a=b; session=x"),
        ("sig", "1234567"),
        ("api-key", "12345678"),
        ("token", "schl\u00fcssel-1 a\x01bcdefgh"),
    ]
    assert credentials_in(fields) == [KEY, "session=x", "12345678"]


def test_secrets_under_four_characters_are_not_looked_for() -> None:
    """They would garble every text."""
    assert redact_text("a banana", secrets=["a", "an", "ana", ""]) == "a banana"


@pytest.mark.requirement("SEC-07", "SEC-08", "HTU-1004")
def test_headers_for_a_log_have_lower_case_names_and_masked_values() -> None:
    """Sensitive values are masked, repeated ones joined, undecodable ones marked, the rest redacted as text."""
    shown = redact_headers(
        [
            ("Authorization", f"Bearer {KEY}"),
            ("OpenAI-Organization", "org"),
            ("OpenAI-Project", "proj"),
            ("Api-Key", KEY),
            (b"Set-Cookie", b"a=b"),
            ("X-Custom-Token", KEY),
            ("Via", "one"),
            ("via", "two"),
            (b"X-Odd", b"\xff"),
            ("Location", f"https://u:{KEY}@h/"),
        ],
    )
    assert shown == {
        "authorization": MASK,
        "openai-organization": MASK,
        "openai-project": MASK,
        "api-key": MASK,
        "set-cookie": MASK,
        "x-custom-token": MASK,
        "via": "one, two",
        "x-odd": UNDECODABLE,
        "location": f"https://{MASK}@h/",
    }
    assert redact_headers({"Accept": "*/*"}) == {"accept": "*/*"}


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [
        ("X-API-Key", True),
        ("cookie", True),
        ("proxy-authorization", True),
        ("proxy_auth", True),
        ("proxy-auth", True),
        ("proxy", False),
        ("content-type", False),
        ("x-request-id", False),
        (f"{'x-' * 40}api-key", True),
        ("x-" * 40, False),
    ],
)
def test_sensitive_headers_are_known_by_name(name: str, sensitive: bool) -> None:
    """In any case."""
    assert is_sensitive_header(name) is sensitive


@pytest.mark.requirement("HTU-11")
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://u:{KEY}@h:1/p?sig={KEY}&b=1#{KEY}", f"https://h:1/p?sig={MASK}&b=1"),
        (f"https://{KEY}@h", "https://h"),
        (f"https://h?x=1&access_token={KEY}", f"https://h?x=1&access_token={MASK}"),
        ("https://h/p?flag&n=1", "https://h/p?flag&n=1"),
        ("not a url\n", "not a url\\n"),
    ],
)
def test_urls_for_a_log_have_no_userinfo_no_fragment_and_no_sensitive_values(url: str, shown: str) -> None:
    """What is not a URL is treated as text."""
    assert redact_url(url) == shown


@pytest.mark.requirement("HTU-11")
def test_values_are_redacted_by_name_and_by_shape_at_every_depth() -> None:
    """Names mask whatever they hold; bytes become a length; what is too deep becomes dots."""
    value = {
        "api_key": {"nested": KEY},
        "token": None,
        "list": [f"Bearer {KEY}", 5, True, None, 1.5],
        "body": b"1234",
        "object": ValueError(f"Bearer {KEY}"),
        "deep": [[[[[["x"]]]]]],
    }
    shown = redact_value(value)
    assert KEY not in repr(shown)
    assert shown == {
        "api_key": MASK,
        "token": None,
        "list": [f"Bearer {MASK}", 5, True, None, 1.5],
        "body": "<4 bytes>",
        "object": f"ValueError('Bearer {MASK}')",
        "deep": [[[[["..."]]]]],
    }


@pytest.mark.requirement("HTU-ERR-4001")
def test_control_bidi_and_invisible_characters_are_escaped() -> None:
    """A message cannot repaint a terminal, forge a line or turn text around."""
    text = "a\r\n\t\x1b[31m\u202eevil\u200b\u2028\ud800\U000e0001 ä"
    assert escape_controls(text) == "a\\r\\n\\t\\u001b[31m\\u202eevil\\u200b\\u2028\\ud800\\U000e0001 ä"


@given(text=st.text(max_size=2000), limit=st.integers(1, 600))
def test_a_safe_message_is_short_and_encodable_whatever_comes_in(text: str, limit: int) -> None:
    """Never longer than its limit, never a control character, always UTF-8."""
    shown = safe_message(text, limit=limit)
    assert len(shown) <= limit
    assert "\n" not in shown
    shown.encode()


@pytest.mark.parametrize(
    "evil",
    [
        *(piece * 300_000 for piece in ("a-", "sk-", '"', "eyJ", "api_", "\\", ":", "x_key=", "://")),
        "https://" + "a" * 900_000,
        '"token":"' + "\\" * 900_000,
    ],
    ids=lambda text: text[:9],
)
def test_no_text_makes_redaction_slow(evil: str) -> None:
    """A megabyte of anything costs less than a quarter of a second of CPU, because only the beginning is looked at."""
    began = time.process_time()
    safe_message(evil)
    assert time.process_time() - began < 0.25


WORDS = st.lists(st.sampled_from(["sk", "AKIA", "eyJ", "org", "-", "_", ".", "a", "Z9", "bearer", "token", "hunter2"]))


@pytest.mark.requirement("HTU-1004", "HTU-11")
@settings(deadline=None)
@given(word=WORDS.map("".join), secret=st.sampled_from(["hunter2", "hunter2-token.a", "a/b+c~d", "sk-a"]))
def test_a_single_word_is_redacted_as_a_word_in_a_sentence_is(word: str, secret: str) -> None:
    """Words take a shorter way, past the rules that cannot match; the end of the text is the same."""
    plain = redact_text(f"( {word}", secrets=[secret])
    assert f"( {redact_text(word, secrets=[secret])}" == plain


@pytest.mark.requirement("CF-16", "HTU-1004")
def test_two_credentials_leave_the_same_mask_and_nothing_by_which_to_tell_them_apart() -> None:
    """No end of them, no length, no fingerprint: in headers, in text, in URLs, and as a value."""
    ways: list[Callable[[str], object]] = [
        lambda key: redact_headers({"authorization": f"Bearer {key}", "x-api-key": key}),
        lambda key: safe_message(f"the key {key} is not known", secrets=[key]),
        lambda key: safe_message(f"authorization: Bearer {key}"),
        lambda key: redact_url(f"https://user:{key}@host/?api_key={key}"),
        lambda key: redact_value({"api_key": key, "note": f"Bearer {key}"}),
        lambda key: f"{Secret(key)!r} {Secret(key)}",
    ]
    for way in ways:
        left, other = way("sk-one-0000000000000"), way("sk-another-11111111111111")
        assert left == other
        assert MASK in str(left) or "host" in str(left)


@pytest.mark.requirement("HTU-1004")
@given(st.text())
def test_an_identifier_is_short_and_printable_whatever_comes_in(text: str) -> None:
    """A name of ours stays as it is, and a credential in it is masked before anything is cut."""
    shown = safe_identifier(text + "z" * 500)
    assert len(shown) == 128
    assert all("!" <= sign <= "~" for sign in shown[:-1])
    assert safe_identifier("req_0a-b.c:d/e=") == "req_0a-b.c:d/e="
    assert safe_identifier("x" * 120 + "hidden-000000000", ["hidden-000000000"]) == "x" * 120 + "****"
