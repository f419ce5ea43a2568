"""
What the end of a session, or a handshake that failed, means. Pure.

| who ended it, and how | what it is |
|---|---|
| this side, by `close` | the normal end |
| the upstream, with code 1000 or with a goodbye that holds no code | the normal end |
| the upstream, with any other code, 1001 ("going away") included | `TransportFailure`, *truncated* |
| this side, because the upstream broke the protocol, said too much, or gave no sign of life | the same |
| nobody: the connection is gone without a goodbye | `TransportFailure`, *reset* |

Spec: RT-01, RT-02, ERR-09
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from websockets.exceptions import InvalidMessage, InvalidStatus

from adapter_api.outcome import Outcome
from http_util.classify import classify_status
from http_util.errors import HttpFailure, Interrupted, ProtocolFailure, TransportFailure
from http_util.redact import safe_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.exceptions import ConnectionClosed

    from http_util.secret import Secret

NORMAL: Final = 1000
"""The code of a session that is over because all is said."""
NO_CODE: Final = 1005
"""Stands for a goodbye that holds no code."""
ABNORMAL: Final = 1006
"""Stands for a connection that is gone without a goodbye."""

_NAMES: Final = {
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}


class Ending(NamedTuple):
    """How a session ended."""

    code: int
    """The code of the goodbye (RFC 6455, 7.4), `NO_CODE` or `ABNORMAL`."""
    reason: str
    """What was said with it, redacted; may be empty."""
    is_normal: bool
    """Whether nothing is missing."""
    sentence: str
    """Who ended it and why, for a message."""


def ending_of(closed: ConnectionClosed, *, is_ours: bool, secrets: Iterable[Secret] = ()) -> Ending:
    """
    Return how a session ended.

    Args:
        closed: What the library says.
        is_ours: Whether this side has asked for the end.
        secrets: The credentials of the session, which the upstream may repeat.
    """
    said = closed.rcvd or closed.sent
    if said is None:
        return Ending(ABNORMAL, "", is_ours, "the connection was lost without a goodbye")
    reason = safe_message(said.reason, [secret.reveal() for secret in secrets])
    by_peer = closed.rcvd is not None and closed.rcvd_then_sent is not False
    who = "the upstream" if by_peer else "this side"
    sentence = f"{who} closed the session with code {said.code}{_explained(said.code, reason)}"
    is_normal = said.code in {NORMAL, NO_CODE} if by_peer else is_ours
    return Ending(int(said.code), reason, is_normal, sentence)


def _explained(code: int, reason: str) -> str:
    """Return the standard name of a code and what was said with it."""
    name = f" ({_NAMES[code]})" if code in _NAMES else ""
    return f"{name}: {reason}" if reason else name


def interruption(ending: Ending) -> TransportFailure:
    """Return the failure of a session whose end was not the normal one."""
    return TransportFailure(
        ending.sentence, reason="reset" if ending.code == ABNORMAL else "truncated", outcome=Outcome.PARTIAL
    )


def is_over(ending: Ending) -> Interrupted:
    """Return the failure of who goes on with a session that has ended normally."""
    return Interrupted(f"the session is over: {ending.sentence}", reason="closed", outcome=Outcome.NOT_SENT)


def handshake_failure(error: Exception, now_epoch: float, secrets: Iterable[Secret] = ()) -> HttpFailure:
    """
    Return the failure that a handshake without success stands for.

    Args:
        error: What the library raised.
        now_epoch: Seconds since the epoch, for the dates in an answer.
        secrets: The credentials of the session.
    """
    if isinstance(error, InvalidStatus):
        response = error.response
        return classify_status(
            response.status_code, response.headers.raw_items(), bytes(response.body), now_epoch, secrets
        )
    if isinstance(error, OSError) or (isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError)):
        message = "the upstream closed the connection before it answered the handshake"
        return TransportFailure(message, reason="reset", outcome=Outcome.UNKNOWN)
    # the library's own words may quote what the upstream answered
    return ProtocolFailure(
        f"the upstream's answer is no WebSocket handshake ({type(error).__name__})",
        reason="protocol",
        outcome=Outcome.UNKNOWN,
        http_status=int(HTTPStatus.SWITCHING_PROTOCOLS) if not isinstance(error, InvalidMessage) else None,
    )
