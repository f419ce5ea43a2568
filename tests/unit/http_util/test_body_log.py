"""What of a body may stand in a log line, when somebody asks for lines about bodies at all."""

from __future__ import annotations

import json
import random
import time

import pytest

from http_util.body_log import BodyLog, BodyRecord, content_type_of

JSON = "application/json"
KEY = "Kanarie0123456789abcdef"


@pytest.mark.requirement("SEC-14", "SEC-13")
def test_nothing_is_logged_unless_it_is_asked_for() -> None:
    """The defaults of the ledger."""
    log = BodyLog()
    assert (log.log_request_bodies, log.log_response_bodies, log.is_on) == (False, False, False)
    assert (log.max_body_log_length, log.redaction_patterns) == (1000, ())
    assert BodyLog(log_request_bodies=True).is_on
    assert BodyLog(log_response_bodies=True).is_on


@pytest.mark.requirement("SEC-14")
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"max_body_log_length": 0}, "max_body_log_length must be 1 to 65536, not 0"),
        ({"max_body_log_length": 65_537}, "max_body_log_length must be 1 to 65536, not 65537"),
        ({"redaction_patterns": ("a", "b(")}, r"redaction_patterns\[1\] is no regular expression: missing \)"),
    ],
)
def test_a_wrong_setting_is_named(settings, problem: str) -> None:
    """With what would be accepted."""
    with pytest.raises(ValueError, match=problem):
        BodyLog(**settings)


@pytest.mark.requirement("SEC-14")
def test_a_body_is_shown_up_to_the_length_and_not_beyond() -> None:
    """At the length it is whole, one character more and it ends in an ellipsis."""
    log = BodyLog(max_body_log_length=10)
    assert log.shown(b"0123456789", content_type="text/plain") == "0123456789"
    assert log.shown(b"0123456789x", content_type="text/plain") == "012345678…"
    assert log.shown("äöü€".encode(), content_type="text/plain") == "äöü€"
    assert log.shown(b"a\nb\x1b[2J", content_type="text/plain") == "a\\nb\\u001…"


@pytest.mark.requirement("SEC-14", "SEC-16", "HTU-1004")
def test_credentials_and_what_the_patterns_match_are_masked() -> None:
    """By value, by name, by shape, by pattern."""
    log = BodyLog(redaction_patterns=(r"\d{4}-\d{4}", "(?i)secret sauce"))
    body = json.dumps({"a": KEY, "api_key": "x", "b": "sk-live-0123456", "card": "1234-5678", "c": "Secret Sauce"})
    assert log.shown(body.encode(), content_type=JSON, secrets=[KEY]) == (
        '{"a": "****", "api_key": "****", "b": "****", "card": "****", "c": "****"}'
    )


@pytest.mark.requirement("SEC-14", "SEC-16")
@pytest.mark.parametrize("pattern", [(), ("canary-[0-9a-f]+",)])
def test_no_half_of_a_credential_is_shown_where_a_body_is_cut(pattern: tuple[str, ...]) -> None:
    """Wherever the end of what is looked at falls, also when masks have made the text before it short."""
    log = BodyLog(max_body_log_length=600, redaction_patterns=pattern)
    secret = "canary-" + "0123456789abcdef" * 20
    beginning = " ".join([secret] * 40).encode()
    for length in range(log.most_bytes - 400, log.most_bytes):
        shown = log.shown(beginning[:length] + b" ", content_type="text/plain", size=10**6, secrets=[secret])
        assert "0123" not in shown


@pytest.mark.requirement("SEC-14", "SEC-16")
@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_credential_is_masked_however_much_of_it_is_percent_encoded(every: int) -> None:
    """All of it, or some signs, in hexadecimal digits of either case."""
    secret = "sk-Zq9Treasure+Key77"
    codes = (f"%{ord(sign):02X}" if at % 4 else f"%{ord(sign):02x}" for at, sign in enumerate(secret))
    signs = zip(secret, codes, strict=True)
    written = "".join(sign if at % every else code for at, (sign, code) in enumerate(signs))
    text = f"a=100%&q={written}&b=%20"
    shown = BodyLog().shown(text.encode(), content_type="application/x-www-form-urlencoded", secrets=["short", secret])
    assert shown == "a=100%&q=****&b=%20"


