"""
A retry budget: what retries may cost while an upstream is down.

Without one, every caller multiplies the load of an outage by its number of attempts. Each endpoint has a bucket: a
retry takes one token, time and successes put tokens back. An empty bucket means: fail now. First attempts cost
nothing.

Pure: the time is an argument. One budget belongs to one event loop; sharing it between threads can let a retry too many
through, never harm anything else.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

CAPACITY: Final = 20.0
"""Retries that may follow one another at once."""

PER_SECOND: Final = 1.0
"""Tokens that come back every second."""

PER_SUCCESS: Final = 0.1
"""Tokens that a success brings: in a steady state one retry for ten successes, as gRPC and Finagle have it."""

_MOST_ENDPOINTS: Final = 1024


class RetryBudget:
    """
    Token buckets by endpoint.

    >>> budget = RetryBudget(capacity=1, per_second=0.5)
    >>> (
    ...     budget.spend("https://a:443", now=0.0),
    ...     budget.spend("https://a:443", now=1.0),
    ...     budget.spend("https://a:443", now=2.0),
    ... )
    (True, False, True)
    """

    __slots__ = ("_buckets", "_capacity", "_per_second", "_per_success")

    def __init__(
        self,
        *,
        capacity: float = CAPACITY,
        per_second: float = PER_SECOND,
        per_success: float = PER_SUCCESS,
    ) -> None:
        """
        Set the size of every bucket; each starts full.

        Args:
            capacity: Most tokens in a bucket, at least 1.
            per_second: Tokens that come back per second, zero or more.
            per_success: Tokens that a success brings, zero or more.

        Raises:
            ValueError: An argument is out of its range.
        """
        if not capacity >= 1:
            msg = f"capacity must be 1 or more retries, not {capacity!r}"
            raise ValueError(msg)
        if not per_second >= 0 or not per_success >= 0:
            msg = f"per_second and per_success must be zero or more, not {per_second!r} and {per_success!r}"
            raise ValueError(msg)
        self._capacity = float(capacity)
        self._per_second = per_second
        self._per_success = per_success
        # endpoint -> (tokens, moment they were counted); the endpoint used longest ago is forgotten first
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, endpoint: str, now: float) -> bool:
        """
        Take one token for a retry at *endpoint* and tell whether there was one.

        Args:
            endpoint: ``scheme://host:port``.
            now: Monotonic seconds.
        """
        tokens = self.available(endpoint, now)
        allowed = tokens >= 1
        self._put(endpoint, tokens - 1 if allowed else tokens, now)
        return allowed

    def credit(self, endpoint: str, now: float) -> None:
        """Note a success at *endpoint*."""
        # a full bucket is the same as none, and the common case
        if endpoint in self._buckets:
            self._put(endpoint, min(self._capacity, self.available(endpoint, now) + self._per_success), now)

    def available(self, endpoint: str, now: float) -> float:
        """Return the tokens that *endpoint* has at the monotonic moment *now*."""
        tokens, counted = self._buckets.get(endpoint, (self._capacity, now))
        return min(self._capacity, tokens + max(0.0, now - counted) * self._per_second)

    def _put(self, endpoint: str, tokens: float, now: float) -> None:
        """Store a bucket and forget what is not needed."""
        if tokens >= self._capacity:
            self._buckets.pop(endpoint, None)
            return
        self._buckets[endpoint] = (tokens, now)
        self._buckets.move_to_end(endpoint)
        if len(self._buckets) > _MOST_ENDPOINTS:
            self._buckets.popitem(last=False)

    def __repr__(self) -> str:
        """Show the settings and how many endpoints are below their capacity."""
        return (
            f"RetryBudget(capacity={self._capacity}, per_second={self._per_second}, per_success={self._per_success}, "
            f"<{len(self._buckets)} endpoints in use>)"
        )
