"""Heads of HTTP/1.1 requests: written plainly, or not at all."""

from __future__ import annotations

import pytest

from http_util.engine.errors import Unwritable
from http_util.engine.http1_request import is_token, request_head

FIELDS = [(b"Host", b"example.com"), (b"X-Empty", b"")]


def test_a_head_is_its_lines_and_an_empty_one() -> None:
    """Order and case stay as given."""
    assert (
        request_head(b"POST", b"/v1?a=b", FIELDS) == b"POST /v1?a=b HTTP/1.1\r\nHost: example.com\r\nX-Empty: \r\n\r\n"
    )


@pytest.mark.requirement("HTU-17")
@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        (b"GET", b"/", [(b"X", b"a\r\nX-Evil: b")]),
        (b"GET", b"/", [(b"X", b"a\nb")]),
        (b"GET", b"/", [(b"X", b"a\rb")]),
        (b"GET", b"/", [(b"X", b"a\0b")]),
        (b"GET", b"/", [(b"X\r\nY", b"a")]),
        (b"GET", b"/", [(b"X Y", b"a")]),
        (b"GET", b"/", [(b"X:", b"a")]),
        (b"GET", b"/", [(b"", b"a")]),
        (b"GET /evil", b"/", []),
        (b"", b"/", []),
        (b"GET", b"/ HTTP/1.1\r\nX: y", []),
        (b"GET", b"/a b", []),
        (b"GET", b"", []),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    """And the error shows nothing of it, for it may be a key."""
    with pytest.raises(Unwritable) as caught:
        request_head(method, target, [*fields, *FIELDS])
    assert "Evil" not in str(caught.value)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(("name", "verdict"), [(b"x-request-id", True), (b"X_1!", True), (b"a b", False), (b"", False)])
def test_a_token_is_told_from_other_names(name: bytes, verdict: bool) -> None:
    """By the letters that RFC 9110 allows."""
    assert is_token(name) is verdict
