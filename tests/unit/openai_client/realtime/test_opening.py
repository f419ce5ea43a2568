"""From settings to what a session is opened with."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_api.correlation import correlation_id
from http_util.deadline import Deadline
from openai_client import CallOptions, ClientConfig
from openai_client.errors import InvalidConfiguration, InvalidFieldValue
from openai_client.realtime.opening import SessionLimits, SessionRequest, write_opening

KEY = "sk-test-0123456789abcdef"


def written(request: SessionRequest | None = None, now: float = 0.0, **settings: Any) -> Any:
    """Return the opening of a session with these settings."""
    config = ClientConfig(**{"base_url": "https://api.example/v1", "api_key": KEY, **settings})
    return write_opening(request or SessionRequest(parameters=(("model", "m"),)), config, config.auth.authorize(), now)


@pytest.mark.requirement("RT-01")
@pytest.mark.parametrize(
    ("base_url", "realtime_base_url", "url"),
    [
        ("https://api.example/v1", None, "wss://api.example/v1/realtime?model=m"),
        ("http://localhost:8000/v1", None, "ws://localhost:8000/v1/realtime?model=m"),
        ("https://api.example/v1", "wss://rt.example/talk/", "wss://rt.example/talk?model=m"),
    ],
)
def test_the_address_follows_from_the_base_url_unless_it_is_given(
    base_url: str, realtime_base_url: str | None, url: str
) -> None:
    """TLS stays TLS; a host that is named for sessions may be called, and so may the other one."""
    opening = written(base_url=base_url, realtime_base_url=realtime_base_url)
    assert opening.url == url
    opening.check()


@pytest.mark.requirement("RT-01", "SEC-11")
def test_a_list_of_hosts_says_which_may_be_called() -> None:
    """Naming a host for sessions does not widen a list that was written."""
    opening = written(realtime_base_url="wss://rt.example/talk", http={"egress": ["api.example"]})
    with pytest.raises(Exception, match="egress"):
        opening.check()
    written(realtime_base_url="wss://rt.example/talk", http={"egress": ["api.example", "rt.example"]}).check()


@pytest.mark.requirement("RT-01", "CLI-11")
def test_parameters_are_encoded_and_the_calls_own_win() -> None:
    """The call's over the session's over the client's."""
    options = CallOptions(query={"model": "a b", "x": "&"})
    request = SessionRequest(parameters=(("model", "m"), ("call_id", "c")), options=options)
    opening = written(request, default_query={"x": "1", "api-version": "2"})
    assert opening.url.partition("?")[2] == "model=a%20b&x=%26&call_id=c&api-version=2"


@pytest.mark.requirement("RT-01", "CLI-08", "SEC-18")
def test_headers_are_those_of_every_call_and_nobody_elses_to_write() -> None:
    """Credentials, the version, the correlation id; authentication and the handshake write their own."""
    token = correlation_id.set("corr-1")
    try:
        opening = written(
            SessionRequest(options=CallOptions(headers={"OpenAI-Safety": "x"})),
            organization="o",
            default_headers={"a": "1"},
        )
    finally:
        correlation_id.reset(token)
    assert dict(opening.headers) == {
        "authorization": f"Bearer {KEY}",
        "openai-organization": "o",
        "a": "1",
        "x-correlation-id": "corr-1",
        "openai-safety": "x",
    }
    assert KEY not in repr(opening.headers)
    for name in ("Authorization", "Sec-WebSocket-Key", "Upgrade", "Connection", "Host", "Sec-WebSocket-Protocol"):
        with pytest.raises(InvalidConfiguration, match=name.lower()):
            written(SessionRequest(options=CallOptions(headers={name: "x"})))


@pytest.mark.requirement("RT-01", "SEC-16")
def test_every_credential_in_it_is_known_and_removed_from_what_is_said() -> None:
    """The key, one in a header or a parameter, and the proxy's."""
    opening = written(
        SessionRequest(options=CallOptions(headers={"x-api-key": "other-secret"}, query={"sig": "signature-1"})),
        http={"proxy": "http://proxy.example", "proxy_auth": "u:hunter2hunter2"},
    )
    known = {secret.reveal() for secret in opening.secrets}
    assert {KEY, "other-secret", "signature-1", "hunter2hunter2"} <= known


@pytest.mark.requirement("RT-01", "CLI-11")
@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        (CallOptions(), 60.0),
        (CallOptions(timeout=3.0), 3.0),
        (CallOptions(deadline=Deadline(105.0)), 5.0),
        (CallOptions(timeout=3.0, deadline=Deadline(101.0)), 1.0),
        (CallOptions(deadline=Deadline(1.0)), 0.0),
    ],
)
def test_the_earliest_bound_ends_the_opening(options: CallOptions, seconds: float) -> None:
    """The client's timeout, the call's, and the deadline."""
    assert written(SessionRequest(options=options), now=100.0).timeout == seconds


@pytest.mark.requirement("RT-01")
@pytest.mark.parametrize(
    "options", [CallOptions(idempotency_key="k"), CallOptions(extra_body={"x": 1}), CallOptions(retry="available")]
)
def test_options_that_mean_nothing_are_refused(options: CallOptions) -> None:
    """A retry above all: a session is opened once."""
    with pytest.raises(InvalidConfiguration, match="means nothing to a realtime session"):
        written(SessionRequest(options=options))


@pytest.mark.requirement("RT-02")
def test_limits_go_along_and_have_ranges() -> None:
    """A message may be as large as any event unless something else is said."""
    assert written().max_message_bytes == 1024 * 1024
    limits = SessionLimits(max_message_bytes=7, max_queued=2, ping_interval=None, ping_timeout=1, close_timeout=3)
    opening = written(SessionRequest(limits=limits))
    assert (opening.max_message_bytes, opening.max_queued, opening.ping_interval) == (7, 2, None)
    assert (opening.ping_timeout, opening.close_timeout) == (1, 3)
    wrong: list[dict[str, Any]] = [
        {"idle_timeout": 0},
        {"ping_interval": -1},
        {"ping_timeout": None},
        {"close_timeout": 86_401},
        {"close_timeout": float("nan")},
        {"idle_timeout": "1"},
        {"max_queued": 0},
        {"max_message_bytes": 1.5},
        {"max_queued": True},
    ]
    for given in wrong:
        with pytest.raises(InvalidFieldValue, match=next(iter(given))):
            SessionLimits(**given)
