"""What the end of a session means, and what a handshake without success means."""

from __future__ import annotations

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidUpgrade
from websockets.frames import Close
from websockets.http11 import Response

from adapter_api.outcome import Outcome
from http_util.errors import Interrupted, ProtocolFailure, StatusFailure, TransportFailure
from http_util.secret import Secret
from http_util.websocket.endings import Ending, ending_of, handshake_failure, interruption, is_over

KEY = "sk-test-0123456789abcdef"


def ended(rcvd: Close | None, sent: Close | None, *, is_ours: bool = False) -> Ending:
    """Return what the end of a session means: the peer spoke first wherever both did, unless this side asked for it."""
    first = None if rcvd is None or sent is None else not is_ours
    return ending_of(ConnectionClosedError(rcvd, sent, first), is_ours=is_ours, secrets=[Secret(KEY)])


@pytest.mark.requirement("RT-02")
@pytest.mark.parametrize(
    ("rcvd", "sent", "is_ours", "code", "is_normal"),
    [
        (Close(1000, ""), Close(1000, ""), False, 1000, True),
        (Close(1000, ""), None, False, 1000, True),
        (Close(1005, ""), Close(1005, ""), False, 1005, True),
        (Close(1001, ""), Close(1001, ""), False, 1001, False),
        (Close(1011, ""), Close(1011, ""), False, 1011, False),
        (Close(4000, ""), None, False, 4000, False),
        (None, Close(1002, ""), False, 1002, False),
        (None, Close(1009, ""), False, 1009, False),
        (None, None, False, 1006, False),
        (Close(1000, ""), Close(1000, ""), True, 1000, True),
        (Close(4000, ""), Close(4000, ""), True, 4000, True),
        (None, Close(1000, ""), True, 1000, True),
        (None, None, True, 1006, True),
    ],
)
def test_every_end_is_normal_or_is_not(
    rcvd: Close | None, sent: Close | None, is_ours: bool, code: int, is_normal: bool
) -> None:
    """By who ended it and with which code; the table of the module, row by row."""
    ending = ended(rcvd, sent, is_ours=is_ours)
    assert (ending.code, ending.is_normal) == (code, is_normal)


@pytest.mark.requirement("RT-02")
def test_an_end_says_who_and_why_without_the_key() -> None:
    """The upstream's words are redacted and escaped, the code has its standard name."""
    ending = ended(Close(1008, f"bad key {KEY}\x1b[31m"), None)
    assert ending.reason == "bad key ****\\u001b[31m"
    assert ending.sentence == (
        "the upstream closed the session with code 1008 (policy violation): bad key ****\\u001b[31m"
    )
    assert ended(None, Close(1002, "unexpected opcode")).sentence == (
        "this side closed the session with code 1002 (protocol error): unexpected opcode"
    )
    assert ended(Close(4321, ""), None).sentence == "the upstream closed the session with code 4321"
    assert ended(None, None).sentence == "the connection was lost without a goodbye"


@pytest.mark.requirement("RT-02")
def test_an_end_becomes_the_failure_of_who_waits() -> None:
    """Lost connections are a reset, other ends truncate; who goes on after a normal one is told that it is over."""
    lost, broken = interruption(ended(None, None)), interruption(ended(Close(1011, ""), None))
    assert isinstance(lost, TransportFailure)
    assert (lost.reason, lost.outcome) == ("reset", Outcome.PARTIAL)
    assert (broken.reason, broken.outcome) == ("truncated", Outcome.PARTIAL)
    over = is_over(ended(Close(1000, ""), None))
    assert isinstance(over, Interrupted)
    assert over.reason == "closed"


@pytest.mark.requirement("RT-01")
def test_a_status_is_classified_by_the_table_of_all_calls() -> None:
    """With the body and what the headers say."""
    headers = Headers({"Retry-After": "7", "X-Request-Id": f"req-{KEY}"})
    failure = handshake_failure(InvalidStatus(Response(429, "No", headers, b"{}")), 0.0, [Secret(KEY)])
    assert isinstance(failure, StatusFailure)
    assert (failure.reason, failure.retry_after, failure.body, failure.upstream_request_id) == (
        "rate_limited",
        7.0,
        b"{}",
        "req-****",
    )


@pytest.mark.requirement("RT-01")
def test_an_answer_that_is_none_and_one_that_ends_early_are_told_apart() -> None:
    """Neither quotes what the upstream said."""
    early = InvalidMessage("did not receive a valid HTTP response")
    early.__cause__ = EOFError("connection closed while reading HTTP status line")
    for error in (early, ConnectionResetError(104, "reset")):
        failure = handshake_failure(error, 0.0)
        assert (type(failure), failure.reason, failure.outcome) == (TransportFailure, "reset", Outcome.UNKNOWN)
    garbage = InvalidMessage("did not receive a valid HTTP response")
    garbage.__cause__ = ValueError(f"invalid HTTP status line: {KEY}")
    for error, status in ((garbage, None), (InvalidUpgrade("Upgrade", KEY), 101)):
        failure = handshake_failure(error, 0.0)
        assert (type(failure), failure.reason, failure.http_status) == (ProtocolFailure, "protocol", status)
        assert KEY not in str(failure)
