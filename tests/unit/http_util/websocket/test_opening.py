"""What a session is opened with, and what is refused before anything is resolved."""

from __future__ import annotations

from typing import Any

import pytest

from http_util.config import HttpConfig
from http_util.errors import PolicyFailure
from http_util.urls import Origin
from http_util.websocket.opening import SocketOpening


def opening(url: str = "wss://api.example/v1/realtime?model=m", **settings: Any) -> SocketOpening:
    """Return an opening for *url*."""
    given = {"http": HttpConfig(base_url="https://api.example/v1"), "max_message_bytes": 1000}
    return SocketOpening(url=url, **(given | settings))


@pytest.mark.requirement("RT-01")
@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("wss://api.example/v1/realtime", Origin("https", "api.example", 443)),
        ("ws://localhost:8000/v1/realtime", Origin("http", "localhost", 8000)),
        ("wss://[::1]:7/x", Origin("https", "::1", 7)),
    ],
)
def test_a_session_goes_where_its_handshake_would(url: str, origin: Origin) -> None:
    """The scheme is that of HTTP, with its port."""
    assert opening(url).origin == origin


@pytest.mark.requirement("RT-01", "SEC-11")
@pytest.mark.parametrize("url", ["wss://other.example/v1", "wss://api.example:444/v1", "ws://api.example/v1"])
def test_a_host_that_may_not_be_called_is_refused(url: str) -> None:
    """Another host, another port, and no TLS beyond this machine."""
    opening().check()
    with pytest.raises(PolicyFailure) as caught:
        opening(url).check()
    assert caught.value.reason == "egress_denied"


@pytest.mark.requirement("RT-01", "HTU-17")
def test_headers_are_bounded_and_printable() -> None:
    """As those of every other request; no value is shown."""
    with pytest.raises(PolicyFailure, match="max_header_bytes") as caught:
        opening(headers={"x-a": "y" * 40_000}).check()
    assert caught.value.reason == "malformed_request"
    with pytest.raises(PolicyFailure, match="'x-a'") as caught:
        opening(headers={"x-a": "my\r\nsecret"}).check()
    assert "secret" not in str(caught.value)


@pytest.mark.requirement("RT-01", "SEC-16")
def test_an_opening_shows_neither_headers_nor_parameters() -> None:
    """Both may hold a key."""
    shown = repr(opening("wss://api.example/v1?api-key=secret", headers={"authorization": "Bearer secret"}))
    assert shown == "<SocketOpening wss://api.example/v1>"
