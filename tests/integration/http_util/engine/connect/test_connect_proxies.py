"""Proxies while connecting: tunnels by CONNECT and by SOCKS5, with TLS to either end, and proxies that misbehave."""

from __future__ import annotations

from base64 import b64encode

import httpx
import pytest

from http_util.errors import PolicyFailure
from http_util.urls import Origin, origin_of
from tests.integration.http_util.engine.connect.peers import (
    HELLO,
    NAME,
    Authority,
    Resolver,
    config,
    connected,
    connector,
    failure,
    greet,
    hang_up,
    listening,
    say_nothing,
    until,
)
from tests.integration.http_util.engine.connect.proxies import HTTP_OK, SOCKS_OK, Proxy, proxied
from tests.integration.http_util.engine.refusing import unused_port
from tests.process import open_files

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-08")]


@pytest.mark.parametrize("dribbles", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_https_target_is_reached_through_a_tunnel_with_its_own_tls(
    authority: Authority, resolver: Resolver, scheme: str, dribbles: bool
) -> None:
    """HTTP/2 by ALPN, the target's certificate checked, its name resolved by the proxy, TLS inside TLS where asked."""
    async with proxied(authority, scheme, "https", proxy_auth="user:hunter2") as (settings, proxy):
        proxy.dribbles = dribbles
        protocol = await connected(settings)
        await until(lambda: protocol.received == HELLO)
        protocol.say(b"and back" * 50_000)
        await until(lambda: protocol.received == HELLO + b"and back" * 50_000)
        assert protocol.alpn == "h2"
        await protocol.close()
    [head] = proxy.heads
    assert head.startswith(b"CONNECT api.example:4443 HTTP/1.1\r\nHost: api.example:4443\r\n")
    assert b"Proxy-Authorization: Basic " + b64encode(b"user:hunter2") + b"\r\n" in head
    assert resolver.asked == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("target", ["http", "https"])
@pytest.mark.parametrize("credentials", [None, "user:hunter2"])
async def test_any_target_is_reached_through_a_socks_proxy(
    authority: Authority, resolver: Resolver, scheme: str, target: str, credentials: str | None
) -> None:
    """Both spellings leave the name to the proxy; a plain target has a tunnel too and loses no byte in it."""
    auth = {} if credentials is None else {"proxy_auth": credentials}
    async with proxied(authority, scheme, target, **auth) as (settings, proxy):
        protocol = await connected(settings)
        await until(lambda: protocol.received == HELLO)
        protocol.say(b"and back")
        await until(lambda: protocol.received == HELLO + b"and back")
        assert protocol.alpn == ("h2" if target == "https" else None)
        await protocol.close()
    assert proxy.heads == [*([] if credentials is None else [b"user:hunter2"]), b"api.example\x11\x5b"]
    assert resolver.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_plain_target_is_left_to_an_http_proxy(authority: Authority, resolver: Resolver, scheme: str) -> None:
    """The connection goes to the proxy, in HTTP/1.1, and the connector says how requests are written."""
    proxy = Proxy(HTTP_OK)
    proxy_tls = authority.server("127.0.0.1", alpn=("h2", "http/1.1")) if scheme == "https" else None
    async with listening(proxy.forward, proxy_tls) as at:
        settings = config(
            Origin("http", NAME, 8000), authority, proxy=f"{scheme}://127.0.0.1:{at}", proxy_auth="user:hunter2"
        )
        protocol = await connected(settings)
        forwarding = connector(settings).forwards(origin_of(settings.base_url))
        assert forwarding is not None
        protocol.say(b"GET %b HTTP/1.1\r\n" % forwarding.target(origin_of(settings.base_url), b"/v1"))
        protocol.say(b"".join(b"%b: %b\r\n" % header for header in forwarding.headers) + b"\r\n")
        await until(lambda: protocol.received.startswith(b"HTTP/1.1 204"))
        assert protocol.alpn == ("http/1.1" if scheme == "https" else None)
        await protocol.close()
    basic = b64encode(b"user:hunter2")
    assert proxy.heads == [
        b"GET http://api.example:8000/v1 HTTP/1.1\r\nproxy-authorization: Basic " + basic + b"\r\n\r\n"
    ]
    assert resolver.asked == []


async def test_hosts_of_no_proxy_are_reached_directly(authority: Authority, resolver: Resolver) -> None:
    """By name, by suffix, by range; everything else goes to the proxy."""
    async with listening(greet) as port:
        dead = f"http://127.0.0.1:{unused_port()}"
        for entry, host in ((NAME, NAME), (".example", NAME), ("127.0.0.0/8", "127.0.0.1")):
            settings = config(Origin("http", host, port), proxy=dead, no_proxy=(entry,))
            assert connector(settings).forwards(origin_of(settings.base_url)) is None
            await (await connected(settings)).close()
        settings = config(Origin("http", NAME, port), proxy=dead, no_proxy=("other.example",))
        text = await failure(settings, httpx.ConnectError, "connection_failed")
    assert "connecting to the proxy 127.0.0.1 port" in text


REFUSING = [
    (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused the tunnel (status 403 Forbidden)"),
    (b"HTTP/1.1 407 No\r\nContent-Length: 4\r\n\r\nnope", "asks for credentials; set proxy_auth (status 407)"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502 x\r\n\r\n", "refused the tunnel (status 502 Bad Gateway)"),
    (b"HTTP/1.1 201 Created\r\nX: " + b"x" * 20_000, "a head of more than 16384 bytes"),
    (b"220 mail.example ESMTP\r\n", "does not answer in HTTP/1"),
    (b"HTTP/1.1 50", "closed the connection before the tunnel stood"),
]


@pytest.mark.requirement("HTU-14")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("answer", "text"), REFUSING, ids=["403", "407", "502", "endless", "mail", "cut"])
async def test_a_proxy_that_refuses_is_a_failure_that_says_why(
    authority: Authority, resolver: Resolver, scheme: str, answer: bytes, text: str
) -> None:
    """In the failure that callers see too, also when the proxy closes right behind its answer."""
    async with proxied(authority, scheme, "https", proxy=Proxy(answer)) as (settings, _):
        before = open_files()
        assert (await failure(settings, httpx.ProxyError, "connection_failed")).count(text) == 2
        await until(lambda: open_files() == before)


@pytest.mark.parametrize(
    ("scheme", "kind", "reason", "text"),
    [
        ("http", httpx.ConnectError, "tls_failed", "TLS could not be agreed on"),
        ("https", httpx.ProxyError, "connection_failed", "the proxy sent more than an answer"),
    ],
)
async def test_what_a_proxy_sends_behind_its_answer_is_not_lost(
    authority: Authority, resolver: Resolver, scheme: str, kind: type[Exception], reason: str, text: str
) -> None:
    """It belongs to the tunnel, where a target with TLS has nothing to say yet."""
    proxy = Proxy(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH\r\n")
    async with proxied(authority, scheme, "https", proxy=proxy) as (settings, _):
        assert text in await failure(settings, kind, reason)


@pytest.mark.requirement("HTU-14", "SEC-16")
@pytest.mark.parametrize(
    ("credentials", "answer", "text"),
    [
        (None, b"\x05\x05\x00\x01", "the SOCKS5 proxy refused the tunnel: connection refused"),
        (None, b"\x05\x02", "the SOCKS5 proxy refused the tunnel: not allowed by its rules"),
        ("user:wrong-secret", SOCKS_OK, "the SOCKS5 proxy does not accept proxy_auth"),
        (None, b"\x05\x63", "the SOCKS5 proxy refused the tunnel: reply code 99"),
    ],
)
async def test_a_socks_proxy_that_refuses_is_a_failure_in_words(
    authority: Authority, resolver: Resolver, credentials: str | None, answer: bytes, text: str
) -> None:
    """And no credential is in them."""
    auth = {} if credentials is None else {"proxy_auth": credentials}
    async with proxied(authority, "socks5", "https", proxy=Proxy(answer), **auth) as (settings, _):
        found = await failure(settings, httpx.ProxyError, "connection_failed")
    assert found.count(text) == 2
    assert "wrong-secret" not in found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_says_nothing_ends_with_the_timeout(
    authority: Authority, resolver: Resolver, scheme: str
) -> None:
    """The text says who was being waited for."""
    async with listening(say_nothing, authority.server("127.0.0.1") if scheme == "https" else None) as at:
        settings = config(Origin("https", NAME, 443), authority, proxy=f"{scheme}://127.0.0.1:{at}")
        before = open_files()
        text = await failure(settings, httpx.ConnectTimeout, "connect_timeout", timeout=0.5)
        await until(lambda: open_files() == before)
    assert f"at that time: asking {scheme}://127.0.0.1:{at} for a tunnel" in text


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_goes_away_at_once_is_a_failure(
    authority: Authority, resolver: Resolver, scheme: str
) -> None:
    """Before it has said a word."""
    async with listening(hang_up, authority.server("127.0.0.1") if scheme == "https" else None) as at:
        settings = config(Origin("https", NAME, 443), authority, proxy=f"{scheme}://127.0.0.1:{at}")
        text = await failure(settings, httpx.ProxyError, "connection_failed")
    assert "closed the connection before the tunnel stood" in text


@pytest.mark.requirement("SEC-09", "HTU-14")
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_the_targets_certificate_is_checked_inside_the_tunnel(
    authority: Authority, resolver: Resolver, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy cannot stand in for it; a failure in the inner handshake is one of TLS and nothing else."""
    async with proxied(authority, scheme, "https") as (settings, _):
        before = open_files()
        text = await failure(settings, httpx.ConnectError, "tls_failed", url="https://other.example:443")
        await until(lambda: open_files() == before)
    assert "Hostname mismatch" in text
    assert caplog.records == []


@pytest.mark.requirement("SEC-09")
async def test_the_certificate_of_an_https_proxy_is_checked_too(authority: Authority, resolver: Resolver) -> None:
    """Before it hears a credential."""
    proxy = Proxy(HTTP_OK)
    async with listening(proxy.http, authority.server("other.example")) as at:
        settings = config(
            Origin("https", NAME, 443), authority, proxy=f"https://127.0.0.1:{at}", proxy_auth="user:hunter2"
        )
        text = await failure(settings, httpx.ConnectError, "tls_failed")
    assert "IP address mismatch" in text
    assert proxy.heads == []


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_handshake_that_is_cut_in_the_tunnel_is_a_failed_connection(
    authority: Authority, resolver: Resolver, scheme: str
) -> None:
    """As without a proxy."""
    async with listening(hang_up) as target:
        proxy = Proxy(SOCKS_OK if scheme == "socks5" else HTTP_OK)
        proxy.target = target
        handle = proxy.socks if scheme == "socks5" else proxy.http
        async with listening(handle, authority.server("127.0.0.1") if scheme == "https" else None) as at:
            settings = config(Origin("https", NAME, 443), authority, proxy=f"{scheme}://127.0.0.1:{at}")
            text = await failure(settings, httpx.ConnectError, "connection_failed")
    assert text.endswith("went away during the TLS handshake")


@pytest.mark.requirement("SEC-11")
async def test_the_proxys_own_address_is_checked_and_its_host_counts_as_configured(resolver: Resolver) -> None:
    """A proxy's name may not lead to this machine unless it says so; an address of it was written by somebody."""
    resolver.addresses["proxy.example"] = ["127.0.0.1"]
    settings = config(Origin("https", NAME, 443), proxy="http://proxy.example:3128", egress_networks=())
    with pytest.raises(PolicyFailure, match=r"egress refuses proxy\.example: it leads to 127\.0\.0\.1"):
        await connected(settings)
    assert resolver.asked == ["proxy.example"]
    dead = f"http://127.0.0.1:{unused_port()}"
    settings = config(Origin("https", NAME, 443), proxy=dead, egress_networks=("10.0.0.0/8",))
    await failure(settings, httpx.ConnectError, "connection_failed")