@pytest.mark.requirement("SEC-13")
@pytest.mark.parametrize(
    "content_type",
    ["", "application/octet-stream", "multipart/form-data; boundary=x", "image/png", "application/jsonx"],
)
def test_what_is_no_text_is_told_by_its_size(content_type: str) -> None:
    """Uploads, pictures, and whatever has no type."""
    assert BodyLog().shown(b"abc", content_type=content_type) == "<3 bytes>"
    assert BodyLog().shown(b"abc", content_type=content_type, size=7) == "<7 bytes>"


@pytest.mark.requirement("SEC-13")
def test_files_pictures_and_vectors_are_never_shown() -> None:
    """Neither a file's content, whatever its type, nor base64 or a list of numbers inside JSON."""
    log = BodyLog()
    assert log.shown(b"abc", content_type="text/plain", path="/v1/files/f-1/content") == "<3 bytes>"
    numbers = json.dumps({"embedding": [random.Random(1).uniform(-1, 1) for _ in range(1536)], "index": 0})
    short = json.dumps({"embedding": [-0.25, 1e-7, 3] * 32, "index": 0})
    encoded = json.dumps({"url": f"data:a/b;base64,{'iVBORw0KGgo' * 100}", "n": [1, 2, 3]})
    assert log.shown(numbers.encode(), content_type=JSON) == '{"embedding": [<numbers>]…'
    assert log.shown(encoded.encode(), content_type=JSON) == '{"url": "data:a/b;base64,<encoded>", "n": [1, 2, 3]}'
    assert log.shown(short.encode(), content_type=JSON) == '{"embedding": [<numbers>], "index": 0}'
    # cut in the middle of the list, and of the picture
    assert log.shown(numbers.encode()[:5000], content_type=JSON, size=30_000) == '{"embedding": [<numbers>]…'
    assert log.shown(encoded.encode()[:1000], content_type=JSON, size=30_000) == '{"url": "data:a/b;base64,<encoded>…'


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json; charset=utf-8", "Text/Plain"])
def test_texts_are_known_by_their_type(content_type: str) -> None:
    """In any case, with or without parameters."""
    assert BodyLog().shown(b"abc", content_type=content_type) == "abc"


def test_the_type_of_a_compressed_body_is_none() -> None:
    """Its bytes are no text."""
    assert content_type_of({"content-type": JSON}) == JSON
    assert content_type_of({"content-type": JSON, "content-encoding": "identity"}) == JSON
    assert content_type_of({"content-type": JSON, "content-encoding": "gzip"}) == ""
    assert content_type_of({}) == ""


@pytest.mark.requirement("SEC-14")
def test_a_record_keeps_the_beginning_and_counts_the_rest() -> None:
    """However long the body is."""
    log = BodyLog(max_body_log_length=1)
    record = BodyRecord(log)
    for _ in range(1000):
        record.add(b"x" * 99)
    assert record.size == 99_000
    assert record.beginning == b"x" * log.most_bytes
    assert repr(record) == "BodyRecord(<99000 bytes>)"


@pytest.mark.parametrize("evil", ["[", "[1,", "[1,1,1,1,1,1,1,", "1e", "a", "\\", "data:", "[1,1,1,1,1,1,1,1,1 "])
def test_no_body_makes_a_line_slow(evil: str) -> None:
    """The longest line of anything costs less than half a second of CPU."""
    log = BodyLog(max_body_log_length=65_536)
    body = evil.encode() * (log.most_bytes // len(evil))
    began = time.process_time()
    log.shown(body, content_type="text/plain")
    assert time.process_time() - began < 0.5
