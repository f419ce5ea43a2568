"""Cancelling while connecting: at every await, and in the moment when what was awaited is there."""

from __future__ import annotations

import asyncio
import contextlib
import types
from typing import TYPE_CHECKING, Any

import pytest

from http_util.urls import Origin, origin_of
from tests.integration.http_util.engine.connect.peers import (
    NAME,
    OTHER,
    SOON,
    Authority,
    Recorder,
    Resolver,
    config,
    connected,
    connector,
    greet,
    listening,
    shaking,
    until,
)
from tests.integration.http_util.engine.connect.proxies import proxied
from tests.process import open_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Coroutine, Generator

    from http_util.config import HttpConfig

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-01")]


@types.coroutine
def cancelled_at(step: int, when: str, connecting: Coroutine[Any, Any, Recorder]) -> Generator[Any, Any, Recorder]:
    """
    Await *connecting* and cancel it at its await number *step*.

    *when* is ``waiting`` for at once, ``ready`` for the moment when what was awaited is there.
    """
    task = asyncio.current_task()
    assert task is not None
    number, send = 0, connecting.send
    value: Any = None
    while True:
        try:
            awaited = send(value)
        except StopIteration as stop:
            return stop.value
        if number == step:
            if when == "waiting" or awaited is None:
                task.cancel()
            else:
                awaited.add_done_callback(lambda _: task.cancel())
        number += 1
        try:
            value, send = (yield awaited), connecting.send
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the other side
            value, send = error, connecting.throw


@contextlib.asynccontextmanager
async def way(name: str, authority: Authority, resolver: Resolver) -> AsyncIterator[HttpConfig]:
    """Yield settings that lead a certain way to a server."""
    if name == "plain":
        async with listening(greet) as port:
            yield config(Origin("http", NAME, port))
    elif name == "tls":
        async with listening(greet, authority.server()) as port:
            yield config(Origin("https", NAME, port), authority)
    elif name == "race":
        resolver.addresses[NAME] = [OTHER, "127.0.0.1", "127.0.0.2"]
        async with listening(greet) as port:
            yield config(Origin("http", NAME, port))
    elif name == "both answer":
        resolver.addresses[NAME] = [OTHER, "127.0.0.1"]
        async with listening(greet) as port, listening(greet, host=OTHER, port=port):
            yield config(Origin("http", NAME, port))
    else:
        scheme, _, target = name.partition(" to ")
        async with proxied(authority, scheme, target) as (settings, _):
            yield settings


WAYS = [
    "plain",
    "tls",
    "race",
    "both answer",
    "http to https",
    "https to https",
    "socks5 to http",
    "socks5 to https",
]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["waiting", "ready"])
@pytest.mark.parametrize("name", WAYS)
async def test_cancelled_at_any_point_it_leaves_no_socket_open(
    authority: Authority, resolver: Resolver, name: str, when: str
) -> None:
    """Every await of every way, while it waits and in the moment when it need not wait any more."""
    async with way(name, authority, resolver) as settings:
        before = open_files()
        for step in range(100):
            task = asyncio.create_task(steps_of(settings, step, when))
            await asyncio.wait((task,), timeout=SOON)
            assert task.done()
            if not task.cancelled():
                await task.result().close()
                break
            await until(lambda: open_files() == before)
        assert 2 <= step < 99
        await until(lambda: open_files() == before)


async def steps_of(settings: HttpConfig, step: int, when: str) -> Recorder:
    """Connect, cancelled at await number *step*."""
    stepping: Awaitable[Recorder] = cancelled_at(step, when, connected(settings))
    return await stepping


async def test_a_connection_that_is_given_up_as_it_arrives_is_closed_without_a_goodbye(
    authority: Authority, resolver: Resolver
) -> None:
    """The server need not answer for that; the protocol, which was there already, hears of the end."""
    made: list[Recorder] = []

    def arrive(alpn: str | None) -> Recorder:
        """Give up, a turn before it can be known outside that the connection stands."""
        connecting.cancel()
        made.append(Recorder(alpn))
        return made[0]

    # this server does its TLS by hand, and knows no goodbye
    async with listening(shaking(authority.server())) as port:
        settings = config(Origin("https", NAME, port), authority)
        way_there = connector(settings).connect(origin_of(settings.base_url), arrive, timeout=SOON)
        connecting = asyncio.create_task(way_there)
        await asyncio.wait((connecting,))
        assert connecting.cancelled()
        assert await asyncio.wait_for(made[0].lost, 0.5) is None
