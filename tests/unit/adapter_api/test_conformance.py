from __future__ import annotations

import asyncio

import pytest

from adapter_api import TokenEvent, TokenStream, WorkerError, WorkerHealth, WorkerProps, token
from adapter_api.testing import (
    CHECKS,
    ConformanceFailure,
    Gate,
    ScriptedAdapter,
    answer,
    check_worker_adapter,
    make_task,
)

pytestmark = pytest.mark.requirement("ADP-08")


async def failures(make_adapter, *only: str, bound: float = 5.0) -> dict[str, str]:
    """Which checks fail, and what was seen."""
    with pytest.raises(ConformanceFailure) as caught:
        await check_worker_adapter(make_adapter, make_task, only=only, timeout=bound)
    assert str(caught.value) == "\n".join(f"{check}: {seen}" for check, seen in caught.value.failures)
    return dict(caught.value.failures)


@pytest.mark.parametrize("burst", [False, True])
async def test_a_good_adapter_passes_every_check(burst: bool):
    """Also when it gives whole answers in one batch, and when making it takes an await."""
    events = answer(*"abcdefghij")

    async def make() -> ScriptedAdapter:
        return ScriptedAdapter([events] if burst else events, slots=4)

    assert await check_worker_adapter(make, make_task) == tuple(CHECKS)


async def test_a_missing_or_plain_method_is_found():
    """Each verb is a coroutine."""

    class Plain(ScriptedAdapter):
        def props(self):
            return WorkerProps()

    class Partial:
        async def aclose(self):
            pass

    assert await failures(Plain, "has the shape") == {"has the shape": "props is not a coroutine function"}
    assert await failures(Partial, "has the shape") == {"has the shape": "health is missing"}


async def test_reports_of_another_kind_are_found():
    """Types, contradictions, unstable versions."""

    class Dictionary(ScriptedAdapter):
        async def health(self):
            return {"live": True}

    class Ghost(ScriptedAdapter):
        async def health(self):
            return WorkerHealth(live=False, ready=True)

    class Overbooked(ScriptedAdapter):
        async def props(self):
            return WorkerProps(slots_total=1, slots_free=2)

    class Restless(ScriptedAdapter):
        async def engine_version(self):
            self.engine += "+"
            return self.engine

    seen = [
        (await failures(kind, "reports itself"))["reports itself"] for kind in (Dictionary, Ghost, Overbooked, Restless)
    ]
    assert seen == [
        "health gave dict, expected WorkerHealth",
        "health is ready but not live",
        "2 of 1 slots free",
        "engine_version gave 'scripted-1+' and then 'scripted-1++'",
    ]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([answer()[0], token("a", 1)], "a good task ends in error"),
        (answer(), "a good task gives no token"),
        ([*answer("a")[:2], TokenEvent("end", {"tokens_out": 1})], "end lacks decode_ms, finish_reason"),
        ([TokenEvent("started", {}), *answer("a")[1:]], "started lacks engine_version"),
        (answer("a", evidence=object()), "raised TypeError"),
        ([WorkerError("reset", "cut")], "raised WorkerError"),
    ],
)
async def test_a_stream_that_is_out_of_order_or_incomplete_is_found(steps, says: str):
    """The rule that is broken is named."""
    seen = await failures(lambda: ScriptedAdapter(steps), "streams in order")
    assert says in seen["streams in order"]


async def test_an_adapter_that_takes_everything_is_found():
    """Wrong tasks, ids in flight, tasks after its close."""

    class Eager(ScriptedAdapter):
        def _refuse(self, task):
            pass

    seen = await failures(Eager, "refuses wrong tasks", "refuses an id in flight", "closes for good")
    assert seen == {
        "refuses wrong tasks": "max_tokens above ctx is accepted",
        "refuses an id in flight": "an id that is in flight is accepted again",
        "closes for good": "a task after aclose is accepted",
    }


async def test_a_cancel_that_does_nothing_is_found():
    """Tokens after the acknowledgement are counted."""

    class Deaf(ScriptedAdapter):
        async def cancel(self, task_id):
            pass

    seen = await failures(lambda: Deaf(answer(*"abcd")), "cancels in the middle")
    assert seen == {"cancels in the middle": "3 tokens after cancel returned"}


async def test_a_cancel_that_stops_too_much_is_found():
    """The other task has to end as if nothing had happened."""

    class Sweeping(ScriptedAdapter):
        async def cancel(self, task_id):
            for one in self.in_flight:
                await super().cancel(one)

    seen = await failures(Sweeping, "cancels only its task")
    assert seen == {"cancels only its task": "the other task ended in end, cancelled"}


async def test_a_slot_that_does_not_come_back_is_found():
    """Three dropped streams, three slots gone."""

    class Leaking(ScriptedAdapter):
        leaked = 0

        async def submit(self, task) -> TokenStream:
            self.leaked += 1
            return await super().submit(task)

        async def props(self):
            return WorkerProps(slots_total=9, slots_free=9 - self.leaked)

    seen = await failures(Leaking, "frees a dropped task")
    assert seen == {"frees a dropped task": "9 slots were free before, 6 after three dropped streams"}


async def test_a_check_that_hangs_has_failed():
    """After its bound, and the next one runs."""
    seen = await failures(lambda: ScriptedAdapter([Gate()]), "streams in order", "has the shape", bound=0.05)
    assert seen == {"streams in order": "took longer than 0.05 s"}


async def test_the_scripted_adapter_refuses_beyond_its_slots():
    """And says who it is."""
    adapter = ScriptedAdapter([answer()[0], gate := Gate()], slots=1)
    stream = await adapter.submit(make_task("t-1"))
    with pytest.raises(WorkerError, match="all 1 slots are taken"):
        await adapter.submit(make_task("t-2"))
    with pytest.raises(WorkerError, match="workload: expected completion"):
        await adapter.submit(make_task("t-3", workload="rerank"))
    with pytest.raises(WorkerError, match="n: expected 1, got 2"):
        await adapter.submit(make_task("t-3", n=2))
    assert repr(adapter) == "<ScriptedAdapter 'scripted': 1 in flight>"
    reading = asyncio.create_task(stream.collect())
    await gate.reached()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert adapter.in_flight == []
    adapter.health_error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await adapter.health()
