"""From a name to a running protocol over real sockets: what resolves, what connects, what is refused."""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import Any

import httpx
import pytest

from http_util.engine import sockets
from http_util.engine.addresses import Race
from http_util.errors import PolicyFailure
from http_util.urls import Origin
from tests.integration.http_util.engine.connect.peers import (
    HELLO,
    NAME,
    OTHER,
    SOON,
    Resolver,
    config,
    connected,
    failure,
    full,
    greet,
    listening,
    until,
)
from tests.integration.http_util.engine.refusing import unused_port
from tests.process import open_files

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-08")]


async def test_a_plain_connection_arrives_and_loses_no_byte(resolver: Resolver) -> None:
    """A server that speaks first is heard from its first byte."""
    async with listening(greet) as port:
        protocol = await connected(config(Origin("http", NAME, port)))
        await until(lambda: protocol.received == HELLO)
        assert protocol.alpn is None
        await protocol.close()
    assert resolver.asked == [NAME]


@pytest.mark.requirement("HTU-01")
async def test_sockets_send_at_once_and_probe_a_silent_peer() -> None:
    """The options are those of the socket that is used in the end."""
    async with listening(greet) as port:
        protocol = await connected(config(Origin("http", "127.0.0.1", port), tcp_keepalive=42))
        sock = protocol.socket()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 42
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 42
        await protocol.close()


async def test_an_address_is_not_resolved(resolver: Resolver) -> None:
    """It is its own answer."""
    async with listening(greet) as port:
        await (await connected(config(Origin("http", "127.0.0.1", port)))).close()
    assert resolver.asked == []


async def test_localhost_needs_no_permission_and_other_names_do(resolver: Resolver) -> None:
    """Without networks in the settings."""
    resolver.addresses["localhost"] = ["127.0.0.1"]
    async with listening(greet) as port:
        await (await connected(config(Origin("http", "localhost", port), egress_networks=()))).close()
        with pytest.raises(PolicyFailure, match="a loopback address; list it in egress_networks"):
            await connected(config(Origin("http", NAME, port), egress_networks=()))


@pytest.mark.requirement("HTU-1001")
async def test_an_address_that_refuses_costs_no_time(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried at once, not when its turn would come, which is in an hour here."""
    resolver.addresses[NAME] = [OTHER, "127.0.0.1"]
    monkeypatch.setattr(sockets, "Race", functools.partial(Race, stagger=3600.0))
    async with listening(greet) as port:
        protocol = await connected(config(Origin("http", NAME, port)))
        assert protocol.socket().getpeername()[0] == "127.0.0.1"
        await protocol.close()


@pytest.mark.slow
@pytest.mark.requirement("HTU-1001")
async def test_an_address_that_hangs_costs_a_quarter_of_a_second(resolver: Resolver) -> None:
    """The next one is tried beside it; what hangs is closed."""
    resolver.addresses[NAME] = [OTHER, "127.0.0.1"]
    loop = asyncio.get_running_loop()
    with full(OTHER) as port:
        async with listening(greet, port=port):
            before = open_files()
            started = loop.time()
            protocol = await connected(config(Origin("http", NAME, port)))
            assert 0.24 < loop.time() - started < SOON
            assert protocol.socket().getpeername()[0] == "127.0.0.1"
            await protocol.close()
            await until(lambda: open_files() == before)


async def test_the_first_address_that_answers_wins_and_the_others_are_not_tried(resolver: Resolver) -> None:
    """A server on both addresses sees one connection."""
    resolver.addresses[NAME] = [OTHER, "127.0.0.1"]
    seen = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("sockname")[0])
        await reader.read(-1)

    async with listening(note) as port, listening(note, host=OTHER, port=port):
        await (await connected(config(Origin("http", NAME, port)))).close()
    assert seen == [OTHER]


async def test_when_no_address_answers_the_error_counts_them_and_says_why(resolver: Resolver) -> None:
    """The last reason stands for all."""
    resolver.addresses[NAME] = [OTHER, "127.0.0.1", "127.0.0.3"]
    text = await failure(config(Origin("http", NAME, unused_port())), httpx.ConnectError, "connection_failed")
    assert text.count("none of 3 addresses could be reached; the last: Connection refused") == 2


async def test_a_refused_connection_is_said_in_the_systems_words() -> None:
    """One address needs no count."""
    text = await failure(config(Origin("http", "127.0.0.1", unused_port())), httpx.ConnectError, "connection_failed")
    raised, _, told = text.partition(" | ")
    assert told == raised
    assert told.endswith(f"connecting to 127.0.0.1 port {told.split(':')[2]}: Connection refused")
    assert "addresses" not in text


@pytest.mark.requirement("HTU-14")
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (socket.EAI_NONAME, "dns_failed"),
        (socket.EAI_FAIL, "dns_failed"),
        (socket.EAI_AGAIN, "connection_failed"),
    ],
)
async def test_a_name_that_is_unknown_is_told_from_a_resolver_in_trouble(
    resolver: Resolver, number: int, reason: str
) -> None:
    """Only the second is worth another try."""
    resolver.error = socket.gaierror(number, "what the resolver says")
    text = await failure(config(Origin("https", NAME, 443)), httpx.ConnectError, reason)
    assert f"resolving {NAME}: what the resolver says" in text


async def test_a_name_without_any_address_is_unknown(resolver: Resolver) -> None:
    """Some resolvers return nothing instead of an error."""
    resolver.addresses[NAME] = []
    assert "no address" in await failure(config(Origin("https", NAME, 443)), httpx.ConnectError, "dns_failed")


async def test_a_resolver_that_hangs_ends_with_the_timeout(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text says what was being done."""

    async def hang(*_: Any, **__: Any) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    text = await failure(config(Origin("https", NAME, 443)), httpx.ConnectTimeout, "connect_timeout", timeout=0.05)
    assert f"within 0.05 s; at that time: resolving {NAME}" in text


@pytest.mark.requirement("SEC-11")
async def test_a_name_that_is_turned_around_is_refused_before_a_socket_is_opened(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It led to an allowed address before, and leads to the metadata service now."""
    async with listening(greet) as port:
        settings = config(Origin("http", NAME, port))
        await (await connected(settings)).close()
        for addresses in (["169.254.169.254"], ["127.0.0.1", "169.254.169.254"], ["127.0.0.1", "10.0.0.1"]):
            resolver.addresses[NAME] = addresses
            with monkeypatch.context() as patch:
                patch.setattr(socket, "socket", None)
                with pytest.raises(PolicyFailure) as caught:
                    await connected(settings)
            assert caught.value.reason == "egress_denied"
            assert f"egress refuses {NAME}: it leads to {addresses[-1]}" in str(caught.value)


async def test_connecting_ends_with_the_timeout_when_every_address_hangs(resolver: Resolver) -> None:
    """One timeout for all of them."""
    resolver.addresses[NAME] = [OTHER, "127.0.0.1"]
    with full("127.0.0.1") as port, full(OTHER, port):
        before = open_files()
        text = await failure(config(Origin("http", NAME, port)), httpx.ConnectTimeout, "connect_timeout", timeout=0.1)
        await until(lambda: open_files() == before)
    assert f"at that time: connecting to {NAME} port {port}" in text
