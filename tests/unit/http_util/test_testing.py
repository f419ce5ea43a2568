"""The doubles we ship: they must not lie either."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from http_util.client import build_async_client, build_client
from http_util.config import HttpConfig
from http_util.testing import (
    EPOCH,
    Answer,
    FakeClock,
    FakeSyncClock,
    FixedRandom,
    Pause,
    ScriptedUpstream,
    Stall,
    seeded_random,
)

URL = "http://localhost/v1"
CONFIG = HttpConfig(base_url=URL)


@pytest.mark.requirement("HTU-04")
async def test_sleepers_and_timers_run_in_the_order_of_their_moments() -> None:
    """Also one that sleeps again while time moves, and two at the same moment in the order of asking."""
    clock, order = FakeClock(now=10.0), []

    async def sleeper(name: str, *pauses: float) -> None:
        for pause in pauses:
            await clock.sleep(pause)
            order.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper("a", 1.0, 1.0)), asyncio.create_task(sleeper("b", 1.5, 1.5))]
    await clock.settle()
    clock.call_at(11.5, lambda: order.append(("timer", clock.monotonic())))
    clock.call_at(11.0, lambda: order.append(("cancelled", 0.0))).cancel()
    await clock.run_for(5.0)
    await asyncio.gather(*tasks)
    assert order == [("a", 11.0), ("timer", 11.5), ("b", 11.5), ("a", 12.0), ("b", 13.0)]
    assert clock.sleeps == [1.0, 1.5, 1.0, 1.5]
    assert (clock.monotonic(), clock.time(), clock.next_due()) == (15.0, EPOCH + 15.0, None)


async def test_a_clock_that_moves_by_itself_returns_from_sleep() -> None:
    """For tests that are not about time."""
    clock = FakeClock(auto=True)
    await clock.sleep(5.0)
    await clock.sleep(0)
    assert (clock.monotonic(), clock.sleeps) == (5.0, [5.0, 0])


async def test_a_cancelled_sleeper_leaves_no_timer() -> None:
    """Nothing rings for nobody."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(5.0))
    await clock.settle()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert clock.next_due() is None


def test_clocks_do_not_go_back() -> None:
    """A negative step is a mistake of the test."""
    for clock in (FakeClock(), FakeSyncClock()):
        with pytest.raises(ValueError, match="does not go back"):
            clock.advance(-1.0)


def test_the_blocking_clock_moves_by_sleeping() -> None:
    """And tells both times."""
    clock = FakeSyncClock(now=1.0)
    clock.sleep(2.0)
    clock.sleep(-1.0)
    assert (clock.monotonic(), clock.time(), clock.sleeps) == (3.0, EPOCH + 3.0, [2.0, -1.0])


@pytest.mark.requirement("HTU-04")
def test_randomness_does_what_it_is_told() -> None:
    """Fixed parts of the range, or the sequence of a seed."""
    assert FixedRandom(0.25).uniform(2.0, 4.0) == 2.5
    assert seeded_random(3).random() == seeded_random(3).random()


async def test_answers_are_given_in_order_and_requests_remembered() -> None:
    """A request more than scripted is an error of the test."""
    upstream = ScriptedUpstream(Answer.json(b'{"n":1}', status=201, headers={"x-a": "b"}))
    upstream.then(Answer.events(b"{}"))
    async with build_async_client(CONFIG, transport=upstream) as client:
        first = await client.post(URL, json={"a": 1})
        second = await client.get(URL)
        with pytest.raises(AssertionError, match="no answer is scripted for request 3: GET http://localhost/v1"):
            await client.get(URL)
    assert (first.status_code, first.json(), first.headers["x-a"], first.http_version) == (
        201,
        {"n": 1},
        "b",
        "HTTP/1.1",
    )
    assert second.text == "data: {}\n\ndata: [DONE]\n\n"
    assert [(r.method, r.content) for r in upstream.requests] == [("POST", b'{"a":1}'), ("GET", b""), ("GET", b"")]
    assert (upstream.finished, upstream.closed_early, upstream.open_bodies) == (2, 0, 0)


async def test_bodies_pause_stall_and_break_as_scripted() -> None:
    """
    Time passes on the upstream's clock; a stall lasts until the reader is cancelled; an error is raised where it
    stands.
    """
    clock = FakeClock()
    upstream = ScriptedUpstream(
        Answer(body=(b"a", Pause(3.0), b"b", Stall())),
        Answer(body=(b"a", httpx.ReadError("cut"))),
        clock=clock,
    )
    got: list[bytes] = []

    async def read() -> None:
        async with client.stream("GET", URL) as answer:
            # noted one by one, to be looked at in between
            async for piece in answer.aiter_raw():
                got.append(piece)  # noqa: PERF401

    async with build_async_client(CONFIG, transport=upstream) as client:
        task = asyncio.create_task(read())
        await clock.settle()
        assert got == [b"a"]
        await clock.run_for(3.0)
        assert got == [b"a", b"b"]
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (upstream.closed_early, upstream.open_bodies) == (1, 0)
        with pytest.raises(httpx.ReadError, match="cut"):
            await read()
    assert (upstream.closed_early, upstream.open_bodies) == (2, 0)


async def test_a_request_may_fail_or_be_cancelled_before_its_head() -> None:
    """Both are told apart."""
    upstream = ScriptedUpstream(Answer.failing(httpx.ConnectError("no")), Answer(before_head=(Stall(),)))
    async with build_async_client(CONFIG, transport=upstream) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(URL)
        task = asyncio.create_task(client.get(URL))
        await FakeClock().settle()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert (upstream.cancelled_before_head, upstream.open_bodies) == (1, 0)


def test_blocking_readers_get_the_same_script() -> None:
    """A stall becomes the read timeout that a socket would have raised."""
    clock = FakeSyncClock()
    upstream = ScriptedUpstream(
        Answer(before_head=(Pause(1.0),), body=(b"a", Pause(2.0), b"b")),
        Answer(body=(b"a", Stall())),
        Answer.failing(httpx.ConnectError("no")),
        sync_clock=clock,
    )
    with build_client(CONFIG, transport=upstream) as client:
        assert client.get(URL).content == b"ab"
        with pytest.raises(httpx.ReadTimeout):
            client.get(URL)
        with pytest.raises(httpx.ConnectError):
            client.get(URL)
    assert clock.sleeps == [1.0, 2.0]
    assert (upstream.finished, upstream.closed_early, upstream.open_bodies) == (1, 1, 0)


async def test_a_script_with_pauses_needs_a_clock() -> None:
    """Otherwise the test would wait for ever, or not at all."""
    upstream = ScriptedUpstream(*[Answer(before_head=(Pause(1.0),))] * 2)
    async with build_async_client(CONFIG, transport=upstream) as client:
        with pytest.raises(AssertionError, match="needs a clock"):
            await client.get(URL)
    with build_client(CONFIG, transport=upstream) as client, pytest.raises(AssertionError, match="needs a sync_clock"):
        client.get(URL)
