"""
From a host's name to a connected socket: resolve it, try its addresses as `addresses.Race` plans, keep one socket.

Whatever ends the wait, a failure, a timeout or a cancellation, no socket stays open but the one that is returned.

Spec: HTU-01, HTU-1001
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from http_util.engine.addresses import Race, addresses_of
from http_util.urls import literal_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_util.urls import IPAddress

SocketOptions = list[tuple[int, int, int]]
"""Level, option and value, as `socket.setsockopt` takes them."""


def socket_options(tcp_keepalive: float | None) -> SocketOptions:
    """
    Return the options of every socket: no delay for small writes, and probes after *tcp_keepalive* seconds of silence.

    Spec: HTU-01
    """
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if tcp_keepalive is None:
        return options
    seconds = max(1, round(tcp_keepalive))
    options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    # the first name is Linux's, the second is macOS's; both take seconds
    idle = next((getattr(socket, name) for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE") if hasattr(socket, name)), None)
    if idle is not None:
        options.append((socket.IPPROTO_TCP, idle, seconds))
    if hasattr(socket, "TCP_KEEPINTVL"):
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds))
    return options


async def resolve(host: str, port: int) -> list[IPAddress]:
    """
    Return the addresses of *host* in the order in which they are tried; one that is an address leads to itself.

    Raises:
        socket.gaierror: The name has no address, or nobody could say.
    """
    literal = literal_address(host)
    if literal is not None:
        return [literal]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = addresses_of(found)
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
    return addresses


async def first_connected(addresses: Sequence[IPAddress], port: int, options: SocketOptions) -> socket.socket:
    """
    Return a socket that is connected to the first address that answers.

    Args:
        addresses: At least one, in the order in which they are tried.
        port: The port, the same at all of them.
        options: Of each socket.

    Raises:
        OSError: None of them could be reached; the text says how many there were and why the last one failed.
    """
    if len(addresses) == 1:
        return await _connected(addresses[0], port, options)
    attempts: list[asyncio.Task[socket.socket]] = []
    try:
        winner = await _first(attempts, Race(addresses), port, options)
        await _dismiss([attempt for attempt in attempts if attempt is not winner])
    except BaseException:
        await _dismiss(attempts)
        raise
    return winner.result()


async def _first(
    attempts: list[asyncio.Task[socket.socket]], race: Race, port: int, options: SocketOptions
) -> asyncio.Task[socket.socket]:
    """Start attempts, noted in *attempts*, until one of them has connected, and return that one."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[socket.socket]] = set()
    while True:
        while (address := race.next(loop.time())) is not None:
            attempt = loop.create_task(_connected(address, port, options))
            attempts.append(attempt)
            running.add(attempt)
        ended, running = await asyncio.wait(
            running, timeout=race.wait(loop.time()), return_when=asyncio.FIRST_COMPLETED
        )
        for attempt in ended:
            error = attempt.exception()
            if error is None:
                return attempt
            if not isinstance(error, OSError):
                raise error
            race.failed()
            if race.is_lost:
                why = f"none of {len(attempts)} addresses could be reached; the last: {error.strerror or error}"
                raise OSError(error.errno, why) from error


async def _connected(address: IPAddress, port: int, options: SocketOptions) -> socket.socket:
    """Return a socket connected to one address; closed again whatever stops the connecting."""
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)  # noqa: PLR2004 - of IPv4
    try:
        sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        for option in options:
            sock.setsockopt(*option)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and error.errno is not None:
            # event loops word this each in their own way
            raise OSError(error.errno, os.strerror(error.errno)) from error
        raise
    return sock


async def _dismiss(attempts: Sequence[asyncio.Task[socket.socket]]) -> None:
    """
    End attempts and close what they have connected meanwhile.

    A cancellation that comes now is kept until they have ended, which takes one turn of the loop.
    """
    cancelled = None
    for attempt in attempts:
        attempt.cancel()
    while running := [attempt for attempt in attempts if not attempt.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for attempt in attempts:
        if not attempt.cancelled() and attempt.exception() is None:
            attempt.result().close()
    if cancelled is not None:
        raise cancelled
