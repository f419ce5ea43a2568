"""
What a session is opened with, as a value. Pure: nothing here connects.

Spec: RT-01
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.call import encoded_headers
from http_util.errors import PolicyFailure
from http_util.urls import Origin, origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_util.config import HttpConfig
    from http_util.secret import Secret

HANDSHAKE_HEADERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)
"""Lower-case names of the headers that the handshake writes itself; nobody else may."""

# colon, space, CR and LF of a header line
_SEPARATORS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SocketOpening:
    """A session that has not been opened, and the rules under which it is. Durations are seconds."""

    url: str
    """Absolute, `ws://` or `wss://`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    http: HttpConfig
    """Egress, proxy, user agent and timers: `connect_timeout` bounds connecting, `first_byte_timeout` the answer."""
    timeout: float | None = None
    """Bounds the opening as a whole; None leaves it to the two timers."""
    secrets: tuple[Secret, ...] = ()
    """The credentials in it, to be removed from whatever the upstream says."""
    max_message_bytes: int
    """A larger message of the upstream ends the session."""
    max_queued: int = 16
    """Messages that are kept for the reader before the upstream is left waiting."""
    ping_interval: float | None = 20.0
    """Silence after which the upstream is asked for a sign of life; None: never."""
    ping_timeout: float = 20.0
    """Time that the sign of life may take."""
    close_timeout: float = 2.0
    """Time that the upstream may take to answer a goodbye; then the connection is closed without."""

    def __repr__(self) -> str:
        """Where to; neither headers nor a query, which may hold a key."""
        return f"<SocketOpening {self.url.partition('?')[0]}>"

    @property
    def origin(self) -> Origin:
        """Where the connection goes, under the scheme of HTTP that it begins with."""
        return origin_of(f"http{self.url.removeprefix('ws')}")

    def check(self) -> None:
        """
        Let the session be opened, or refuse it before anything is resolved.

        Raises:
            PolicyFailure: *egress_denied*, *configuration* or *malformed_request*: the host may not be called, or a
                header cannot be sent.

        Spec: SEC-11, HTU-17
        """
        origin = self.origin
        self.http.egress_policy.check(origin.scheme, origin.host, origin.port)
        size = sum(len(name) + len(value) + _SEPARATORS for name, value in encoded_headers(self.headers))
        if size > self.http.max_header_bytes:
            raise PolicyFailure(
                f"the request's headers have {size} bytes, max_header_bytes is {self.http.max_header_bytes}",
                reason="malformed_request",
                outcome=Outcome.NOT_SENT,
            )
