from __future__ import annotations

import asyncio
import gc
import random

import pytest

from adapter_api import TaskCancelled, TokenEvent, TokenStream, WorkerError, token
from adapter_api.testing import Gate, ScriptedAdapter, answer, make_task
from http_util.testing import FakeClock

# one turn of the event loop
TURN = FakeClock().sleep

pytestmark = pytest.mark.requirement("AH-1004")


async def test_cancel_in_the_middle_stops_the_adapter_and_the_tokens(host, records):
    """After it returns no token comes; the stream ends in `end`, cancelled; the task is forgotten."""
    adapter = ScriptedAdapter([answer("a", "b", "c")])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task())
    assert (await anext(stream)).kind == "started"
    await host.cancel("chat", "t-1")
    rest = [event async for event in stream]
    assert [event.kind for event in rest] == ["end"]
    assert rest[0].data["finish_reason"] == "cancelled"
    assert host.in_flight == 0
    assert [entry["event"] for entry in records.entries] == [
        "task_submitted",
        "task_started",
        "task_ended",
    ]


async def test_cancel_drops_the_tokens_that_wait_to_be_read(host):
    """One read brought three tokens and the stream goes on; the reader has seen one of them."""
    host.bind("chat", "0", ScriptedAdapter([answer("a", "b", "c")[:-1], Gate()]))
    stream = await host.submit("chat", make_task())
    assert [(await anext(stream)).text for _ in range(2)] == ["", "a"]
    await host.cancel("chat", "t-1")
    assert [event.kind async for event in stream] == ["end"]


async def test_cancel_reaches_the_replica_that_runs_the_task(host):
    """And no other; ids that are unknown or finished succeed."""
    gate = Gate()
    adapters = [ScriptedAdapter([answer()[0], gate]) for _ in range(3)]
    for number, adapter in enumerate(adapters):
        host.bind("chat", str(number), adapter)
    streams = [await host.submit("chat", make_task(f"t-{number}")) for number in range(3)]
    await host.cancel("chat", "t-1")
    await host.cancel("chat", "t-1")
    await host.cancel("chat", "unknown")
    assert [adapter.stopped for adapter in adapters] == [[], ["t-1"], []]
    gate.open()
    for stream in streams:
        await stream.aclose()


async def test_cancel_while_the_health_is_asked(host):
    """Nothing is sent; submit raises TaskCancelled."""
    gate = Gate()

    class Slow(ScriptedAdapter):
        async def health(self):
            await gate.pass_through(asyncio.Event())
            return await super().health()

    adapter = Slow()
    host.bind("chat", "0", adapter)
    submitting = asyncio.create_task(host.submit("chat", make_task()))
    await gate.reached()
    await host.cancel("chat", "t-1")
    with pytest.raises(TaskCancelled):
        await submitting
    gate.open()
    assert not adapter.submitted
    assert host.in_flight == 0


@pytest.mark.parametrize("turns", range(4))
async def test_cancel_before_the_adapter_has_answered(host, turns: int):
    """In every turn of the loop between submit and the first event: TaskCancelled, and the adapter was told."""
    gate = Gate()
    adapter = ScriptedAdapter([gate, *answer("a")])
    host.bind("chat", "0", adapter)
    submitting = asyncio.create_task(host.submit("chat", make_task()))
    for _ in range(turns):
        await TURN(0)
    await TURN(0)
    await host.cancel("chat", "t-1")
    with pytest.raises(TaskCancelled):
        await submitting
    assert adapter.in_flight == []
    assert host.in_flight == 0


async def test_an_adapter_whose_cancel_does_not_end_its_submit(host):
    """The host ends the submit itself."""

    class Deaf(ScriptedAdapter):
        async def submit(self, task):
            await asyncio.Event().wait()

        async def cancel(self, task_id):
            pass

    host.bind("chat", "0", Deaf())
    submitting = asyncio.create_task(host.submit("chat", make_task()))
    for _ in range(9):
        await TURN(0)
    await host.cancel("chat", "t-1")
    with pytest.raises(TaskCancelled):
        await submitting
    assert host.in_flight == 0


