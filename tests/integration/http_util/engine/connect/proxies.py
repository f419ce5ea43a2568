"""Proxies for tests, a few lines each."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from http_util.urls import Origin
from tests.integration.http_util.engine.connect.peers import NAME, config, greet, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from http_util.config import HttpConfig
    from tests.integration.http_util.engine.connect.peers import Authority

SOCKS_OK = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"
HTTP_OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """A proxy for tests: sends every tunnel to one port, whatever name is asked for."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.target = 0
        self.heads: list[bytes] = []
        self.dribbles = False

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Build a tunnel by CONNECT."""
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        for at in range(0, len(self.answer), 1 if self.dribbles else len(self.answer)):
            writer.write(self.answer[at : at + 1] if self.dribbles else self.answer)
            await writer.drain()
            await asyncio.sleep(0)
        if b" 200 " in self.answer:
            await self.pipe(reader, writer)

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a request in the target's place."""
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read(-1)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Build a tunnel by SOCKS5; asks for a password when one is offered."""
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        writer.write(bytes([5, 2 if 2 in methods else 0]))
        if 2 in methods:
            _, size = await reader.readexactly(2)
            user = await reader.readexactly(size)
            password = await reader.readexactly((await reader.readexactly(1))[0])
            self.heads.append(user + b":" + password)
            writer.write(b"\x01\x00" if password == b"hunter2" else b"\x01\x01")
        _, _, _, kind, size = await reader.readexactly(5)
        assert kind == 3
        self.heads.append(await reader.readexactly(size + 2))
        writer.write(self.answer)
        if self.answer[1] == 0:
            await self.pipe(reader, writer)

    async def pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until either side ends."""
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await carry_both_ways(reader, writer, there, back)
        finally:
            back.transport.abort()


async def carry_both_ways(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there: asyncio.StreamReader, back: asyncio.StreamWriter
) -> None:
    """Carry bytes between the caller and the target until either side ends."""
    ways = [asyncio.create_task(_carry(reader, back)), asyncio.create_task(_carry(there, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Carry bytes one way."""
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()


@contextlib.asynccontextmanager
async def proxied(
    authority: Authority, scheme: str, target: str, *, proxy: Proxy | None = None, **settings: Any
) -> AsyncIterator[tuple[HttpConfig, Proxy]]:
    """Run a target and a proxy before it; yield the settings that go that way."""
    is_socks = scheme.startswith("socks")
    proxy = proxy or Proxy(SOCKS_OK if is_socks else HTTP_OK)
    handle = proxy.socks if is_socks else proxy.http
    proxy_tls = authority.server("127.0.0.1") if scheme == "https" else None
    target_tls = authority.server(alpn=("h2", "http/1.1")) if target == "https" else None
    async with listening(greet, target_tls) as port, listening(handle, proxy_tls) as at:
        proxy.target = port
        yield config(Origin(target, NAME, 4443), authority, proxy=f"{scheme}://127.0.0.1:{at}", **settings), proxy
