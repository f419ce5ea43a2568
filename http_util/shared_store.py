"""
Counts that processes and hosts share, in Redis or Valkey. The one room that knows the libraries `limits` and `redis`.

`limits` brings the store: its URIs, its client, its versions. Its strategies do not serve here: the sliding window
counter lets up to twice the limit through in a window that lies badly, the moving window cannot give anything back, and
none of them decides about several budgets at once. So one script does that, in one step and one round trip:

- A budget is a hash of slices, each a 60th of its window: number of the slice -> units that started in it.
- What started in the last 60 slices and in the current one counts. That is the window and up to a slice more, so there
  are never more than the limit in any window, and room comes back up to a 60th of the window late.
- A call starts if all its budgets have room for it, and then it is counted in all of them; else in none.
- The clock is the server's, so it does no harm when the clocks of hosts differ.
- Corrections of earlier calls come with the next one, before it is judged.

Spec: RL-01, RL-02
"""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from http_util.redact import redact_url
from http_util.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SLICES: Final = 60
"""Into how many slices a window is cut."""

MOST_CONNECTIONS: Final = 8
"""Connections to the store from one event loop."""

SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "redis+unix": "redis+unix",
    # the same client speaks to Valkey
    "valkey": "redis",
    "valkeys": "rediss",
    "valkey+unix": "redis+unix",
}
"""Schemes of a store's URL, and what they are to the client."""

_DATABASE: Final = re.compile("db=[0-9]+")

RESERVE: Final = """
-- KEYS: the hash of each budget.
-- ARGV: slices of a window; for each budget: its limit, microseconds of a slice, units to reserve;
--       then corrections, each: number of the budget, slice, units to add.
-- Returns {1, slice of each budget}, or {0, number of the budget in the way, microseconds until it is not}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slices = tonumber(ARGV[1])
local function text(whole) return string.format('%.0f', whole) end

for at = 2 + 3 * #KEYS, #ARGV, 3 do
  local key = KEYS[tonumber(ARGV[at])]
  if redis.call('HEXISTS', key, ARGV[at + 1]) == 1 then
    redis.call('HINCRBY', key, ARGV[at + 1], ARGV[at + 2])
  end
end

local granted, blocking, wait = {1}, 0, 0
for budget, key in ipairs(KEYS) do
  local limit, width, units = tonumber(ARGV[3 * budget - 1]), tonumber(ARGV[3 * budget]), tonumber(ARGV[3 * budget + 1])
  local current = math.floor(now / width)
  local counts, kept, used = redis.call('HGETALL', key), {}, 0
  for at = 1, #counts, 2 do
    local slice = tonumber(counts[at])
    if slice < current - slices then
      redis.call('HDEL', key, counts[at])
    else
      kept[#kept + 1] = {slice, tonumber(counts[at + 1])}
      used = used + tonumber(counts[at + 1])
    end
  end
  local excess = used + units - limit
  if excess > 0 then
    table.sort(kept, function(one, other) return one[1] < other[1] end)
    local free = now + width
    for _, part in ipairs(kept) do
      excess = excess - part[2]
      free = (part[1] + slices + 1) * width
      if excess <= 0 then break end
    end
    if free - now > wait then blocking, wait = budget, free - now end
  end
  granted[budget + 1] = text(current)
end
if blocking > 0 then return {0, blocking, text(wait)} end

for budget, key in ipairs(KEYS) do
  local width, units = tonumber(ARGV[3 * budget]), ARGV[3 * budget + 1]
  redis.call('HINCRBY', key, granted[budget + 1], units)
  redis.call('PEXPIRE', key, math.ceil((slices + 2) * width / 1000))
end
return granted
"""


WhenAway = Literal["open", "closed", "local"]
"""What happens to calls while the store is away; see `http_util.shared_limits`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """
    Where the counts are, and what happens without them.

    >>> StoreSettings(url=Secret("redis://:password@127.0.0.1:6379/0"), when_away="closed").place
    'redis://127.0.0.1:6379/0'
    """

    url: Secret
    """``redis://[user:password@]host:port/db``, or another of `SCHEMES`."""
    when_away: WhenAway
    """What happens while the store is away. There is no default, because none is right for everybody."""
    prefix: str = "rate"
    """Begins every key. Limiters with the same prefix share."""
    timeout: float = 0.25
    """Seconds for one question; above zero. A store in the same data centre answers in a thousandth of one."""
    away_pause: float = 1.0
    """Seconds for which a store that did not answer is left alone; zero or more."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            TypeError: *url* is no `Secret`.
            ValueError: A field is not what it must be; the text names it.
        """
        if not isinstance(self.url, Secret):
            raise TypeError("url must be a Secret, for it may hold a password")
        _client_url(self.url.reveal())
        if self.when_away not in get_args(WhenAway):
            raise ValueError(f"when_away must be one of {', '.join(get_args(WhenAway))}, not {self.when_away!r}")
        if not 0 < self.timeout < math.inf:
            raise ValueError(f"timeout must be above zero seconds, not {self.timeout!r}")
        if not 0 <= self.away_pause < math.inf:
            raise ValueError(f"away_pause must be zero or more seconds, not {self.away_pause!r}")

    @property
    def place(self) -> str:
        """The URL without credentials."""
        return redact_url(self.url.reveal())