async def test_an_adapter_whose_cancel_fails_or_hangs(host, clock, records):
    """Its stream is closed over its head; the task still ends, and the log says who was in trouble."""

    class Failing(ScriptedAdapter):
        async def cancel(self, task_id):
            raise RuntimeError("sk-abcdefgh12345678")

    class Hanging(ScriptedAdapter):
        async def cancel(self, task_id):
            await asyncio.Event().wait()

    for number, adapter in enumerate([Failing([answer("a")[:2], Gate()]), Hanging([answer("a")[:2], Gate()])]):
        host.rebind("chat", "0", adapter)
        stream = await host.submit("chat", make_task(f"t-{number}"))
        cancelling = asyncio.create_task(host.cancel("chat", f"t-{number}"))
        await clock.run_for(5.0)
        await cancelling
        assert [event.kind for event in [event async for event in stream]][-1] == "end"
        assert adapter.stopped == [f"t-{number}"]
    assert [entry["error_class"] for entry in records.entries if entry["event"] == "adapter_trouble"] == [
        "RuntimeError",
        "TimeoutError",
    ]
    assert "sk-abc" not in str(records.entries)


async def test_the_streams_own_cancel_does_the_same(host):
    """stream.cancel() is host.cancel() for its task."""
    adapter = ScriptedAdapter([answer("a")[:2], Gate()])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task())
    await stream.cancel()
    assert [event.kind async for event in stream] == ["started", "end"]
    assert adapter.cancelled == ["t-1"]


async def test_two_hundred_cancels_at_random_moments(host):
    """While a consumer reads: 0 tokens after the acknowledgement, exactly one terminal event, nothing left."""
    rng = random.Random(7)
    for number in range(200):
        texts = [str(index) for index in range(rng.randrange(1, 12))]
        adapter = ScriptedAdapter(answer(*texts))
        host.rebind("chat", "0", adapter)
        task_id = f"t-{number}"
        acknowledged = asyncio.Event()
        late: list[TokenEvent] = []
        kinds: list[str] = []

        async def read(stream: TokenStream, ack: asyncio.Event = acknowledged, late=late, kinds=kinds) -> None:
            async for event in stream:
                kinds.append(event.kind)
                if event.kind == "token" and ack.is_set():
                    late.append(event)
                await TURN(0)

        async def cancel(turns: int, task_id: str = task_id, ack: asyncio.Event = acknowledged) -> None:
            for _ in range(turns):
                await TURN(0)
            await host.cancel("chat", task_id)
            ack.set()

        stream = await host.submit("chat", make_task(task_id))
        await asyncio.gather(read(stream), *(cancel(rng.randrange(24)) for _ in range(rng.randrange(1, 3))))
        assert late == []
        assert sum(kind in ("end", "error") for kind in kinds) == 1
        assert kinds[-1] == "end"
        assert adapter.in_flight == []
    assert host.in_flight == 0


