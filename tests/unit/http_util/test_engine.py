"""The engine's settings; its behaviour over sockets is tested in tests/integration/http_util."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from http_util.config import HttpConfig
from http_util.engine import async_transport, socket_options, sync_transport
from http_util.tls import build_ssl_context

if TYPE_CHECKING:
    from pytest_httpx import HTTPXMock

URL = "https://api.example.com/v1"


@pytest.mark.requirement("HTU-01")
def test_sockets_send_at_once_and_probe_a_silent_peer() -> None:
    """The probes come after the configured seconds, and not at all when there are none."""
    options = socket_options(60.4)
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in options
    probing = [value for level, name, value in options if (level, name) != (socket.IPPROTO_TCP, socket.TCP_NODELAY)]
    assert set(probing) == {1, 60}
    assert socket_options(None) == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


@pytest.mark.requirement("HTU-SEC-1401")
@pytest.mark.parametrize("build", [async_transport, sync_transport])
@pytest.mark.parametrize("auth", [None, "user:hunter2"])
def test_a_proxy_gets_its_own_credentials_and_is_spoken_to_in_http11(build: object, auth: str | None) -> None:
    """The repairs of HTTP/2 do not reach into a tunnel, so there is none."""
    config = HttpConfig(base_url=URL, proxy="http://proxy.example:3128", proxy_auth=auth)
    context = build_ssl_context(insecure_skip_verify_for_tests_only=True)
    pool = build(config, context)._pool
    assert "Proxy" in type(pool).__name__
    assert not pool._http2
    assert bool(pool._proxy_headers) is bool(auth)
    assert build(config, context, direct=True)._pool._http2


def test_a_thread_waits_for_a_place_no_longer_than_the_pool_timeout(httpx_mock: HTTPXMock) -> None:
    """And a failed request gives its place back."""
    httpx_mock.add_exception(httpx.ConnectError("no"))
    config = HttpConfig(base_url=URL, max_connections=1)
    context = build_ssl_context(insecure_skip_verify_for_tests_only=True)
    with httpx.Client(transport=sync_transport(config, context), timeout=httpx.Timeout(5, pool=0.01)) as client:
        with pytest.raises(httpx.ConnectError):
            client.get(URL)
        client._transport._places.acquire()
        with pytest.raises(httpx.PoolTimeout):
            client.get(URL)
