"""
What the simulator saw: one record per request, with how the client left and when.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_EXCHANGES: Final = 20_000
"""How many records are kept; the oldest go first."""
_MAX_BODY: Final = 65_536
_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"})


class Exchange(msgspec.Struct, kw_only=True):
    """
    One request and what became of it. Times are seconds of the monotonic clock, which all processes of a machine share.

    Spec: SIM-08
    """

    number: int
    """Counts requests from 1 and goes on through a reset of the log; also in the request id header."""
    connection: int
    """Counts connections from 1: requests with the same number shared one."""
    protocol: str
    """`http/1.1` or `h2`."""
    method: str
    path: str
    """With the query."""
    headers: list[tuple[str, str]]
    """As received, names in lower case; credentials are replaced by `sha256:` and 12 hexadecimal digits."""
    has_authorization: bool
    """A key came along, in whichever header."""
    body: str
    """The first 64 KiB of the body, as text."""
    body_bytes: int
    body_sha256: str
    faults: dict[str, object]
    """The faults that were applied."""
    received_at: float
    """The request was complete."""
    status: int | None = None
    head_at: float | None = None
    """The head was handed to the connection."""
    first_token_at: float | None = None
    tokens: int = 0
    """Tokens generated and handed to the connection; where a client left early, the token it left at."""
    bytes_sent: int = 0
    """Bytes of the body handed to the connection."""
    left: str = "open"
    """`open` (still going), `completed`, `disconnected` (FIN), `reset` (RST, RST_STREAM), or `cut` (by a fault)."""
    ended_at: float | None = None
    """When it ended, in whichever way: from here on nothing is generated."""


class Seen(msgspec.Struct, kw_only=True):
    """
    The answer of GET /_sim/log.

    Spec: SIM-08
    """

    exchanges: list[Exchange]
    """Requests in the order they came; those to the control paths are left out."""
    open_connections: int
    """Connections open now, without those that carry control requests."""
    accepted_connections: int
    """Connections accepted since the start, without those."""


class ExchangeLog:
    """
    The records of one server. Not safe for threads; lives in the event loop's.
    """

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=MAX_EXCHANGES)
        self._open = 0
        self._settled: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<ExchangeLog {len(self._exchanges)} exchanges, {self._open} open>"

    @property
    def is_settled(self) -> bool:
        """
        No exchange is going on.
        """
        return self._open == 0

    def add(self, exchange: Exchange) -> None:
        """
        Take up a request that has just come.
        """
        self._exchanges.append(exchange)
        self._open += 1

    def end(self, exchange: Exchange, left: str, now: float) -> None:
        """
        Note how and when an exchange ended, and wake whoever waits for the last one.
        """
        exchange.left = left
        exchange.ended_at = now
        self._open -= 1
        if self.is_settled:
            waiting, self._settled = self._settled, []
            for callback in waiting:
                callback()

    def since(self, number: int) -> list[Exchange]:
        """
        Give the records whose number is above *number*, in order.
        """
        return [exchange for exchange in self._exchanges if exchange.number > number]

    def clear(self) -> None:
        """
        Forget all records; exchanges that go on are still counted.
        """
        self._exchanges.clear()

    def when_settled(self, callback: Callable[[], None]) -> None:
        """
        Call back once no exchange is going on; at once if that is so.
        """
        if self.is_settled:
            callback()
        else:
            self._settled.append(callback)


def masked(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """
    Replace the values of headers that carry credentials by a fingerprint of them.

    Args:
        headers: Names in lower case.

    Returns:
        The same headers, in order.
    """
    return [(name, _fingerprint(value) if name in _SECRET_HEADERS else value) for name, value in headers]


def carries_key(headers: Iterable[tuple[str, str]]) -> bool:
    """
    Tell whether a credential came along.
    """
    return any(name in _SECRET_HEADERS and name != "cookie" for name, _ in headers)


def shown_body(body: bytes) -> str:
    """
    Give the beginning of a body as text.
    """
    return body[:_MAX_BODY].decode("utf-8", "replace")


def _fingerprint(value: str) -> str:
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
