from __future__ import annotations

import asyncio

import pytest

from adapter_api import WorkerError, WorkerProps
from adapter_api.testing import Gate, ScriptedAdapter, answer, make_task
from adapter_host import AdapterHost
from http_util.testing import FakeClock

# one turn of the event loop
TURN = FakeClock().sleep


async def settle() -> None:
    """Let the other tasks run."""
    for _ in range(20):
        await TURN(0)


@pytest.mark.requirement("AH-1001")
async def test_a_running_stream_finishes_on_the_old_adapter_which_is_then_closed_once(host):
    """New tasks go to the new adapter at once."""
    gate = Gate()
    old = ScriptedAdapter([answer("old")[0], gate, *answer("old")[1:]])
    new = ScriptedAdapter(answer("new"))
    host.bind("chat", "0", old)
    stream = await host.submit("chat", make_task("t-1"))
    host.rebind("chat", "0", new)
    assert (await (await host.submit("chat", make_task("t-2"))).collect()).text == "new"
    await settle()
    assert old.closes == 0
    gate.open()
    assert (await stream.collect()).text == "old"
    await settle()
    assert (old.closes, new.closes) == (1, 0)


@pytest.mark.requirement("AH-1001")
async def test_cancel_reaches_a_task_on_the_old_adapter(host):
    """Also when its whole pool is gone."""
    old = ScriptedAdapter([answer()[0], Gate()])
    host.bind("chat", "0", old)
    stream = await host.submit("chat", make_task())
    leaving = asyncio.create_task(host.unbind("chat", grace=5.0))
    await settle()
    await host.cancel("chat", "t-1")
    assert [event.kind async for event in stream] == ["started", "end"]
    assert await leaving is True
    assert (old.stopped, old.closes) == (["t-1"], 1)


@pytest.mark.requirement("AH-1001")
async def test_two_hundred_rebinds_under_streams(host):
    """Every stream is whole, none fails, every old adapter is closed exactly once and only after its streams."""
    made: list[ScriptedAdapter] = []

    def rebind() -> None:
        made.append(ScriptedAdapter(answer(*"abcdefgh")))
        host.rebind("chat", "0", made[-1])

    rebind()
    done = asyncio.Event()

    async def consume(number: int) -> int:
        streams = 0
        while not done.is_set():
            stream = await host.submit("chat", make_task(f"{number}-{streams}"))
            texts = []
            async with stream:
                async for event in stream:
                    texts.append(event.text)
                    await TURN(0)
            assert "".join(texts) == "abcdefgh"
            streams += 1
        return streams

    consumers = [asyncio.create_task(consume(number)) for number in range(8)]
    for _ in range(200):
        rebind()
        for _ in range(3):
            await TURN(0)
    done.set()
    streams = sum(await asyncio.gather(*consumers))
    await settle()
    assert streams == sum(len(adapter.submitted) for adapter in made)
    assert [adapter.closes for adapter in made] == [1] * 200 + [0]
    assert not any(adapter.stopped for adapter in made)


async def test_an_adapter_that_stands_twice_is_closed_with_its_last_place(host):
    """And not at all when it replaces itself."""
    adapter = ScriptedAdapter()
    host.bind("chat", "0", adapter)
    host.bind("chat", "1", adapter)
    host.rebind("chat", "0", adapter)
    await host.unbind("chat", "0")
    await settle()
    assert adapter.closes == 0
    await host.unbind("chat")
    assert adapter.closes == 1


async def test_unbind_gives_running_tasks_their_grace(host, clock):
    """Then it cancels them and closes the adapter."""
    adapter = ScriptedAdapter([answer()[0], Gate()])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task())
    leaving = asyncio.create_task(host.unbind("chat", "0", grace=2.0))
    await clock.run_for(1.9)
    assert (adapter.stopped, adapter.closes) == ([], 0)
    await clock.run_for(0.1)
    assert await leaving is True
    assert (adapter.stopped, adapter.closes) == (["t-1"], 1)
    await stream.aclose()


@pytest.mark.requirement("HST-04")
async def test_drain_takes_no_more_tasks_and_waits_for_those_that_run(host, clock):
    """It tells whether all have finished, cancels nothing, and a rebind opens the pool again."""
    gate = Gate()
    adapter = ScriptedAdapter([answer()[0], gate, *answer("a")[1:]])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task())
    draining = asyncio.create_task(host.drain("chat", grace=1.0))
    await settle()
    with pytest.raises(WorkerError, match="draining") as caught:
        await host.submit("chat", make_task("t-2"))
    assert caught.value.code == "POOL_UNREADY"
    assert (await host.health("chat")).ready is False
    await clock.run_for(1.0)
    assert await draining is False
    gate.open()
    assert (await stream.collect()).text == "a"
    assert await host.drain() is True
    host.rebind("chat", "0", ScriptedAdapter())
    await (await host.submit("chat", make_task("t-3"))).collect()


@pytest.mark.requirement("HST-04")
async def test_close_waits_for_its_grace_then_cancels_and_closes_each_adapter_once(make_host, clock):
    """Called three times, two of them at once."""
    host = make_host(grace=3.0)
    running, idle = ScriptedAdapter([answer()[0], Gate()]), ScriptedAdapter()
    host.bind("chat", "0", running)
    host.bind("chat", "1", idle)
    host.bind("other", "0", idle)
    stream = await host.submit("chat", make_task())
    if not running.submitted:
        running, idle = idle, running
    closing = [asyncio.create_task(host.aclose()) for _ in range(2)]
    await clock.run_for(2.9)
    assert running.stopped == []
    await clock.run_for(0.1)
    await asyncio.gather(*closing)
    await host.aclose()
    assert running.stopped == ["t-1"]
    assert (running.closes, idle.closes) == (1, 1)
    assert [event.kind async for event in stream] == ["started", "end"]
    for refused in (host.bind, host.rebind):
        with pytest.raises(WorkerError, match="the host is closed"):
            refused("chat", "9", ScriptedAdapter())
    with pytest.raises(WorkerError, match="the host is closed"):
        await host.submit("chat", make_task())
    assert repr(host) == "<AdapterHost closed: pools [], 0 tasks>"


