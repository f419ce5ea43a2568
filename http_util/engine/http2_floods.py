"""
The guard against floods: frames that bring nothing forward are allowed at a rate, beyond it the connection ends.

Such frames are cheap to send and cost us work: pings and settings (each wants an answer), priorities, unknown types,
empty data, interim heads, window updates, frames of streams that are gone. None of them takes memory here, so the rate
is generous: it bounds the work, to less than a percent of a core, and lets pass what odd but honest peers do (RFC 9113,
10.5). Pure: the time is an argument.

Spec: HTU-02
"""

from __future__ import annotations

from typing import Final

from http_util.engine.http2_frames import ConnectionFault, ErrorCode

BURST: Final = 1000
"""Idle frames at once. Envoy allows as many answers to wait in its queue; 256 streams that are reset bring some 800."""

REFILL: Final = 1000.0
"""Idle frames a second. Ten streams of pings that measure a path of 10 ms are as many; each frame costs some 2 us."""

MAX_EXPLAINED: Final = 16 * 1024
"""
Most idle frames that our own doings explain. A body of 16 MiB in flight, taken in pieces of 2 KiB, brings as many
window updates, one for the stream and one for the connection.
"""

BYTES_EXPLAINING_ONE: Final = 1024
"""Bytes of a request's body that explain one idle frame: a server that reads little at a time gives windows so."""

FRAME_EXPLAINS: Final = 2
"""Idle frames that a piece of a body explains, small as it be: two window updates, where windows are narrow."""

REQUEST_EXPLAINS: Final = 4
"""Idle frames that a request explains, small as it be: two window updates and two empty frames."""

RESET_EXPLAINS: Final = 8
"""Idle frames that a reset explains: a head of 2 KiB, trailers, window updates and a reset may have been under way."""

BLOCK_BYTES_COUNTING_ONE: Final = 512
"""Bytes of a header block that nobody wants which count as one more frame: it has to be decoded all the same."""

STREAMS_COUNTING_ONE: Final = 8
"""Open streams for which settings count as one more frame: they may touch each stream's window."""


class FloodGuard:
    """
    Counts the idle frames of one connection in a leaky bucket.

    >>> guard = FloodGuard()
    >>> for _ in range(BURST):
    ...     guard.count(now=7.0)
    >>> guard.count(now=7.1)
    >>> guard.explain(1)
    >>> guard.count(now=7.1)
    """

    __slots__ = ("_allowed", "_explained", "_last")

    def __init__(self) -> None:
        self._allowed = float(BURST)
        self._explained = 0
        self._last: float | None = None

    def explain(self, frames: int) -> None:
        """Expect that many idle frames because of something that we do."""
        self._explained = min(MAX_EXPLAINED, self._explained + frames)

    def count(self, now: float, cost: int = 1) -> None:
        """
        Count one idle frame.

        Args:
            now: Monotonic seconds.
            cost: As how many it counts, because it takes that much more work.

        Raises:
            ConnectionFault: There were too many.
        """
        if self._explained >= cost:
            self._explained -= cost
            return
        if self._last is not None:
            self._allowed = min(BURST, self._allowed + (now - self._last) * REFILL)
        self._last = now
        self._allowed -= cost
        if self._allowed < 0:
            said = "the upstream sends more pings, settings, empty or unknown frames than a connection needs (10.5)"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, said)
