"""
A retry budget: what retries may cost while an upstream is down.

Without one, every caller multiplies the load of an outage by its number of attempts. Each endpoint has a bucket of
tokens, in the manner of AWS's SDKs:

==================================  ======
event                               tokens
==================================  ======
a bucket at its beginning, full     500
a retry after a timeout             -10
any other retry                     -5
a retry succeeds                    back what it cost
a first attempt succeeds            +1
a second passes                     0
==================================  ======

First attempts cost nothing. An empty bucket means: fail now. So retries that fail too cannot be more than a fifth of
the first attempts that succeed, and a hundred besides: while nothing succeeds, an outage is met with a hundred retries
per endpoint and then with none, however many callers there are.

Pure: the time is an argument, and matters only where *per_second* is set. Tasks and threads may share a budget; a lock
is held for each booking.

Spec: HTU-1002, REL-04
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from http_util.errors import TimeoutFailure

if TYPE_CHECKING:
    from http_util.errors import HttpFailure

# The numbers of the "standard" retry mode of AWS's SDKs (botocore's retries/standard.py and quota.py, smithy-rs's
# token bucket, @aws-sdk/middleware-retry): years in production at every size of client.
CAPACITY: Final = 500.0
"""Tokens in a full bucket: a hundred retries may follow one another at once."""

RETRY_COST: Final = 5.0
"""What a retry costs."""

TIMEOUT_COST: Final = 10.0
"""What a retry after a timeout costs: the upstream may still be at work on the attempt before, so it adds more load."""

SUCCESS_CREDIT: Final = 1.0
"""What the success of a first attempt brings: in a steady state one failing retry for five of them."""

_MOST_ENDPOINTS: Final = 1024


class RetryBudget:
    """
    Token buckets by endpoint.

    >>> budget = RetryBudget(capacity=10)
    >>> [budget.spend("https://a:443", now=0.0, cost=5.0) for _ in range(3)]
    [True, True, False]
    >>> budget.credit("https://a:443", now=0.0, paid=5.0)
    >>> budget.available("https://a:443", now=0.0)
    5.0
    """

    __slots__ = ("_buckets", "_capacity", "_lock", "_per_second", "_retry_cost", "_success_credit", "_timeout_cost")

    def __init__(
        self,
        *,
        capacity: float = CAPACITY,
        retry_cost: float = RETRY_COST,
        timeout_cost: float = TIMEOUT_COST,
        success_credit: float = SUCCESS_CREDIT,
        per_second: float = 0.0,
    ) -> None:
        """
        Set the size of every bucket and the prices; each bucket starts full.

        Args:
            capacity: Most tokens in a bucket, at least the dearer retry.
            retry_cost: Tokens for a retry, above zero.
            timeout_cost: Tokens for a retry after a timeout, above zero.
            success_credit: Tokens that the success of a first attempt brings, zero or more.
            per_second: Tokens that come back per second, zero or more. Zero, as AWS has it, means that a silent client
                earns nothing; a client that calls seldom may want a few.

        Raises:
            ValueError: An argument is out of its range; the text names it.
        """
        for name, cost in (("retry_cost", retry_cost), ("timeout_cost", timeout_cost)):
            if not cost > 0:
                raise ValueError(f"{name} must be above zero tokens, not {cost!r}")
            if not capacity >= cost:
                raise ValueError(f"capacity must be {name} ({cost!r}) or more tokens, not {capacity!r}")
        for name, gain in (("success_credit", success_credit), ("per_second", per_second)):
            if not gain >= 0:
                raise ValueError(f"{name} must be zero or more tokens, not {gain!r}")
        self._capacity = float(capacity)
        self._retry_cost = float(retry_cost)
        self._timeout_cost = float(timeout_cost)
        self._success_credit = float(success_credit)
        self._per_second = float(per_second)
        self._lock = Lock()
        # endpoint -> (tokens, moment they were counted); the endpoint used longest ago is forgotten first
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def price(self, failure: HttpFailure) -> float:
        """Return the tokens that a retry after *failure* costs."""
        return self._timeout_cost if isinstance(failure, TimeoutFailure) else self._retry_cost

    def spend(self, endpoint: str, now: float, cost: float) -> bool:
        """
        Pay for a retry at *endpoint* and tell whether there were tokens enough; if not, none are taken.

        Args:
            endpoint: ``scheme://host:port``.
            now: Monotonic seconds.
            cost: From `price`.
        """
        with self._lock:
            tokens = self._tokens(endpoint, now)
            is_enough = tokens >= cost
            self._put(endpoint, tokens - cost if is_enough else tokens, now)
            return is_enough

    def credit(self, endpoint: str, now: float, paid: float = 0.0) -> None:
        """
        Note a success at *endpoint*.

        Args:
            endpoint: ``scheme://host:port``.
            now: Monotonic seconds.
            paid: What the attempt that succeeded had cost; it comes back. Zero means a first attempt.
        """
        with self._lock:
            # a full bucket is the same as none, and the common case
            if endpoint in self._buckets:
                self._put(endpoint, self._tokens(endpoint, now) + (paid or self._success_credit), now)

    def available(self, endpoint: str, now: float) -> float:
        """Return the tokens that *endpoint* has at the monotonic moment *now*."""
        with self._lock:
            return self._tokens(endpoint, now)

    def _tokens(self, endpoint: str, now: float) -> float:
        """Return the tokens of a bucket, with those that time has brought."""
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
            f"RetryBudget(capacity={self._capacity}, retry_cost={self._retry_cost}, timeout_cost={self._timeout_cost}, "
            f"success_credit={self._success_credit}, per_second={self._per_second}, "
            f"<{len(self._buckets)} endpoints in use>)"
        )