class SharedBudget(NamedTuple):
    """One budget of a call, as the store knows it."""

    name: str
    """Part of its key."""
    seconds: float
    """Length of its window."""
    limit: int
    """Units that may start in a window."""
    units: int
    """Units that this call needs."""


class Correction(NamedTuple):
    """What an earlier call has used besides its estimate."""

    budget: int
    """Place among the call's budgets, from 0."""
    slice: int
    """Where it was counted."""
    units: int
    """To add; below zero to give back."""


class Reserved(NamedTuple):
    """A call that was counted."""

    slices: tuple[int, ...]
    """Where, for each budget."""


class Full(NamedTuple):
    """A call that was not counted."""

    budget: int
    """Place of the budget that stands in the way the longest, from 0."""
    wait: float
    """Seconds until it does not, if nobody else is faster."""


class StoreAway(Exception):
    """The store did not do what it was asked: it is not there, too slow, or not willing. The text names the error."""


class Store:
    """The store, as seen from one event loop."""

    def __init__(self, settings: StoreSettings) -> None:
        """Make ready; nothing is connected yet."""
        limits, redis = libraries()
        self._errors: type[Exception] = redis.RedisError
        storage: Any = limits.storage.storage_from_string(
            f"async+{_client_url(settings.url.reveal())}",
            implementation="redispy",
            socket_timeout=settings.timeout,
            socket_connect_timeout=settings.timeout,
            # two commands less at the beginning of each connection
            driver_info=None,
        )
        self._client: Any = storage.bridge.get_connection()
        self._reserve = self._client.register_script(RESERVE)
        self._prefix = settings.prefix
        # a connection that is waited for costs less than a thousand new ones
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)

    async def reserve(
        self, line: str, budgets: Sequence[SharedBudget], corrections: Iterable[Correction]
    ) -> Reserved | Full:
        """
        Count a call in all *budgets*, if all have room for it.

        Args:
            line: Whose budgets they are.
            budgets: At least one.
            corrections: What else is known of earlier calls of this line.

        Raises:
            StoreAway: Nobody knows whether the call was counted.
        """
        # what stands in braces decides where a cluster keeps a key: all of one line stand together
        keys = [f"{self._prefix}:{{{line}}}:{budget.name}" for budget in budgets]
        arguments: list[int] = [SLICES]
        for budget in budgets:
            arguments += (budget.limit, math.ceil(budget.seconds * 1e6 / SLICES), budget.units)
        for correction in corrections:
            arguments += (correction.budget + 1, correction.slice, correction.units)
        async with self._places:
            try:
                said, *rest = await self._reserve(keys, arguments)
            except (self._errors, OSError) as error:
                raise StoreAway(type(error).__name__) from None
        if said == 1:
            return Reserved(tuple(int(part) for part in rest))
        return Full(int(rest[0]) - 1, int(rest[1]) / 1e6)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _client_url(url: str) -> str:
    """
    Return *url* as the client wants it.

    Raises:
        ValueError: It is no URL of a store. The text shows its scheme at most, because the rest may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        shown = scheme if separator else ""
        raise ValueError(f"url must begin with one of {', '.join(f'{name}://' for name in SCHEMES)}, not {shown!r}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("url must have a host and a port from 0 to 65535, or none") from None
    # what else a client takes from a query can turn the check of certificates off
    if parts.query and not _DATABASE.fullmatch(parts.query):
        raise ValueError("url may have no query but db=NUMBER")
    return f"{SCHEMES[scheme]}://{rest}"


def libraries() -> tuple[Any, Any]:
    """
    Return the modules `limits` and `redis`.

    Raises:
        PolicyFailure: *configuration*: the extra is not installed.
    """
    try:
        import limits
        import redis
    except ModuleNotFoundError as error:
        raise PolicyFailure(
            f"a shared limiter needs the package {error.name}: install worker-adapters[shared]",
            reason="configuration",
            outcome=Outcome.NOT_SENT,
        ) from None
    return limits, redis
