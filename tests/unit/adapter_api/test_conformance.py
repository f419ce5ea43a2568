from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import adapter_api
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

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "examples" / "sample_plugin"
GUIDE = (ROOT / "docs" / "writing-an-adapter.md").read_text("utf-8")


async def failures(make_adapter, *only: str, bound: float = 5.0) -> dict[str, str]:
    """Which checks fail, and what was seen."""
    with pytest.raises(ConformanceFailure) as caught:
        await check_worker_adapter(make_adapter, make_task, only=only, timeout=bound)
    assert str(caught.value) == "\n".join(f"{check}: {seen}" for check, seen in caught.value.failures)
    return dict(caught.value.failures)


@pytest.mark.parametrize("burst", [False, True])
async def test_a_good_adapter_passes_every_check(burst: bool):
    """Also when it gives whole answers in one batch, and when making it takes an await."""

    def steps(task):
        events = answer(*"abcdefghij"[: task.max_tokens])
        return [events] if burst else events

    async def make() -> ScriptedAdapter:
        return ScriptedAdapter(steps, slots=4)

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
        ([answer()[0], token("a", 1)], "a good task ends in error: INTERNAL (order_violation): scripted"),
        (
            [answer()[0], WorkerError("reset", "the cable was cut", streaming=True)],
            "a good task ends in error: WORKER_RESET (reset): the cable was cut",
        ),
        (answer(), "a good task gives no token"),
        (
            [*answer("a")[:2], TokenEvent("end", {"tokens_out": 1})],
            "(order_violation): scripted: end lacks decode_ms, finish_reason, evidence, usage",
        ),
        (answer("a", evidence=""), "(order_violation): scripted: evidence of the end must be a text"),
        (answer("a", usage=7), "usage.source of the end is None, expected upstream, estimated, none"),
        (answer("a", usage={"source": "guess"}), "usage.source of the end is 'guess', expected upstream"),
        ([TokenEvent("started", {}), *answer("a")[1:]], "started lacks engine_version"),
        (answer("a", model=object()), "raised TypeError"),
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


@pytest.mark.parametrize("lists", [True, False])
async def test_what_is_no_worker_error_may_not_leave_an_adapter(lists: bool):
    """Whether it says which workloads it serves or not."""

    class Leaky(ScriptedAdapter):
        async def props(self):
            return WorkerProps(workloads=("completion",) if lists else ())

        def _refuse(self, task):
            if task.workload != "completion":
                raise ValueError("workload")
            super()._refuse(task)

    class Many(ScriptedAdapter):
        def _refuse(self, task):
            if task.n is None:
                super()._refuse(task)

    seen = await failures(Leaky, "refuses wrong tasks")
    what = "workload embedding, which props does not list," if lists else "workload embedding"
    says = f"{what} raised ValueError: workload; nothing but WorkerError may leave an adapter"
    assert seen == {"refuses wrong tasks": says}
    assert await failures(Many, "refuses wrong tasks") == {"refuses wrong tasks": "n of 2 is accepted"}


async def test_an_adapter_that_ignores_max_tokens_is_found():
    """In the tokens it gives, in the count it ends with, and in how it ends."""
    seen = [
        (await failures(lambda steps=steps: ScriptedAdapter(steps), "holds its limit"))["holds its limit"]
        for steps in (answer(*"abc"), answer("abc", tokens_out=3), [answer()[0], WorkerError("reset", "cut")])
    ]
    assert seen == [
        "a task of max_tokens 2 gave 3 tokens",
        "a task of max_tokens 2 ended with tokens_out 3",
        "a task of max_tokens 2 ended in error: POOL_UNAVAILABLE (reset): cut",
    ]


async def test_an_adapter_that_ignores_its_slots_is_found(monkeypatch: pytest.MonkeyPatch):
    """One task more is accepted, or refused for another reason; one that waits for its turn does not break the rule."""

    class Open(ScriptedAdapter):
        def _refuse(self, task):
            if self._slots is not None and len(self.in_flight) >= self._slots:
                self.on_full()

        def on_full(self):
            pass

        async def props(self):
            return WorkerProps(slots_total=2, slots_free=max(0, 2 - len(self.in_flight)))

    class Broken(Open):
        def on_full(self):
            raise WorkerError("overloaded", "busy")

    class Queueing(Open):
        async def submit(self, task):
            if len(self.in_flight) >= 2:
                await asyncio.Event().wait()
            return await super().submit(task)

    check, what = "holds its slots", "a task beyond 2 slots that are taken"
    assert await failures(lambda: Open(slots=2), check) == {check: f"{what} is accepted"}
    says = f"{what} gave POOL_UNAVAILABLE (overloaded): busy, expected ADMISSION_REJECT or QUEUE_FULL_DROP_LRU"
    assert await failures(lambda: Broken(slots=2), check) == {check: says}
    monkeypatch.setattr("adapter_api.conformance._CANCEL_SLACK", 0.02)
    assert await check_worker_adapter(lambda: Queueing(slots=2), make_task, only=(check,)) == (check,)


