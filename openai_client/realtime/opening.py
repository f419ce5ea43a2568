"""
From the client's settings to what a session is opened with. Pure: the credentials are an argument.

Spec: RT-01, CLI-08, SEC-11
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote, urlencode

from adapter_api.correlation import CORRELATION_HEADER, correlation_id
from http_util.redact import credentials_in
from http_util.secret import Secret
from http_util.websocket.opening import HANDSHAKE_HEADERS, SocketOpening
from openai_client.auth import merged_headers
from openai_client.environment import realtime_url
from openai_client.errors import InvalidConfiguration, InvalidFieldValue
from openai_client.operation import CLIENT_DEFAULTS, written_query

if TYPE_CHECKING:
    from openai_client.auth import Authorization
    from openai_client.config import ClientConfig
    from openai_client.operation import CallOptions

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Query parameters, not yet encoded."""

_LONGEST: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """
    How much a session takes, and how long it waits. Durations are seconds, above 0 and at most a day.

    Raises:
        InvalidFieldValue: A value is out of its range.

    Spec: RT-02
    """

    idle_timeout: float | None = None
    """Longest wait for the next event, where `recv` is given none; None: for ever. The session outlives it."""
    max_message_bytes: int | None = None
    """A larger message of the server ends the session. None: `http.max_event_bytes`."""
    max_queued: int = 16
    """Messages that are kept for the reader, at least 1; then the server has to wait."""
    ping_interval: float | None = 20.0
    """Silence after which the server is asked for a sign of life; None: never."""
    ping_timeout: float = 20.0
    """How long the sign of life may take before the session counts as broken."""
    close_timeout: float = 2.0
    """How long the server may take to answer a goodbye before the connection is closed without."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("idle_timeout", "ping_interval", "ping_timeout", "close_timeout"):
            seconds = getattr(self, name)
            is_left_out = seconds is None and name in {"idle_timeout", "ping_interval"}
            if not (is_left_out or (isinstance(seconds, int | float) and 0 < seconds <= _LONGEST)):
                raise InvalidFieldValue(f"{name}: must be seconds above 0 and at most a day, not {seconds!r}")
        for name in ("max_message_bytes", "max_queued"):
            number = getattr(self, name)
            is_count = isinstance(number, int) and not isinstance(number, bool) and number >= 1
            if not (is_count or (number is None and name == "max_message_bytes")):
                raise InvalidFieldValue(f"{name}: must be at least 1, not {number!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """A session as a value: what is asked for, not yet by whom."""

    path: str = ""
    """Below the realtime base URL."""
    parameters: Pairs = ()
    """What the session is about: a model, a call."""
    options: CallOptions = CLIENT_DEFAULTS
    """`timeout` bounds the opening; `headers` and `query` are added."""
    limits: SessionLimits = field(default_factory=SessionLimits)


def write_opening(
    request: SessionRequest, config: ClientConfig, authorization: Authorization, now: float
) -> SocketOpening:
    """
    Return what the session is opened with.

    Args:
        request: What is asked for.
        config: The client's settings.
        authorization: The credentials, read once for this session.
        now: The monotonic time.

    Raises:
        InvalidConfiguration: A header cannot be sent, or is written by authentication or by the handshake.
    """
    options, limits = request.options, request.limits
    _check_options(options)
    headers = merged_headers(
        config.default_headers,
        _own_headers(config),
        options.headers,
        reserved=config.auth.written_headers() | HANDSHAKE_HEADERS,
    )
    headers.update(authorization.headers)
    pairs = _pairs(written_query(options.query), request.parameters, tuple(config.default_query.items()))
    root = config.realtime_base_url or realtime_url(config.base_url)
    url = f"{root}{request.path}"
    beside = tuple(Secret(word) for word in credentials_in([*headers.items(), *pairs]))
    return SocketOpening(
        url=f"{url}?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else url,
        headers=headers,
        # whoever names another host for sessions means it to be called, unless they also keep a list
        http=config.http if config.http.egress else config.http.reaching([f"http{root.removeprefix('ws')}"]),
        timeout=_timeout(options, config, now),
        secrets=authorization.secrets + beside + config.http.secrets,
        max_message_bytes=limits.max_message_bytes or config.http.max_event_bytes,
        max_queued=limits.max_queued,
        ping_interval=limits.ping_interval,
        ping_timeout=limits.ping_timeout,
        close_timeout=limits.close_timeout,
    )


def _timeout(options: CallOptions, config: ClientConfig, now: float) -> float:
    """Return the seconds for the opening: the stricter of the two bounds that a call may have."""
    timeout = options.timeout or config.timeout
    return timeout if options.deadline is None else max(0.0, min(timeout, options.deadline.at - now))


def _check_options(options: CallOptions) -> None:
    """Refuse options that mean nothing to a session, rather than ignore them."""
    given = {"idempotency_key": options.idempotency_key, "extra_body": options.extra_body, "retry": options.retry}
    for name, value in given.items():
        if value:
            raise InvalidConfiguration(f"{name}: means nothing to a realtime session; leave it out")


def _own_headers(config: ClientConfig) -> dict[str, str]:
    """Return the headers that follow from the settings and from who asks."""
    headers = {}
    if config.api_version.openai_version is not None:
        headers["openai-version"] = config.api_version.openai_version
    if (correlation := correlation_id.get()) is not None:
        headers[CORRELATION_HEADER] = correlation
    return headers


def _pairs(*sources: Pairs) -> list[tuple[str, str]]:
    """Return the parameters; an earlier source wins over a later one."""
    pairs: list[tuple[str, str]] = []
    for source in sources:
        taken = {name for name, _ in pairs}
        pairs += [(name, value) for name, value in source if name not in taken]
    return pairs