@pytest.mark.requirement("HST-05", "ADP-31")
@pytest.mark.parametrize("how", ["leave the block", "close", "cancel the reader", "let go"])
async def test_dropping_the_stream_cancels_downstream(host, how: str, metrics):
    """Whichever way the consumer leaves, the adapter is stopped and the place is free."""
    adapter = ScriptedAdapter([answer("a")[:2], Gate()])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task())
    if how == "leave the block":
        async with stream:
            await anext(stream)
    elif how == "close":
        await stream.aclose()
        await stream.aclose()
    elif how == "let go":
        await anext(stream)
        del stream
        gc.collect()
        for _ in range(9):
            await TURN(0)
    else:
        reader = asyncio.create_task(stream.collect())
        for _ in range(9):
            await TURN(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert adapter.stopped == ["t-1"]
    assert adapter.in_flight == []
    assert host.in_flight == 0
    assert metrics.total("tasks_canceled_total", reason="dropped") == 1


@pytest.mark.parametrize("turns", range(8))
async def test_a_submit_whose_caller_is_cancelled_leaves_nothing(host, turns: int):
    """At every turn until the stream is there, also when it just was."""
    adapter = ScriptedAdapter([answer("a")[:2], Gate()])
    host.bind("chat", "0", adapter)
    submitting = asyncio.create_task(host.submit("chat", make_task()))
    for _ in range(turns):
        await TURN(0)
    submitting.cancel()
    result = (await asyncio.gather(submitting, return_exceptions=True))[0]
    if isinstance(result, TokenStream):
        await result.aclose()
    else:
        assert isinstance(result, asyncio.CancelledError)
    assert adapter.in_flight == []
    assert host.in_flight == 0


async def test_a_read_after_a_cancelled_read_is_an_error_not_a_blame(host):
    """The stream was closed when its reader was cancelled; the adapter did nothing wrong."""
    host.bind("chat", "0", ScriptedAdapter([answer("a")[:2], Gate()]))
    stream = await host.submit("chat", make_task())
    await stream.next_batch()
    reader = asyncio.create_task(stream.next_batch())
    for _ in range(9):
        await TURN(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert [event.data["reason"] for event in await stream.next_batch()] == ["closed"]


class Foreign:
    """A stream that is none of ours: an async iterator with aclose."""

    def __init__(self, events: list[TokenEvent]) -> None:
        self.events = list(events)
        self.closed = asyncio.Event()

    def __aiter__(self):
        return self

    async def __anext__(self) -> TokenEvent:
        if self.closed.is_set() or not self.events:
            raise StopAsyncIteration
        return self.events.pop(0)

    async def aclose(self) -> None:
        self.closed.set()


class ForeignAdapter(ScriptedAdapter):
    """An adapter that gives whatever stream it is handed."""

    def __init__(self, stream: object) -> None:
        super().__init__()
        self.stream = stream

    async def submit(self, task):
        return self.stream

    async def cancel(self, task_id: str) -> None:
        await self.stream.aclose()


async def test_a_foreign_stream_is_passed_on(host):
    """Event by event, whole."""
    events = answer("a", "b")
    host.bind("chat", "0", ForeignAdapter(Foreign(events)))
    assert [event async for event in await host.submit("chat", make_task())] == events
    assert host.in_flight == 0


async def test_a_foreign_stream_is_guarded_and_named(host, records):
    """Its violation is one error event, the log says so, and it is closed."""
    stream = Foreign([answer()[0], token("a", 3)])
    host.bind("chat", "0", ForeignAdapter(stream), name="stranger")
    events = [event async for event in await host.submit("chat", make_task())]
    assert events[-1].data["message"] == "stranger: expected token 0, got token 3"
    assert records.entries[-1]["reason"] == "order_violation"
    assert stream.closed.is_set()


async def test_a_foreign_stream_that_just_stops_after_a_cancel_still_ends(host):
    """The host writes the end that the stranger leaves out."""
    host.bind("chat", "0", ForeignAdapter(Foreign(answer("a", "b"))))
    stream = await host.submit("chat", make_task())
    assert [(await anext(stream)).kind for _ in range(2)] == ["started", "token"]
    await host.cancel("chat", "t-1")
    rest = [event async for event in stream]
    assert [(event.kind, event.data["finish_reason"], event.data["tokens_out"]) for event in rest] == [
        ("end", "cancelled", 1)
    ]


async def test_what_is_no_stream_is_refused_and_named(host):
    """submit raises, and nothing is left in flight."""
    host.bind("chat", "0", ForeignAdapter("text"), name="stranger")
    with pytest.raises(WorkerError, match="stranger: submit gave str, expected a TokenStream") as caught:
        await host.submit("chat", make_task())
    assert caught.value.reason == "order_violation"
    assert host.in_flight == 0


async def test_a_view_closes_its_own_tasks_only(host):
    """The pool stays, and so do the tasks of others."""
    gate = Gate()
    host.bind("chat", "0", ScriptedAdapter([answer()[0], gate, *answer("a")[1:]]))
    view = host.pool("chat")
    mine = await view.submit(make_task("mine"))
    other = await host.submit("chat", make_task("other"))
    await view.aclose()
    gate.open()
    assert (await anext(mine)).kind == "started"
    assert (await anext(mine)).data["finish_reason"] == "cancelled"
    assert (await other.collect()).text == "a"
    with pytest.raises(WorkerError, match="closed"):
        await view.submit(make_task())
    assert (await view.health()).reason == "closed"


@pytest.mark.requirement("AH-1005")
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (KeyError("sk-abcdefgh12345678"), "internal"),
        (WorkerError("reset", "the key sk-abcdefgh12345678 was cut", streaming=True), "reset"),
    ],
)
async def test_what_a_foreign_stream_raises_is_one_error_event(host, records, failure: Exception, reason: str):
    """A WorkerError keeps its facts and loses its secrets; of anything else only the class is told, to the log."""

    class Raising(Foreign):
        async def __anext__(self) -> TokenEvent:
            if not self.events:
                raise failure
            return await super().__anext__()

    stream = Raising(answer("a")[:2])
    host.bind("chat", "0", ForeignAdapter(stream))
    events = [event async for event in await host.submit("chat", make_task())]
    assert [event.kind for event in events] == ["started", "token", "error"]
    assert events[-1].data["reason"] == reason
    assert records.entries[-1]["error_class"] == type(failure).__name__
    assert "sk-abc" not in str(events[-1].data) + str(records.entries)
    assert stream.closed.is_set()
    assert host.in_flight == 0
