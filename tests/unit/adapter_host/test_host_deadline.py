from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapter_api import Outcome, TokenEvent, TokenStream, WorkerError
from adapter_api.testing import Gate, ScriptedAdapter, answer, make_task

if TYPE_CHECKING:
    from http_util.testing import FakeClock

pytestmark = pytest.mark.requirement("AH-1008")


class Deaf(ScriptedAdapter):
    """Never comes back from a submit."""

    was_cancelled = False

    async def submit(self, task):
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cancelled = True


class Endless:
    """A source that gives a token each second, and forgets the deadline."""

    def __init__(self, clock: FakeClock, first: list[TokenEvent]) -> None:
        self._clock = clock
        self._next = first
        self.is_closed = False

    async def next_events(self) -> list[TokenEvent]:
        if self._next:
            events, self._next = self._next, []
            return events
        await self._clock.sleep(3600.0)
        raise AssertionError

    async def cancel(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


class Streaming(ScriptedAdapter):
    """Gives one stream of an `Endless` source."""

    def __init__(self, clock: FakeClock, first: list[TokenEvent]) -> None:
        super().__init__()
        self.source = Endless(clock, first)

    async def submit(self, task):
        return TokenStream(self.source, task_id=task.task_id, origin="endless")


async def test_a_submit_that_goes_on_is_cancelled_at_the_deadline(host, clock):
    """DEADLINE_UNMET, what became of it unknown; the adapter has 25 ms to say so itself."""
    adapter = Deaf()
    host.bind("chat", "0", adapter, name="deaf")
    submit = asyncio.create_task(host.submit("chat", make_task(deadline_ms=1000)))
    await clock.run_for(1.02)
    assert not submit.done()
    await clock.run_for(0.01)
    with pytest.raises(WorkerError) as caught:
        await submit
    error = caught.value
    assert (error.code, error.reason, error.outcome) == ("DEADLINE_UNMET", "deadline", "UNKNOWN")
    assert error.message == "the deadline of 1000 ms passed; deaf was stopped by the host"
    assert adapter.was_cancelled
    assert (host.in_flight, host.replicas("chat")[0].in_flight) == (0, 0)


@pytest.mark.parametrize(("tokens", "outcome"), [(2, "PARTIAL"), (0, "UNKNOWN")])
async def test_a_stream_that_goes_on_ends_in_one_error(host, clock, tokens, outcome):
    """The adapter's stream is closed, and the place is free again."""
    adapter = Streaming(clock, answer("a", "b")[: 1 + tokens])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task(deadline_ms=1000))
    assert len(await stream.next_batch()) == 1 + tokens
    reading = asyncio.create_task(stream.next_batch())
    await clock.run_for(1.02)
    assert not reading.done()
    await clock.run_for(0.01)
    (event,) = await reading
    assert event.kind == "error"
    assert [event.data[name] for name in ("code", "reason", "outcome")] == ["DEADLINE_UNMET", "deadline", outcome]
    assert await stream.next_batch() == []
    assert adapter.source.is_closed
    assert host.in_flight == 0


async def test_a_stream_that_nobody_reads_is_stopped_at_the_deadline_too(host, clock):
    """The place is free at once; who reads later finds the error."""
    adapter = Streaming(clock, answer("a", "b")[:2])
    host.bind("chat", "0", adapter)
    stream = await host.submit("chat", make_task(deadline_ms=1000))
    await stream.next_batch()
    await clock.run_for(1.03)
    assert adapter.source.is_closed
    assert host.in_flight == 0
    (event,) = await stream.next_batch()
    assert (event.data["reason"], event.data["outcome"]) == ("deadline", "PARTIAL")


async def test_the_adapters_own_word_on_its_deadline_wins(host, clock):
    """It knows what the upstream did."""

    class Punctual(ScriptedAdapter):
        async def submit(self, task):
            await clock.sleep(task.deadline_ms / 1000)
            raise WorkerError("deadline", "the upstream was silent", outcome=Outcome.UNKNOWN, http_status=200)

    host.bind("chat", "0", Punctual())
    submit = asyncio.create_task(host.submit("chat", make_task(deadline_ms=1000)))
    await clock.run_for(1.1)
    with pytest.raises(WorkerError, match="the upstream was silent"):
        await submit


async def test_a_task_that_is_over_leaves_no_timer(host, clock):
    """Whether it ended, was cancelled or was dropped."""
    host.bind("chat", "0", ScriptedAdapter())
    host.bind("slow", "0", ScriptedAdapter([answer()[0], Gate()]))
    await (await host.submit("chat", make_task())).collect()
    stream = await host.submit("slow", make_task())
    await host.cancel("slow", "t-1")
    assert [event.kind async for event in stream] == ["started", "end"]
    await (await host.submit("slow", make_task())).aclose()
    assert clock.next_due() is None
