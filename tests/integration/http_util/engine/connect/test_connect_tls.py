"""TLS while connecting: what is agreed on, what is refused, and how that is said."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from typing import Any

import httpx
import pytest

from http_util.urls import Origin
from tests.integration.http_util.engine.connect.peers import (
    HELLO,
    NAME,
    SOON,
    Authority,
    Resolver,
    config,
    connected,
    failure,
    greet,
    listening,
    say_nothing,
    shaking,
    until,
)

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-08")]


@pytest.mark.requirement("HTU-02", "HTU-1001", "SEC-09")
@pytest.mark.parametrize(
    ("offered", "accepted", "chosen"),
    [
        (True, ("h2", "http/1.1"), "h2"),
        (True, ("http/1.1",), "http/1.1"),
        (False, ("h2", "http/1.1"), "http/1.1"),
        (True, (), None),
    ],
)
async def test_the_protocol_is_chosen_by_alpn_before_the_first_byte(
    authority: Authority, resolver: Resolver, offered: bool, accepted: tuple[str, ...], chosen: str | None
) -> None:
    """And what a server says right behind the handshake is not lost."""
    async with listening(greet, authority.server(alpn=accepted)) as port:
        protocol = await connected(config(Origin("https", NAME, port), authority, http2=offered))
        await until(lambda: protocol.received == HELLO)
        assert protocol.alpn == chosen
        await protocol.close()


@pytest.mark.requirement("SEC-09", "HTU-14")
async def test_a_certificate_that_is_wrong_is_a_tls_failure_and_says_what_is_wrong(
    authority: Authority, stranger: Authority, resolver: Resolver
) -> None:
    """Of a stranger, or for another name."""
    async with (
        listening(greet, stranger.server()) as strange,
        listening(greet, authority.server("other.example")) as other,
    ):
        text = await failure(config(Origin("https", NAME, strange), authority), httpx.ConnectError, "tls_failed")
        assert "certificate was not accepted: unable to get local issuer certificate" in text
        text = await failure(config(Origin("https", NAME, other), authority), httpx.ConnectError, "tls_failed")
        assert "Hostname mismatch" in text


@pytest.mark.requirement("SEC-09")
async def test_a_server_that_only_speaks_an_old_tls_is_a_tls_failure(authority: Authority, resolver: Resolver) -> None:
    """1.2 is the least."""
    old = authority.server()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(shaking(old)) as port:
        text = await failure(config(Origin("https", NAME, port), authority), httpx.ConnectError, "tls_failed")
    assert "TLS could not be agreed on: TLSV1_ALERT_PROTOCOL_VERSION" in text


async def test_a_server_without_tls_is_a_tls_failure(authority: Authority, resolver: Resolver) -> None:
    """Most often a wrong port."""
    async with listening(greet) as port:
        text = await failure(config(Origin("https", NAME, port), authority), httpx.ConnectError, "tls_failed")
    assert "TLS could not be agreed on: WRONG_VERSION_NUMBER" in text


@pytest.mark.requirement("HTU-14")
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_handshake_that_is_cut_is_a_failed_connection(
    authority: Authority, resolver: Resolver, how: str
) -> None:
    """The server may be restarting: that may be tried again."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how == "reset":
            linger = (1).to_bytes(4, "little") + bytes(4)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        await reader.read(65_536)

    async with listening(cut) as port:
        text = await failure(config(Origin("https", NAME, port), authority), httpx.ConnectError, "connection_failed")
    assert "TLS handshake with api.example" in text
    assert text.endswith("went away during the TLS handshake")


async def test_a_handshake_that_does_not_end_ends_with_the_timeout(authority: Authority, resolver: Resolver) -> None:
    """A server that accepts and says nothing."""
    async with listening(say_nothing) as port:
        text = await failure(
            config(Origin("https", NAME, port), authority),
            httpx.ConnectTimeout,
            "connect_timeout",
            timeout=0.25,
        )
    assert "at that time: TLS handshake with api.example" in text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(
    authority: Authority, resolver: Resolver, version: ssl.TLSVersion
) -> None:
    """And its name arrives."""
    asking = authority.server()
    asking.maximum_version = version
    asking.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(asking)
    names: list[Any] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names.extend(writer.get_extra_info("peercert")["subjectAltName"])
        await greet(reader, writer)

    async with listening(note, asking) as port:
        settings = config(Origin("https", NAME, port), authority, client_cert_file=authority.client_file())
        protocol = await connected(settings)
        await until(lambda: protocol.received == HELLO)
        await protocol.close()
    assert names == [("DNS", "client.example")]


async def test_without_the_client_certificate_that_a_server_asks_for_there_is_no_connection(
    authority: Authority, resolver: Resolver
) -> None:
    """TLS 1.2 says so in the handshake; with TLS 1.3 the protocol is told a moment later."""
    asking = authority.server()
    asking.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(asking)
    async with listening(shaking(asking)) as port:
        settings = config(Origin("https", NAME, port), authority)
        protocol = await connected(settings)
        lost = await asyncio.wait_for(protocol.lost, SOON)
        assert isinstance(lost, ssl.SSLError)
        assert (protocol.received, lost.reason) == (b"", "TLSV13_ALERT_CERTIFICATE_REQUIRED")
        asking.maximum_version = ssl.TLSVersion.TLSv1_2
        await failure(settings, httpx.ConnectError, "tls_failed")
