"""Proxies that repeat what they were told, and one that does what it is for."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from tests.integration.http_util.engine.connect.proxies import carry_both_ways

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

REFUSALS: Final = ("407", "502", "junk", "closed", "too large a head")
"""Ways in which a proxy builds no tunnel, and answers no request."""


def _said_to(head: bytes) -> str:
    """Return the credentials in the head of a request to a proxy, as they came and as they were meant."""
    lines = head.decode().split("\r\n")
    value = next(line.partition(": ")[2] for line in lines if line.lower().startswith("proxy-authorization"))
    return f"{value} {b64decode(value.removeprefix('Basic ')).decode()}"


def refusing(fault: str) -> Handler:
    """Return a proxy that refuses in one way, and quotes the credentials in status line, header and body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = _said_to(await reader.readuntil(b"\r\n\r\n"))
        match fault:
            case "junk":
                writer.write(f"{said}\r\n\r\n".encode())
            case "closed":
                pass
            case "too large a head":
                writer.write(f"HTTP/1.1 200 OK\r\nx-a: {said * 1000}\r\n\r\n".encode())
            case status:
                head = f"HTTP/1.1 {status} {said}\r\nproxy-authenticate: {said}\r\nx-request-id: {said}\r\n"
                writer.write(f"{head}content-length: {len(said)}\r\n\r\n{said}".encode())
        await writer.drain()

    return serve


async def building(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy that builds every tunnel to where it is asked for, and passes plain requests on, credentials included."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b" ", 2)
    authority = target if method == b"CONNECT" else target.split(b"/")[2]
    host, _, port = authority.decode().rpartition(":")
    there, back = await asyncio.open_connection(host, int(port))
    try:
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target[target.index(b"/", len("http://")) :]
            back.write(head.replace(target, path, 1))
        await carry_both_ways(reader, writer, there, back)
    finally:
        back.transport.abort()


async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A SOCKS5 proxy that accepts no password."""
    _, count = await reader.readexactly(2)
    await reader.readexactly(count)
    writer.write(b"\x05\x02")
    _, size = await reader.readexactly(2)
    user = await reader.readexactly(size)
    password = await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x01\x01" + user + password)
    await writer.drain()
