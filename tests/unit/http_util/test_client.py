"""Clients: nothing happens that the settings do not say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from http_util.client import (
    AsyncClientTransport,
    AsyncGuard,
    ClientTransport,
    Guard,
    build_async_client,
    build_async_transport,
    build_client,
    build_transport,
)
from http_util.config import HttpConfig
from http_util.errors import PolicyFailure
from http_util.testing import Answer, ScriptedUpstream
from tests.shown_errors import with_locals

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpx import HTTPXMock

URL = "https://api.example.com/v1"
CONFIG = HttpConfig(base_url=URL)


async def get(upstream: ScriptedUpstream, path: str = "/models", config: HttpConfig = CONFIG) -> httpx.Response:
    """Make one call through an asynchronous client."""
    async with build_async_client(config, transport=upstream) as client:
        return await client.get(f"{URL}{path}")


@pytest.mark.requirement("HTU-12")
async def test_redirects_are_not_followed() -> None:
    """The answer with the redirect is the answer."""
    answer = await get(ScriptedUpstream(Answer(status=302, headers={"location": "https://evil.example/"})))
    assert answer.status_code == 302


@pytest.mark.requirement("HTU-PERF-1301")
async def test_cookies_are_neither_kept_nor_sent() -> None:
    """Two calls through one client share nothing but connections."""
    upstream = ScriptedUpstream(Answer(headers={"set-cookie": "session=1"}), Answer())
    async with build_async_client(CONFIG, transport=upstream) as client:
        await client.get(URL)
        client.cookies.set("a", "b")
        await client.get(URL)
    assert "cookie" not in upstream.requests[1].headers


@pytest.mark.requirement("HTU-13", "HTU-PERF-1301")
async def test_identity_encoding_is_asked_for_and_no_credentials_are_in_the_client() -> None:
    """Headers of a bare call."""
    upstream = ScriptedUpstream(Answer())
    await get(upstream)
    assert upstream.requests[0].headers == {
        "host": "api.example.com",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "user-agent": "worker-adapters",
    }


@pytest.mark.requirement("HTU-1001", "HTU-14")
async def test_timeouts_are_those_of_the_settings_and_a_call_may_have_its_own() -> None:
    """connect, pool, write and read."""
    async with build_async_client(CONFIG, transport=ScriptedUpstream()) as client:
        assert client.timeout == httpx.Timeout(connect=5.0, pool=5.0, write=30.0, read=30.0)
        assert client.build_request("GET", URL, timeout=1.0).extensions["timeout"]["read"] == 1.0


@pytest.mark.requirement("HTU-EXP-1101", "HTU-SEC-1401", "SEC-12")
@pytest.mark.parametrize("build", [build_async_client, build_client])
def test_proxies_of_the_environment_are_ignored(
    build: Callable[[HttpConfig], httpx.AsyncClient | httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No mount appears though every proxy variable is set."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://evil.example:3128")
    client = build(CONFIG)
    assert client._mounts == {}
    assert not client.trust_env


@pytest.mark.requirement("SEC-11")
async def test_a_request_to_another_host_is_refused_before_it_reaches_the_transport() -> None:
    """Absolute URLs, other ports and plain HTTP are caught in both colours."""
    upstream = ScriptedUpstream()
    async with build_async_client(CONFIG, transport=upstream) as client:
        for url in ("https://evil.example/v1", "https://api.example.com:8443/v1", "http://api.example.com/v1"):
            with pytest.raises(PolicyFailure, match="egress policy"):
                await client.get(url)
    with build_client(CONFIG, transport=upstream) as client, pytest.raises(PolicyFailure, match="egress policy"):
        client.get("https://evil.example/v1")
    assert upstream.requests == []


@pytest.mark.requirement("SEC-11", "HTU-SEC-1401")
@pytest.mark.parametrize("build", [build_async_client, build_client])
def test_the_guard_stands_in_front_of_every_way(
    build: Callable[[HttpConfig], httpx.AsyncClient | httpx.Client],
) -> None:
    """Through the proxy or around it: the engine decides behind the one guard."""
    config = HttpConfig(
        base_url=URL,
        proxy="http://proxy.example:3128",
        proxy_auth="user:hunter2",
        no_proxy=["direct.example", "::1"],
        egress=["api.example.com", "direct.example"],
    )
    client = build(config)
    assert client._mounts == {}
    for url in (URL, "https://direct.example/", "https://[::1]/"):
        assert isinstance(client._transport_for_url(httpx.URL(url)), AsyncGuard | Guard)


@pytest.mark.requirement("HTU-13", "HTU-PERF-1301")
async def test_a_request_made_without_a_client_says_the_same_for_us() -> None:
    """What the call itself says counts; what it does not say is added, in both colours."""
    upstream = ScriptedUpstream(Answer(), Answer())
    bare = httpx.Request("GET", URL, headers={"Accept": "text/event-stream"})
    await build_async_transport(CONFIG, transport=upstream).handle_async_request(bare)
    build_transport(CONFIG, transport=upstream).handle_request(bare)
    for request in upstream.requests:
        assert request.headers == {
            "host": "api.example.com",
            "accept": "text/event-stream",
            "accept-encoding": "identity",
            "user-agent": "worker-adapters",
        }


@pytest.mark.requirement("SEC-11")
async def test_a_host_that_passed_lets_no_other_one_pass() -> None:
    """The verdict is remembered by scheme, host and port together, and a refusal is no verdict of another time."""
    upstream = ScriptedUpstream(*[Answer()] * 4)
    transport = build_async_transport(CONFIG, transport=upstream)
    for _ in range(2):
        await transport.handle_async_request(httpx.Request("GET", URL))
        for url in ("http://api.example.com/", "https://api.example.com:444/", "https://api.example.com.evil/"):
            with pytest.raises(PolicyFailure):
                await transport.handle_async_request(httpx.Request("GET", url))
    assert len(upstream.requests) == 2


@pytest.mark.requirement("CLI-04")
async def test_a_client_that_was_brought_is_a_transport_and_stays_its_owners() -> None:
    """What its owner has set up happens, a redirect is an answer, and closing the transport closes no client."""
    redirect = Answer(status=302, headers={"location": URL})
    upstream = ScriptedUpstream(redirect)
    seen: list[str] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request.method)

    client = httpx.AsyncClient(transport=upstream, follow_redirects=True, event_hooks={"request": [note]})
    transport = AsyncClientTransport(client)
    assert (await transport.handle_async_request(httpx.Request("GET", URL))).status_code == 302
    await transport.aclose()
    assert (seen, client.is_closed, upstream.is_closed) == (["GET"], False, False)
    await client.aclose()
    with httpx.Client(transport=ScriptedUpstream(redirect), follow_redirects=True) as blocking:
        brought = ClientTransport(blocking)
        assert brought.handle_request(httpx.Request("GET", URL)).status_code == 302
        brought.close()
        assert not blocking.is_closed


@pytest.mark.requirement("SEC-11", "CLI-04", "HTU-17")
async def test_a_client_that_was_brought_keeps_to_the_same_rules() -> None:
    """Other hosts, too large a body: refused before the client sees the request, in both colours."""
    config = HttpConfig(base_url=URL, max_body_bytes=10)
    upstream = ScriptedUpstream(Answer(), Answer())
    refused = [
        (httpx.Request("GET", "https://evil.example/v1"), "egress policy"),
        (httpx.Request("GET", "http://169.254.169.254/latest/meta-data"), "egress policy"),
        (httpx.Request("POST", URL, content=b"x" * 11), "max_body_bytes is 10"),
    ]
    async with httpx.AsyncClient(transport=upstream) as client:
        transport = build_async_transport(config, transport=AsyncClientTransport(client))
        for request, problem in refused:
            with pytest.raises(PolicyFailure, match=problem):
                await transport.handle_async_request(request)
        assert (await transport.handle_async_request(httpx.Request("GET", URL))).status_code == 200
        await transport.aclose()
        assert not client.is_closed
    with httpx.Client(transport=upstream) as blocking:
        guarded = build_transport(config, transport=ClientTransport(blocking))
        for request, problem in refused:
            with pytest.raises(PolicyFailure, match=problem):
                guarded.handle_request(request)
        assert guarded.handle_request(httpx.Request("GET", URL)).status_code == 200
    assert [str(request.url) for request in upstream.requests] == [URL, URL]


@pytest.mark.requirement("SEC-01", "HTU-17")
async def test_no_frame_of_a_refused_request_shows_its_headers() -> None:
    """Another host, headers or a body that are too large: what refuses them holds none of it."""
    config = HttpConfig(base_url=URL, max_body_bytes=10, max_header_bytes=1024)
    transport = build_async_transport(config, transport=ScriptedUpstream())
    headers = {"authorization": "Bearer Kanarie0123456789"}
    for request in (
        httpx.Request("GET", "https://evil.example/v1", headers=headers),
        httpx.Request("GET", URL, headers={**headers, "x-pad": "x" * 1024}),
        httpx.Request("POST", URL, headers=headers, content=b"x" * 11),
    ):
        with pytest.raises(PolicyFailure) as caught:
            await transport.handle_async_request(request)
        assert "Kanarie" not in with_locals(caught.value)


@pytest.mark.requirement("HTU-17")
@pytest.mark.parametrize("length", ["9" * 5000, "99999999999999999999"])
async def test_a_length_of_any_number_of_digits_is_too_large(length: str) -> None:
    """It is a number all the same."""
    transport = build_async_transport(CONFIG, transport=ScriptedUpstream())
    with pytest.raises(PolicyFailure, match="max_body_bytes"):
        await transport.handle_async_request(httpx.Request("POST", URL, headers={"content-length": length}))


async def test_a_length_that_is_no_number_is_left_to_the_engine() -> None:
    """Which refuses it by its own error."""
    upstream = ScriptedUpstream(Answer())
    transport = build_async_transport(CONFIG, transport=upstream)
    await transport.handle_async_request(httpx.Request("POST", URL, headers={"content-length": "ten"}))
    assert len(upstream.requests) == 1


async def test_the_owner_closes_the_transport() -> None:
    """Closing the client closes what it stands on, in both colours."""
    upstreams = ScriptedUpstream(), ScriptedUpstream()
    async with build_async_client(CONFIG, transport=upstreams[0]):
        pass
    with build_client(CONFIG, transport=upstreams[1]):
        pass
    assert [upstream.is_closed for upstream in upstreams] == [True, True]


async def test_requests_of_the_real_engine_are_caught_by_the_usual_mock(httpx_mock: HTTPXMock) -> None:
    """Whoever tests with pytest-httpx sees every request, in both colours, and permits are given back."""
    for _ in range(3):
        httpx_mock.add_response(url=f"{URL}/models", text="mocked")
    config = HttpConfig(base_url=URL, max_connections=1, pool_timeout=0.01)
    async with build_async_client(config) as client:
        assert (await client.get(f"{URL}/models")).text == "mocked"
        async with client.stream("GET", f"{URL}/models") as answer:
            assert await answer.aread() == b"mocked"
    with build_client(config) as client:
        assert client.get(f"{URL}/models").text == "mocked"


@pytest.mark.requirement("HTU-17")
async def test_a_request_of_exactly_the_limits_passes_and_one_byte_more_does_not() -> None:
    """Body and headers are refused before they reach the transport, by the name of the setting."""
    upstream = ScriptedUpstream(Answer(), Answer(), Answer())
    config = HttpConfig(base_url=URL, max_body_bytes=10, max_header_bytes=1024)
    async with build_async_client(config, transport=upstream) as client:
        await client.post(URL, content=b"x" * 10)
        with pytest.raises(PolicyFailure, match="body has 11 bytes, max_body_bytes is 10") as caught:
            await client.post(URL, content=b"x" * 11)
        assert (caught.value.reason, caught.value.outcome.value) == ("malformed_request", "NOT_SENT")
        bare = sum(len(name) + len(value) + 4 for name, value in client.build_request("GET", URL).headers.raw)
        room = 1024 - bare - len("x-pad") - 4
        await client.get(URL, headers={"x-pad": "x" * room})
        with pytest.raises(PolicyFailure, match="headers has 1025 bytes, max_header_bytes is 1024"):
            await client.get(URL, headers={"x-pad": "x" * (room + 1)})
    assert len(upstream.requests) == 2


@pytest.mark.requirement("HTU-18")
async def test_building_using_and_closing_a_client_leaves_no_task_behind() -> None:
    """Nothing runs in the background at any time."""
    before = asyncio.all_tasks()
    async with build_async_client(CONFIG, transport=ScriptedUpstream(Answer())) as client:
        await client.get(URL)
        assert asyncio.all_tasks() == before
    async with build_async_client(CONFIG):
        assert asyncio.all_tasks() == before