async def test_a_source_that_ignores_a_cancel_is_found(monkeypatch: pytest.MonkeyPatch):
    """No token comes out, and still the upstream works on: the adapter that is slow on purpose shows it."""
    monkeypatch.setattr("adapter_api.conformance._CANCEL_SLACK", 0.02)
    check = "stops when it is cancelled"

    class Source:
        def __init__(self):
            self.events = [[event] for event in answer(*"ab")]

        async def next_events(self):
            if len(self.events) < 4:
                await asyncio.Event().wait()
            return self.events.pop(0)

        async def cancel(self):
            pass

        async def aclose(self):
            pass

    class Deaf(ScriptedAdapter):
        async def submit(self, task):
            stream = self._streams[task.task_id] = TokenStream(Source(), task_id=task.task_id, origin="deaf")
            return stream

    with pytest.raises(ConformanceFailure) as caught:
        await check_worker_adapter(ScriptedAdapter, make_task, only=(check,), make_slow=Deaf)
    says = "a cancelled task went on for 0.02 s; its source has to end it at once"
    assert caught.value.failures == ((check, says),)
    assert await check_worker_adapter(ScriptedAdapter, make_task, only=(check,)) == (check,)


@pytest.mark.parametrize("steps", [[Gate()], [answer()[0], Gate()]])
async def test_a_deadline_that_is_forgotten_is_found(steps, monkeypatch: pytest.MonkeyPatch):
    """In `submit` and in the stream; the adapter that is slow on purpose is the one that is asked."""
    monkeypatch.setattr("adapter_api.conformance._DEADLINE_SLACK", 0.01)
    only = ("holds its deadline",)
    with pytest.raises(ConformanceFailure) as caught:
        await check_worker_adapter(ScriptedAdapter, make_task, only=only, make_slow=lambda: ScriptedAdapter(steps))
    says = "a task of 1 ms went on for 0.01 s after its deadline"
    assert caught.value.failures == (("holds its deadline", says),)


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([WorkerError("deadline", "late")], None),
        ([answer()[0], WorkerError("deadline", "late", streaming=True)], None),
        ([WorkerError("overloaded", "busy")], "a task of 1 ms ended in error: POOL_UNAVAILABLE (overloaded): busy"),
        (answer("a", finish_reason="cancelled"), "a task of 1 ms ended in end, cancelled"),
        ([TimeoutError("mine")], "raised TimeoutError: mine"),
    ],
)
async def test_a_deadline_ends_a_task_in_its_own_error(steps, says: str | None):
    """Before the stream or in it; nothing else will do."""
    if says is None:
        only = ("holds its deadline",)
        assert await check_worker_adapter(lambda: ScriptedAdapter(steps), make_task, only=only) == only
        return
    seen = await failures(lambda: ScriptedAdapter(steps), "holds its deadline")
    assert says in seen["holds its deadline"]


async def test_a_slot_that_is_lost_at_the_deadline_is_found():
    """The task is over, so its slot is free."""

    class Leaking(ScriptedAdapter):
        async def props(self):
            return WorkerProps(slots_total=9, slots_free=9 - len(self.submitted))

    seen = await failures(Leaking, "holds its deadline")
    assert seen == {"holds its deadline": "9 slots were free before, 7 after the deadlines"}


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


def shown(language: str) -> list[str]:
    """The code of the guide."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_shows_the_sample_as_it_is():
    """Who copies from the guide has the files that are tested."""
    assert shown("toml") == [(SAMPLE / "pyproject.toml").read_text("utf-8")]
    files = [(SAMPLE / "echo_adapter" / name).read_text("utf-8") for name in ("plugin.py", "adapter.py")]
    assert shown("python")[:2] == files


def test_the_guide_works_as_printed(monkeypatch: pytest.MonkeyPatch):
    """Its adapter, its hook and its test, from nothing but the page."""
    plugin, adapter, test = shown("python")
    for name, code in (("", ""), (".adapter", adapter), (".plugin", plugin), (".test_echo", test)):
        module = ModuleType(f"echo_adapter{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, f"docs/writing-an-adapter.md{name}", "exec"), vars(module))
    sys.modules["echo_adapter.test_echo"].test_it_keeps_the_contract()
    offered = sys.modules["echo_adapter.plugin"].worker_adapter_plugins()
    task = make_task(prompt="Say it  again.", max_tokens=2)

    async def answered() -> str:
        return (await (await offered.factory({"slots": 1}).submit(task)).collect()).text

    assert asyncio.run(answered()) == "Say it"


def test_what_the_guide_says_to_write_can_be_written():
    """Each line of its table is an expression that works with the names of the package."""
    names = {name: getattr(adapter_api, name) for name in adapter_api.__all__} | {"reason": "reset", "message": "cut"}
    lines = re.findall(r"^\| `(\w+\(.*\))` \|", GUIDE, re.MULTILINE)
    assert len(lines) == 10
    for line in lines:
        eval(line, names)
