"""From a call to the request that a transport takes."""

from __future__ import annotations

import httpx
import pytest

from http_util import HttpCall, PolicyFailure
from http_util.wire_request import wire_request


def lines(request: httpx.Request) -> list[tuple[bytes, bytes]]:
    """The headers in the order in which they go out."""
    return list(request.headers.raw)


@pytest.mark.requirement("HTU-1001", "HTU-17")
@pytest.mark.parametrize(
    ("method", "content", "length"),
    [("POST", b"{}", b"2"), ("POST", None, b"0"), ("PUT", b"", b"0"), ("GET", None, None), ("DELETE", None, None)],
)
def test_a_request_says_where_it_goes_and_how_long_its_body_is(
    method: str, content: bytes | None, length: bytes | None
) -> None:
    """The host first; the length where there is a body, or where one is expected; the body is there whole."""
    call = HttpCall(method=method, url="http://Example.com:8080/v1/x?y=1", headers={"X-A": "b"}, content=content)
    request = wire_request(call, {"timeout": {}})
    told = [] if length is None else [(b"Content-Length", length)]
    assert lines(request) == [(b"Host", b"example.com:8080"), (b"X-A", b"b"), *told]
    assert (request.method, request.url.raw_path, request.read()) == (method, b"/v1/x?y=1", content or b"")
    assert request.extensions == {"timeout": {}}
    assert isinstance(request.stream, httpx.ByteStream)


@pytest.mark.requirement("HTU-17")
def test_it_says_the_same_as_the_request_that_httpx_would_make() -> None:
    """Names in any case, values in any order: the same headers, URL and body."""
    call = HttpCall(method="POST", url="https://api.example.com/v1/é", headers={"Accept": "*/*"}, content=b"abc")
    made = httpx.Request(call.method, call.url, headers=dict(call.headers), content=call.content)
    mine = wire_request(call, {})
    assert mine.headers == made.headers
    assert (mine.url, mine.read()) == (made.url, made.read())


@pytest.mark.requirement("HTU-17")
def test_what_the_call_says_itself_is_not_said_twice() -> None:
    """Host, length and defaults, whatever the case of their names."""
    headers = {"HOST": "other", "content-LENGTH": "3", "Accept": "a"}
    call = HttpCall(method="POST", url="http://h/", headers=headers, content=b"abc")
    defaults = ((b"accept", b"*/*"), (b"user-agent", b"me"))
    assert lines(wire_request(call, {}, defaults)) == [
        (b"HOST", b"other"),
        (b"content-LENGTH", b"3"),
        (b"Accept", b"a"),
        (b"user-agent", b"me"),
    ]


@pytest.mark.requirement("HTU-17", "HTU-1004")
@pytest.mark.parametrize("headers", [{"x": "a\r\nhost: evil"}, {"x": "é"}, {"é": "x"}, {"x": None}])
def test_a_header_that_neither_protocol_can_send_is_refused_by_name(headers: dict[str, str]) -> None:
    """Its value is not shown."""
    with pytest.raises(PolicyFailure, match="must be printable ASCII") as caught:
        wire_request(HttpCall(method="GET", url="http://h/", headers=headers), {})
    assert "evil" not in str(caught.value)


def test_requests_of_one_url_share_nothing_that_can_be_changed() -> None:
    """The URL is parsed once; headers and extensions are each request's own."""
    call = HttpCall(method="GET", url="http://h/")
    first, second = wire_request(call, {}), wire_request(call, {})
    first.headers["x"] = "y"
    first.extensions["a"] = 1
    assert first.url == second.url
    assert "x" not in second.headers
    assert second.extensions == {}
