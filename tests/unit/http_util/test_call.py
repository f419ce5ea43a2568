"""A call and its answer as values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from adapter_api import Outcome
from http_util import HttpCall, HttpReply, ReplyHead, StatusFailure, Timeouts


@pytest.mark.requirement("HTU-05")
@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://api.example.com/v1/models", "https://api.example.com:443"),
        ("http://127.0.0.1/v1", "http://127.0.0.1:80"),
        ("http://[::1]:8000/v1?x=1", "http://[::1]:8000"),
        ("https://user:pass@host:8443/", "https://host:8443"),
    ],
)
def test_the_endpoint_is_scheme_host_and_port(url: str, endpoint: str) -> None:
    """Without path, query and credentials."""
    assert HttpCall(method="GET", url=url).endpoint == endpoint


@pytest.mark.requirement("HTU-1001", "HTU-03", "HTU-14")
def test_the_defaults_are_safe() -> None:
    """One attempt, not replay-safe, bounded phases; a failure is refined to itself."""
    call = HttpCall(method="POST", url="http://127.0.0.1/v1")
    assert (call.retry, call.replay_safe, call.deadline) == (None, False, None)
    assert call.timeouts == Timeouts(connect=5.0, pool=5.0, write=30.0, first_byte=30.0, idle=30.0)
    failure = StatusFailure("m", reason="server_error", outcome=Outcome.UNKNOWN)
    assert call.refine(failure) is failure
    with pytest.raises(FrozenInstanceError):
        call.method = "GET"  # type: ignore[misc]


@pytest.mark.requirement("ERR-12", "HTU-1004")
def test_no_repr_shows_headers_or_bodies() -> None:
    """They hold credentials and prompts."""
    call = HttpCall(method="POST", url="http://h/", headers={"authorization": "Bearer hidden"}, content=b"hidden")
    head = ReplyHead(status=200, headers={"x": "hidden"}, http_version="HTTP/2", attempts=(), upstream_request_id=None)
    assert "hidden" not in repr((call, head, HttpReply(head=head, body=b"hidden")))


@pytest.mark.requirement("HTU-14")
def test_the_engine_is_told_the_timers_that_only_it_can_keep() -> None:
    """And how long a read may take, where nobody else keeps that time."""
    timeouts = Timeouts(connect=1.0, pool=2.0, write=None)
    assert timeouts.for_engine(read=3.0, head=4.0) == {
        "connect": 1.0,
        "pool": 2.0,
        "write": None,
        "read": 3.0,
        "head": 4.0,
    }
    assert timeouts.for_engine(read=None, head=None)["read"] is None
