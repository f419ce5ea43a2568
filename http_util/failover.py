"""
Failover: the same call at an equivalent endpoint, when one cannot be reached or says that it will not answer.

Equivalent endpoints are a list that somebody wrote: the same API and the same models, each with credentials of its own.
Nothing is ever sent to another provider, or for another model, because something failed.

==================================================================  ========  =========================
failure                                                             outcome   tried at the next endpoint
==================================================================  ========  =========================
no connection: DNS, connect, handshake cut; open circuit            NOT_SENT  yes
503, 529                                                            REJECTED  yes
500, 501, 502, 504, 52x                                             UNKNOWN   with ``after_unknown``, and a call
                                                                              that may be processed twice
anything after the first event                                      PARTIAL   never
everything else                                                     any       no
==================================================================  ========  =========================

An endpoint that failed so is asked last for `cooldown` seconds. Pure: the time is an argument.

Spec: FO-01, FO-02
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapter_api.outcome import Outcome
from http_util.frames import made_unseen
from http_util.telemetry import notify
from http_util.urls import check_url, origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_util.errors import HttpFailure

COOLDOWN: Final = 30.0
"""Seconds for which an endpoint that failed is asked last."""

MOVED_NOT_SENT: Final = frozenset({"circuit_open", "connect_timeout", "connection_failed", "dns_failed", "reset"})
"""Reasons that lead to the next endpoint when nothing was sent. A wrong certificate is not one to go around."""

MOVED_REJECTED: Final = frozenset({"overloaded", "service_unavailable"})
"""Reasons that lead there when the upstream says that it refused."""

MOVED_UNKNOWN: Final = frozenset({"bad_gateway", "gateway_timeout", "server_error"})
"""Reasons that lead there only where somebody accepted that the call may be processed, and billed, twice."""


class Authorizes(Protocol):
    """What gives the headers of one call, and the secrets in them; `openai_client.auth.Auth` does."""

    def authorize(self) -> Any:
        """An object with `headers` (a mapping) and `secrets` (a tuple of `Secret`)."""


@made_unseen
@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    One equivalent endpoint.

    Example:
        >>> Endpoint(base_url="https://EU.example/v1/").base_url
        'https://eu.example/v1'
    """

    base_url: str
    """Root of the same API, as the client's own `base_url`."""
    auth: Authorizes | None = None
    """Its credentials, which no other endpoint gets to see; None sends none."""

    def __post_init__(self) -> None:
        """
        Write the URL in its normal form.

        Raises:
            ValueError: It cannot be used; the text names `failover.base_url`.
        """
        field = "failover.base_url"
        # whether a host may be called without TLS is the egress policy's to say, with every call
        url = check_url(self.base_url, field=field, plain_http_hosts=[origin_of(self.base_url, field=field).host])
        # the dataclass is frozen
        object.__setattr__(self, "base_url", url)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverRecord:
    """What hooks get in ``on_failover``."""

    endpoint: str
    """`scheme://host:port` that failed."""
    next_endpoint: str
    """Where the call goes now."""
    failure: HttpFailure
    """What happened; its message is redacted, its body is not and must not be logged."""
    request_id: str | None
    """The caller's id of the request."""


class Failover:
    """
    Where a call goes next. One object may be shared by any number of calls, tasks and threads.

    Example:
        >>> failover = Failover([Endpoint(base_url="https://b.example/v1")], cooldown=30.0)
        >>> failover.route(["https://a:443", "https://b:443"], now=0.0)
        [0, 1]
        >>> failover.failed("https://a:443", now=1.0)
        >>> failover.route(["https://a:443", "https://b:443"], now=30.9)
        [1, 0]
        >>> failover.route(["https://a:443", "https://b:443"], now=31.0)
        [0, 1]

    Spec: FO-01
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        *,
        max_hops: int | None = None,
        cooldown: float = COOLDOWN,
        after_unknown: bool = False,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Set the list.

        Args:
            endpoints: Beside the one that is called anyway, in the order in which they are asked.
            max_hops: Most other endpoints that one attempt goes to, at least 1; None for all.
            cooldown: Seconds for which an endpoint that failed is asked last; zero or more.
            after_unknown: Whether a 5xx leads to the next endpoint too, after which the upstream may have processed,
                and billed, the call. Only calls that may be processed twice go on then.
            hooks: Objects with ``on_failover``, which takes a `FailoverRecord`.

        Raises:
            ValueError: There is no endpoint, one stands there twice, or a number is out of its range.
        """
        self.endpoints = tuple(endpoints)
        """The list."""
        urls = [endpoint.base_url for endpoint in self.endpoints]
        if not urls:
            raise ValueError("endpoints must hold at least one endpoint beside the one that is called anyway")
        if len(set(urls)) < len(urls):
            raise ValueError("endpoints must not hold the same base_url twice")
        if max_hops is not None and max_hops < 1:
            raise ValueError(f"max_hops must be 1 or more, or None for all endpoints, not {max_hops!r}")
        if not cooldown >= 0:
            raise ValueError(f"cooldown must be zero or more seconds, not {cooldown!r}")
        self.max_hops = len(urls) if max_hops is None else max_hops
        """Most other endpoints that one attempt goes to."""
        self.cooldown = cooldown
        """Seconds for which an endpoint that failed is asked last."""
        self.after_unknown = after_unknown
        """Whether a 5xx of unknown outcome leads to the next endpoint."""
        self._hooks = hooks
        # endpoint -> the moment at which it is asked in its own turn again
        self._cooling: dict[str, float] = {}

    def place_of(self, base_url: str) -> int | None:
        """Return where the list names *base_url*, in its normal form; None when it does not, as it should be."""
        return next((n for n, endpoint in enumerate(self.endpoints) if endpoint.base_url == base_url), None)

    def __repr__(self) -> str:
        """The endpoints and the numbers; no credential."""
        urls = ", ".join(endpoint.base_url for endpoint in self.endpoints)
        return f"Failover([{urls}], max_hops={self.max_hops}, cooldown={self.cooldown:g})"

    def route(self, endpoints: Sequence[str], now: float) -> list[int]:
        """
        Return which of *endpoints* to ask, in order: as listed, those that failed just now behind the others.

        Args:
            endpoints: `scheme://host:port` of the call's own endpoint, then of the others.
            now: Monotonic seconds.
        """
        order = sorted(range(len(endpoints)), key=lambda n: self._cooling.get(endpoints[n], now) > now)
        return order[: self.max_hops + 1]

    def moves(self, failure: HttpFailure, *, replay_safe: bool) -> bool:
        """Tell whether a call goes on to the next endpoint after *failure*; the table above."""
        match failure.outcome:
            case Outcome.NOT_SENT:
                return failure.reason in MOVED_NOT_SENT
            case Outcome.REJECTED:
                return failure.reason in MOVED_REJECTED
            case Outcome.UNKNOWN:
                return self.after_unknown and replay_safe and failure.reason in MOVED_UNKNOWN
            case _:
                return False

    def failed(self, endpoint: str, now: float) -> None:
        """Ask *endpoint* last for a while."""
        self._cooling[endpoint] = now + self.cooldown

    def served(self, endpoint: str) -> None:
        """Ask *endpoint* in its own turn again: it answered."""
        if self._cooling:
            self._cooling.pop(endpoint, None)

    def tell(self, record: FailoverRecord) -> None:
        """Tell the hooks that a call moves."""
        notify(self._hooks, "on_failover", record)
