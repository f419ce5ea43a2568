"""
One HTTP call as a value, and what comes back of it. Pure: nothing here sends anything.

Spec: HTU-1001, HTU-03, HTU-14
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from http_util.streamed_body import StreamedBody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapter_api.outcome import Attempt
    from http_util.deadline import Deadline
    from http_util.errors import StatusFailure
    from http_util.resilience import Layer
    from http_util.retry import RetryPolicy
    from http_util.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """
    The timers of one attempt, in seconds; None leaves a phase to the deadline alone.

    Spec: ADP-33
    """

    connect: float | None = 5.0
    """Until the connection, TLS included, is made."""
    pool: float | None = 5.0
    """Until a connection is free, where their number is limited."""
    write: float | None = 30.0
    """Until the upstream takes the next piece of the request."""
    first_byte: float | None = 30.0
    """From the start of the attempt, or the end of a streamed body, until the head of the answer is there."""
    idle: float | None = 30.0
    """Between two pieces of the answer. Comments and pings count as pieces."""

    def for_engine(self, *, read: float | None, head: float | None) -> dict[str, float | None]:
        """
        The timers that only an engine can keep, because only it knows its phases, in the form of httpx's extension.

        Args:
            read: Seconds that it shall bound a read by; None when somebody else does.
            head: Seconds that our own engine shall wait for the head; httpx's does not know the word, and reads.
        """
        return {"connect": self.connect, "pool": self.pool, "write": self.write, "read": read, "head": head}


def _unchanged(failure: StatusFailure) -> StatusFailure:
    return failure


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Target:
    """Another endpoint for the same call, with what is sent there instead."""

    url: str
    """Absolute."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All of them: the call's own, with this endpoint's credentials in place of the others."""

    def __repr__(self) -> str:
        """Where to; no query, which may hold a key."""
        return f"Target({_endpoint(self.url)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HttpCall:
    """A request that has not been sent, and the rules under which it is."""

    method: str
    url: str
    """Absolute."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | StreamedBody | None = field(default=None, repr=False)
    """The body: whole, or read while it is sent."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    deadline: Deadline | None = None
    """Ends the call wherever it is: waiting, connecting, pausing between attempts, or streaming."""
    retry: RetryPolicy | None = None
    """None means one attempt."""
    replay_safe: bool = False
    """Whether it does no harm when the upstream processes the request twice."""
    refine: Callable[[StatusFailure], StatusFailure] = _unchanged
    """Reads an error answer's body and returns the failure with a finer reason, before a retry is decided on."""
    secrets: tuple[Secret, ...] = ()
    """The credentials in it, to be removed from whatever the upstream says."""
    family: str = ""
    """The kind of operation, such as `chat`: limits may differ by it."""
    request_id: str | None = None
    """The caller's id of the request, for hooks."""
    tokens: int = 0
    """What the call will cost in tokens, as far as that can be guessed; 0 when it cannot."""
    count_tokens: Callable[[bytes], int | None] | None = None
    """Reads from a whole answer what the call has cost; asked only where a limiter counts."""
    alternatives: tuple[Target, ...] = ()
    """Equivalent endpoints, in order; used only where there is failover."""
    layers: frozenset[Layer] | None = None
    """The only layers that stand around this call; None: all that there are."""

    def __repr__(self) -> str:
        """What is asked of whom, by when; neither headers nor body, nor a query, which may hold a key."""
        return f"<HttpCall {self.method} {self.endpoint}{urlsplit(self.url).path}, {self.timeouts}, {self.deadline}>"

    @property
    def endpoint(self) -> str:
        """`scheme://host:port`, as the attempt ledger names it."""
        return _endpoint(self.url)

    @property
    def can_be_sent(self) -> bool:
        """Whether there is a body to send: one that is read while it is sent may be used up."""
        return not isinstance(self.content, StreamedBody) or self.content.can_begin

    def wants(self, layer: Layer) -> bool:
        """Tell whether *layer* stands around this call, where there is one."""
        return self.layers is None or layer in self.layers


@dataclass(frozen=True, slots=True)
class LimitedCall:
    """What a limiter needs to know of a call."""

    endpoint: str
    """`scheme://host:port`."""
    family: str
    """The kind of operation."""
    request_id: str | None
    """The caller's id of the request."""
    tokens: int
    """The estimated cost."""

    @classmethod
    def of(cls, call: HttpCall) -> Self:
        """What it needs to know of *call*."""
        return cls(call.endpoint, call.family, call.request_id, call.tokens)


# a URL is called again and again; the bound is for a client that puts ids into its paths
@lru_cache(maxsize=256)
def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def encoded_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """
    Return headers as they go out, if either protocol can send them, whatever the engine would make of them.

    Raises:
        PolicyFailure: A name or a value is not printable ASCII; the text names the header and shows no value.

    Spec: HTU-17
    """
    encoded = []
    for name, value in headers.items():
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not name.isascii():
            raise PolicyFailure(
                f"header {name!r}: a name and a value must be printable ASCII (value not shown)",
                reason="configuration",
                outcome=Outcome.NOT_SENT,
            )
        encoded.append((name.encode("ascii"), value.encode("ascii")))
    return encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHead:
    """What is known of an answer when its head has arrived."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name; of a repeated header, the first value."""
    http_version: str
    """`HTTP/1.1` or `HTTP/2`."""
    attempts: tuple[Attempt, ...]
    """The ledger of the call, the successful attempt last."""
    upstream_request_id: str | None

    @property
    def endpoint(self) -> str:
        """
        The endpoint that answered, as `scheme://host:port`.

        Spec: FO-02
        """
        return self.attempts[-1].endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A whole answer."""

    head: ReplyHead
    body: bytes = field(repr=False)
