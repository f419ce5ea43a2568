"""
What can go wrong with one HTTP call, as one small tree.

::

    HttpFailure                 never raised itself
    ├── TransportFailure        name resolution, connecting, TLS, or a connection that broke
    ├── TimeoutFailure          one of the timers ran out: connect, pool, write, first byte, idle
    ├── StatusFailure           the upstream answered with a status that is not a success
    ├── ProtocolFailure         the answer is not what HTTP, SSE or the asked-for media type allow
    ├── PolicyFailure           refused here, before anything was sent: egress, size limits, replay
    ├── DeadlineExceeded        the deadline of the whole call passed
    └── Interrupted             the owner closed the call or the client while it ran

Every failure carries an *outcome*, which says what the upstream may have done with the request, and a *reason*, the
stable name of what was recognised. Whoever decides about a retry, a status or a message reads these two, never text.

Spec: HTU-05, HTU-14, ERR-08, ERR-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from adapter_api.outcome import Attempt, Outcome
from http_util.redact import safe_identifier, safe_message

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_EXCERPT_BYTES: Final = 64 * 1024
"""How much of an error answer is kept, in bytes. Error objects of the API are far smaller."""


class HttpFailure(Exception):
    """
    A call that did not succeed, with the facts a caller needs to decide what to do.

    Only the subclasses are raised. Failures compare by value, pickle and copy. The body excerpt takes part in none of
    these and not in ``repr`` either, because an upstream may echo a prompt or a key in it.
    """

    reason: str
    """Stable snake_case name of what happened, one of `adapter_api.reasons.REASONS`."""
    outcome: Outcome
    """What the upstream may have done with the request."""
    message: str
    """What happened, redacted and at most 512 characters."""
    http_status: int | None
    """Status of the answer; None when none arrived."""
    retry_after: float | None
    """Pause the upstream asked for, in seconds, not negative; None when it named none."""
    should_retry: bool | None
    """The upstream's own word about a retry (``x-should-retry``); None when it gave none."""
    upstream_request_id: str | None
    """The id the upstream gave to the request, at most 128 printable characters."""
    body: bytes
    """The first 64 KiB of the answer's body, as received. Not redacted: never log it."""
    attempts: tuple[Attempt, ...]
    """The attempt ledger, oldest first. Filled in by the exchange when the failure leaves it."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        outcome: Outcome,
        http_status: int | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        upstream_request_id: str | None = None,
        body: bytes = b"",
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        """
        Describe a failure.

        Args:
            message: What happened; it is redacted, escaped and cut here.
            reason: Stable name, see the class attribute.
            outcome: What the upstream may have done.
            http_status: Status of the answer, if any.
            retry_after: Seconds the upstream asked to wait, if it did.
            should_retry: The upstream's own word about a retry, if given.
            upstream_request_id: The upstream's id of the request; cut and escaped here.
            body: Excerpt of the answer's body; cut to `BODY_EXCERPT_BYTES` here.
            attempts: The attempt ledger.

        Raises:
            TypeError: *HttpFailure* itself is instantiated.
        """
        if type(self) is HttpFailure:
            raise TypeError("HttpFailure is the root of the tree; raise one of its subclasses")
        self.message = safe_message(message)
        super().__init__(self.message)
        self.reason = reason
        self.outcome = outcome
        self.http_status = http_status
        self.retry_after = retry_after
        self.should_retry = should_retry
        self.upstream_request_id = safe_identifier(upstream_request_id) if upstream_request_id is not None else None
        self.body = body[:BODY_EXCERPT_BYTES]
        self.attempts = attempts

    def replace(self, **changes: Any) -> Self:
        """
        Return a copy with some facts changed; the cause and the traceback stay with the original.

        Args:
            changes: Any argument of the constructor, ``message`` included.
        """
        return type(self)(**({"message": self.message, "body": self.body} | self._facts() | changes))

    def _facts(self) -> dict[str, Any]:
        """Return everything but message and body."""
        return {
            "reason": self.reason,
            "outcome": self.outcome,
            "http_status": self.http_status,
            "retry_after": self.retry_after,
            "should_retry": self.should_retry,
            "upstream_request_id": self.upstream_request_id,
            "attempts": self.attempts,
        }

    def __eq__(self, other: object) -> bool:
        """Compare by class, message and facts; body and traceback do not count."""
        if not isinstance(other, HttpFailure):
            return NotImplemented
        return type(self) is type(other) and self.message == other.message and self._facts() == other._facts()

    def __hash__(self) -> int:
        """Hash by what identifies the failure."""
        return hash((type(self), self.message, self.reason, self.outcome, self.http_status))

    def __repr__(self) -> str:
        """Show the facts, never the body."""
        status = f", http_status={self.http_status}" if self.http_status is not None else ""
        return (
            f"{type(self).__name__}({self.message!r}, reason={self.reason!r}, outcome={self.outcome.value!r}{status})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the body."""
        return _rebuilt, (type(self), self.message, self._facts())

    def payload(self) -> dict[str, Any]:
        """
        The failure as JSON holds it: its class under `failure`, then message and facts, without the body.

        Spec: ERR-12
        """
        facts = {"failure": type(self).__name__, "message": self.message} | self._facts()
        return facts | {"outcome": self.outcome.value, "attempts": [attempt.as_dict() for attempt in self.attempts]}

    @staticmethod
    def from_payload(payload: Mapping[str, Any]) -> HttpFailure:
        """
        The failure that `payload` wrote; durations of attempts are kept to the millisecond.

        Raises:
            ValueError: The payload names no class of the tree.
        """
        facts = dict(payload)
        kind = _leaves().get(str(facts.pop("failure", None)))
        if kind is None:
            raise ValueError(f"payload must name one of {', '.join(sorted(_leaves()))} under 'failure'")
        facts["outcome"] = Outcome(facts["outcome"])
        facts["attempts"] = tuple(map(Attempt.from_dict, facts["attempts"]))
        return kind(**facts)


def _leaves() -> dict[str, type[HttpFailure]]:
    """Return the classes of the tree by their names."""
    return {kind.__name__: kind for kind in HttpFailure.__subclasses__()}


def _rebuilt(kind: type[HttpFailure], message: str, facts: dict[str, Any]) -> HttpFailure:
    """Return the failure that was pickled."""
    return kind(message, **facts)


class TransportFailure(HttpFailure):
    """The connection could not be made, or broke: name resolution, connecting, TLS, reset, early end."""


class TimeoutFailure(HttpFailure):
    """A timer of one phase ran out; *reason* says which: connect, pool, write, first byte or idle."""


class StatusFailure(HttpFailure):
    """The upstream answered, and the answer's status is not a success; *http_status* and *body* are set."""


class ProtocolFailure(HttpFailure):
    """The answer breaks the rules of HTTP, of SSE, or of the media type that was asked for."""


class PolicyFailure(HttpFailure):
    """A rule of this side refused the call before anything left the machine."""


class DeadlineExceeded(HttpFailure):
    """The deadline over the whole call passed, wherever the call was at that moment."""


class Interrupted(HttpFailure):
    """The owner closed the call, or the client under it, while it was running. Not the same as a timeout."""