@pytest.mark.requirement("HST-04")
async def test_the_block_closes_the_host_without_grace_when_it_fails(clock, logger):
    """Nobody waits for streams that nobody reads any more."""
    adapter = ScriptedAdapter([answer()[0], Gate()])

    async def fail() -> None:
        async with AdapterHost(clock=clock, logger=logger) as host:
            host.bind("chat", "0", adapter)
            await host.submit("chat", make_task())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (adapter.stopped, adapter.closes) == (["t-1"], 1)


@pytest.mark.requirement("HST-04")
async def test_an_adapter_that_cannot_close_does_not_keep_the_others(host, clock, records):
    """One raises, one hangs; the third is closed all the same, and the log names both."""

    class Raising(ScriptedAdapter):
        async def aclose(self):
            raise RuntimeError("sk-abcdefgh12345678")

    class Hanging(ScriptedAdapter):
        async def aclose(self):
            await asyncio.Event().wait()

    good = ScriptedAdapter()
    for number, adapter in enumerate([Raising(), Hanging(), good]):
        host.bind("chat", str(number), adapter)
    closing = asyncio.create_task(host.aclose(grace=0.0))
    await clock.run_for(10.0)
    await closing
    assert good.closes == 1
    assert {entry["error_class"] for entry in records.entries} == {"RuntimeError", "TimeoutError"}
    assert "sk-abc" not in str(records.entries)


@pytest.mark.slow
@pytest.mark.requirement("ADP-32")
async def test_nothing_is_left_of_two_thousand_tasks(host):
    """Good, failed, cancelled and dropped ones; the tables are empty afterwards."""
    adapter = ScriptedAdapter(lambda task: [WorkerError("reset", "cut")] if task.seed == 1 else answer("a"))
    host.bind("chat", "0", adapter)
    for number in range(2_000):
        try:
            stream = await host.submit("chat", make_task(f"t-{number}", seed=number % 4))
        except WorkerError:
            continue
        if number % 4 == 2:
            await host.cancel("chat", f"t-{number}")
        async with stream:
            if number % 4 != 3:
                async for _ in stream:
                    pass
        if number % 100 == 0:
            host._registry.pool("chat").breaker = None
            adapter.submitted.clear()
            adapter.correlation_ids.clear()
    del stream
    assert (host.in_flight, len(host._tasks), len(host._delivering)) == (0, 0, 0)
    assert host.replicas("chat")[0].in_flight == 0
    assert adapter.in_flight == []


async def test_health_reports_and_does_not_raise(host, metrics):
    """An adapter that raises is down, and its text is not told; one ready replica makes the pool ready."""
    bad, good = ScriptedAdapter(), ScriptedAdapter(ready=False)
    bad.health_error = RuntimeError("sk-abcdefgh12345678")
    host.bind("chat", "a", bad, name="shaky")
    host.bind("chat", "b", good)
    health = await host.health("chat")
    assert (health.live, health.ready, health.reason) == (True, False, "internal")
    assert health.detail == "no replica is ready; a: shaky raised RuntimeError; b: overloaded"
    good.ready = True
    assert (await host.health("chat")).ready
    bad.health_error = WorkerError("dns_failed", "no such host")
    await host.health("chat")
    assert host.replicas("chat")[0].health.reason == "dns_failed"
    assert metrics.total("adapter_health_checks_total", adapter="shaky", outcome="down") == 3


@pytest.mark.requirement("ORCH-3603")
async def test_props_add_slots_and_share_abilities(host):
    """Unknown stays unknown, and a fresh answer is not asked for again."""
    first, second = ScriptedAdapter(slots=4), ScriptedAdapter(slots=2)
    host.bind("chat", "0", first)
    host.bind("chat", "1", second)
    props = await host.props("chat")
    assert (props.slots_total, props.slots_free, props.engine, props.ctx_max) == (6, 6, "openai", 8192)
    assert props.workloads == ("completion",)
    await host.props("chat")
    assert first.health_checks == 1
    host.rebind("chat", "1", ScriptedAdapter(model="other"))
    props = await host.props("chat")
    assert (props.slots_total, props.slots_free, props.model) == (None, None, None)
    view = host.pool("nowhere")
    assert await view.props() == WorkerProps(contract_version="1.0")
    assert (await view.health()).reason == "pool_unknown"
    await view.cancel("t-1")


async def test_engine_version_names_each_version_once(host):
    """In alphabetical order; what cannot tell is left out as long as one can."""
    for number, version in enumerate(["v2", "v1", "v2"]):
        adapter = ScriptedAdapter()
        adapter.engine = version
        host.bind("chat", str(number), adapter)
    assert await host.engine_version("chat") == "v1, v2"

    class Mute(ScriptedAdapter):
        async def engine_version(self):
            raise WorkerError("connection_failed", "refused")

    host.bind("mute", "0", Mute())
    with pytest.raises(WorkerError, match="refused"):
        await host.engine_version("mute")
