"""Cancel means stop: at every point of a task's life, from any task, over real sockets."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from adapter_api import TaskCancelled
from tests.lateness import in_time, late_only_once
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from upstream_simulator import Simulator

LATEST: Final = 0.1
"""Seconds within which the upstream has seen the end of a cancelled stream."""

POINTS: Final = 200
"""Random points of a stream at which it is cancelled."""


@pytest.mark.slow
@pytest.mark.requirement("WA-INT-3002", "AH-1004", "ADP-30")
async def test_no_token_follows_a_cancel_at_any_point_of_a_stream(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """200 cancels at random points: no token after the acknowledgement, nothing left running or held."""
    simulator.script(always="tokens-per-second=400")
    points = random.Random(20261120)
    tasks_before = asyncio.all_tasks()
    async with adapters(protocol) as adapter:

        async def cancel_somewhere(number: int) -> tuple[str, list[str]]:
            name = f"t-{number}"
            acknowledged = False
            late: list[str] = []
            after = points.randrange(60)
            reached = asyncio.Event()

            async def consume() -> str:
                try:
                    stream = await adapter.submit(task(name, max_tokens=2000))
                except TaskCancelled:
                    return "before start"
                async with stream:
                    async for event in stream:
                        if event.kind == "token":
                            late.extend([event.text] * acknowledged)
                            if event.index == after:
                                reached.set()
                return str(stream.terminal and stream.terminal.data["finish_reason"])

            consumer = asyncio.ensure_future(consume())
            if number % 4:
                await reached.wait()
            else:
                for _ in range(points.randrange(40)):
                    await asyncio.sleep(0)
            await adapter.cancel(name)
            acknowledged = True
            return await consumer, late

        results = []
        for start in range(0, POINTS, 20):
            results += await asyncio.gather(*(cancel_somewhere(start + offset) for offset in range(20)))
        assert [late for _, late in results if late] == []
        assert {how for how, _ in results} <= {"cancelled", "before start"}
        assert sum(how == "cancelled" for how, _ in results) >= POINTS // 2
        assert (await adapter.props()).slots_free == 64
        assert asyncio.all_tasks() == tasks_before
    assert all(exchange.left != "open" for exchange in simulator.log(settle=2.0))


@pytest.mark.requirement("WA-INT-3002", "ADP-31")
@pytest.mark.parametrize("way", ["cancel", "aclose", "leave", "cancel the consumer"])
@late_only_once
async def test_the_upstream_sees_the_end_of_every_dropped_stream(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any], way: str
) -> None:
    """Whatever the way out, the upstream stops generating at once."""
    simulator.script(always="tokens-per-second=100")
    async with adapters(protocol) as adapter:
        stream = await adapter.submit(task(max_tokens=5000))
        for _ in range(4):
            await anext(stream)
        began = time.monotonic()
        if way == "cancel":
            await adapter.cancel("t-1")
        elif way == "aclose":
            await stream.aclose()
        elif way == "leave":
            async with stream:
                pass
        else:
            await _cancel_a_consumer(stream)
        exchange = simulator.log(settle=2.0)[0]
        assert (await adapter.props()).slots_free == 64
    assert exchange.left in ("disconnected", "reset")
    in_time(exchange.ended_at - began, LATEST, "the stop of the upstream")


async def _cancel_a_consumer(stream: Any) -> None:
    async def consume() -> None:
        async for _ in stream:
            pass

    consumer = asyncio.ensure_future(consume())
    await asyncio.sleep(0)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer


@pytest.mark.requirement("ADP-30", "SVC-16")
@pytest.mark.parametrize("fault", ["stall=30;stall-at=head", "stall=30;stall-at=body", "status=503;retry-after=15"])
async def test_a_cancel_before_the_start_ends_the_submit(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any], fault: str
) -> None:
    """Waiting for the head, for the first chunk, or between two attempts: submit raises TaskCancelled at once."""
    simulator.script(always=fault)
    async with adapters(protocol) as adapter:
        submit = asyncio.ensure_future(adapter.submit(task()))
        while not simulator.log():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.gather(adapter.cancel("t-1"), adapter.cancel("t-1"), adapter.cancel("t-unknown"))
        assert submit.done()
        with pytest.raises(TaskCancelled) as caught:
            await submit
        assert caught.value.code is None
        await adapter.cancel("t-1")
        assert (await adapter.props()).slots_free == 64
    assert all(exchange.left != "open" for exchange in simulator.log(settle=2.0))


@pytest.mark.requirement("ADP-30")
async def test_a_cancel_affects_its_own_task_only(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """Of two streams over one adapter, the other one goes on to its end."""
    simulator.script(always="tokens-per-second=500")
    async with adapters(protocol) as adapter:
        one = await adapter.submit(task("t-1", max_tokens=500))
        two = await adapter.submit(task("t-2", max_tokens=60))
        await anext(two)
        await adapter.cancel("t-1")
        whole = await two.collect()
        rest = [event async for event in one]
    assert whole.tokens == 60
    assert [event.kind for event in rest] in (["end"], ["started", "end"])
    assert rest[-1].data["finish_reason"] == "cancelled"


@pytest.mark.requirement("ADP-31")
async def test_closing_the_adapter_ends_every_stream(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """aclose cancels what is in flight; the consumers get their terminal event, and nothing is left open."""
    simulator.script(always="tokens-per-second=50")
    async with adapters(protocol) as adapter:
        streams = [await adapter.submit(task(f"t-{number}", max_tokens=500)) for number in range(5)]
        await adapter.aclose()
        endings = [[event async for event in stream][-1] for stream in streams]
    assert [event.data["finish_reason"] for event in endings] == ["cancelled"] * 5
    assert {exchange.left for exchange in simulator.log(settle=2.0)} <= {"disconnected", "reset"}


async def answer_in_one_write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A whole stream of 30 tokens that ends in an error, in one piece."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    await reader.readexactly(length)
    chunks = [b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'] * 30
    body = b"".join([*chunks, b'data: {"error":{"message":"no more","code":"500"}}\n\n'])
    kind = b"content-type: text/event-stream\r\n"
    writer.write(b"HTTP/1.1 200 OK\r\n" + kind + b"content-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


@pytest.mark.requirement("AH-1004", "WA-INT-3002")
async def test_a_cancel_also_stops_tokens_that_wait_for_a_slow_consumer(task: Callable[..., Any]) -> None:
    """The upstream is over and the slot is free, but tokens are unread: after the cancel they are not handed out."""
    async with await asyncio.start_server(answer_in_one_write, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url=f"http://127.0.0.1:{port}/v1", model="m"))
        stream = await adapter.submit(task(max_tokens=50))
        read = [await anext(stream) for _ in range(3)]
        assert (await adapter.props()).slots_free == 64
        await adapter.cancel("t-1")
        rest = [event async for event in stream]
        await adapter.aclose()
    assert [event.kind for event in read] == ["started", "token", "token"]
    assert [event.kind for event in rest] == ["error"]
