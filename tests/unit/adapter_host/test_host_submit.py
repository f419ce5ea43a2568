from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress

import pytest

from adapter_api import InvalidTask, Outcome, Placement, TokenEvent, WorkerAdapter, WorkerError, correlation_id, token
from adapter_api.testing import CHECKS, Gate, ScriptedAdapter, answer, check_worker_adapter, make_task
from adapter_host import AdapterHost
from http_util.breaker import BreakerPolicy, State
from http_util.testing import FakeClock

# one turn of the event loop
TURN = FakeClock().sleep


async def refusal(host: AdapterHost, pool_id: str = "chat", **fields: object) -> WorkerError:
    """What the host refuses a task with."""
    with pytest.raises(WorkerError) as caught:
        await host.submit(pool_id, make_task(**fields))
    return caught.value


@pytest.mark.requirement("AH-1002")
async def test_a_task_reaches_the_adapter_and_its_stream_the_caller(host):
    """Events come unchanged, in the batches in which the adapter gave them."""
    events = answer("Hello", " world")
    host.bind("chat", "0", ScriptedAdapter([events]))
    stream = await host.submit("chat", make_task())
    assert await stream.next_batch() == events
    assert await stream.next_batch() == []
    assert stream.terminal is events[-1]
    assert host.in_flight == 0
    assert repr(host) == "<AdapterHost open: pools ['chat'], 0 tasks>"


@pytest.mark.requirement("HST-01")
async def test_an_unknown_pool_is_a_typed_error_everywhere(host):
    """Submit, cancel, health, props, engine_version, drain: pool_unknown, never a KeyError."""
    assert (await refusal(host)).reason == "pool_unknown"
    for ask in (host.health, host.props, host.engine_version, host.drain):
        with pytest.raises(WorkerError) as caught:
            await ask("chat")
        assert caught.value.reason == "pool_unknown"
    with pytest.raises(WorkerError):
        await host.cancel("chat", "t-1")
    with pytest.raises(WorkerError):
        host.breaker_state("chat")
    assert await host.unbind("chat") is False


@pytest.mark.requirement("AH-1003")
async def test_the_callers_correlation_id_reaches_the_adapter(host, records):
    """The one of the context is used, and the context is left as it was."""
    adapter = ScriptedAdapter()
    host.bind("chat", "0", adapter)
    given = correlation_id.set("corr-1")
    try:
        await (await host.submit("chat", make_task("t-1"))).collect()
        assert correlation_id.get() == "corr-1"
    finally:
        correlation_id.reset(given)
    await (await host.submit("chat", make_task("t-2"))).collect()
    await (await host.submit("chat", make_task("t-3"))).collect()
    told = {entry["job_id"]: entry["correlation_id"] for entry in records.entries}
    assert [told["t-1"], told["t-2"], told["t-3"]] == adapter.correlation_ids
    assert adapter.correlation_ids[0] == "corr-1"
    assert uuid.UUID(adapter.correlation_ids[1]).version == 4
    assert adapter.correlation_ids[1] != adapter.correlation_ids[2]
    assert correlation_id.get() is None


@pytest.mark.requirement("AH-1005")
async def test_a_worker_error_keeps_its_facts(host):
    """Code, retriable, retry_after_ms, outcome and status pass through."""
    given = WorkerError(
        "rate_limited", "the upstream answered 429", retry_after_ms=1500, outcome=Outcome.REJECTED, http_status=429
    )
    host.bind("chat", "0", ScriptedAdapter([given]))
    assert await refusal(host) == given
    assert host.in_flight == 0


@pytest.mark.requirement("AH-1005", "AH-3001")
async def test_a_worker_errors_message_is_redacted(make_host):
    """Key shapes and known secrets are removed, whatever the adapter says."""
    from http_util.secret import Secret

    host = make_host(secrets=[Secret("hunter2-hunter2")])
    host.bind("chat", "0", ScriptedAdapter([WorkerError("reset", "key sk-abcdefgh12345678 of hunter2-hunter2\x1b[2J")]))
    error = await refusal(host)
    assert error.message == "key **** of ****\\u001b[2J"
    assert "hunter2" not in repr(error) + str(error.args)


@pytest.mark.requirement("AH-1005")
async def test_an_unknown_exception_becomes_internal_without_detail(host, records):
    """The caller sees no text of it; the log names its class."""
    host.bind("chat", "0", ScriptedAdapter([ZeroDivisionError("sk-abcdefgh12345678")]), name="shaky")
    error = await refusal(host)
    assert (error.code, error.reason, error.message) == (
        "INTERNAL",
        "internal",
        "the adapter shaky failed to start the task",
    )
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert records.entries[-1]["error_class"] == "ZeroDivisionError"
    assert "sk-abc" not in str(records.entries)


@pytest.mark.requirement("AH-1005", "LOG-05", "SEC-16")
@pytest.mark.parametrize("steps", [[ZeroDivisionError], [answer("a")[:2], ZeroDivisionError]])
async def test_where_an_adapter_fails_is_told_to_a_log_that_was_asked_for(host, records, steps):
    """Class, frames and text, without credentials and prompt; the record of the failure names the class."""
    secret = "sk-abcdefgh12345678"
    failure = steps.pop()(f"{secret}: cannot count 'a prompt of a person'")
    host.bind("chat", "0", ScriptedAdapter([*steps, failure]), name="shaky")
    with suppress(WorkerError):
        await (await host.submit("chat", make_task(prompt="This is a prompt of a person"))).collect()
    fault, failed = records.entries[-2:]
    assert (fault["event"], fault["log_level"], fault["adapter"]) == ("adapter_fault", "debug", "shaky")
    assert fault["human"] == (
        "The adapter shaky raises ZeroDivisionError, which no adapter may; this is a fault of the adapter."
    )
    assert fault["error_text"] == "****: cannot count '****'"
    assert any("adapter_api/testing.py:" in frame and frame.endswith(" in _play") for frame in fault["frames"])
    assert (fault["job_id"], fault["pool_id"], fault["correlation_id"]) == ("t-1", "chat", failed["correlation_id"])
    assert (failed["event"], failed["error_class"]) == ("task_failed", "ZeroDivisionError")


@pytest.mark.requirement("LOG-05")
async def test_the_default_log_tells_no_fault_unless_it_is_asked_for(caplog):
    """Level debug is the switch."""
    for level, told in ((logging.INFO, 0), (logging.DEBUG, 1)):
        caplog.set_level(level, logger="adapter_host")
        async with AdapterHost() as host:
            host.bind("chat", "0", ScriptedAdapter([ZeroDivisionError("no")]), name="shaky")
            with pytest.raises(WorkerError):
                await host.submit("chat", make_task())
        assert [record.message for record in caplog.records].count("adapter_fault") == told


@pytest.mark.requirement("AH-1005")
async def test_where_a_health_check_fails_is_told_too(host, records):
    """By pool and replica; the caller gets its class."""
    adapter = ScriptedAdapter()
    adapter.health_error = ValueError("no sk-abcdefgh12345678")
    host.bind("chat", "0", adapter, name="shaky")
    assert (await host.health("chat")).detail.endswith("shaky raised ValueError")
    (fault,) = records.entries
    assert (fault["event"], fault["action"], fault["pool_id"], fault["replica_id"]) == (
        "adapter_fault",
        "check",
        "chat",
        "0",
    )
    assert fault["error_text"] == "no ****"


async def test_what_is_no_task_is_said_in_words(host):
    """A mapping is easily taken for one."""
    host.bind("chat", "0", ScriptedAdapter())
    with pytest.raises(InvalidTask, match=r"task: expected a TaskRequest, got dict$"):
        await host.submit("chat", {"task_id": "t-1"})
    assert host.in_flight == 0


@pytest.mark.requirement("AH-1005")
async def test_an_unknown_exception_inside_a_stream_is_one_error_event(host, records):
    """The stream ends in `internal`, and the log names the class."""
    host.bind("chat", "0", ScriptedAdapter([answer("a")[:2], KeyError("sk-abcdefgh12345678")]))
    events = [event async for event in await host.submit("chat", make_task())]
    assert [event.kind for event in events] == ["started", "token", "error"]
    assert events[-1].data["reason"] == "internal"
    assert "sk-abc" not in str(events[-1].data) + str(records.entries)
    assert host.in_flight == 0


@pytest.mark.requirement("AH-1005", "AH-3001")
async def test_an_error_event_of_an_adapter_is_redacted(host):
    """Its other facts are kept."""
    data = WorkerError("truncated", "the key sk-abcdefgh12345678 was cut", streaming=True).payload() | {"engine": "x"}
    host.bind("chat", "0", ScriptedAdapter([answer("a")[:2], TokenEvent("error", data)]))
    events = [event async for event in await host.submit("chat", make_task())]
    assert events[-1].data == data | {"message": "the key **** was cut"}


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([TokenEvent("token", {"t": "a", "i": 0})], "token is out of order"),
        ([answer()[0], token("a", 1)], "expected token 0, got token 1"),
        (answer("a")[:2], "stopped without end or error"),
        ([*answer("a", evidence=None)], "evidence of the end must be a text that names it"),
        ([*answer("a")[:2], TokenEvent("end", {"finish_reason": "stop"})], "end lacks tokens_out, decode_ms, evidence"),
        ([*answer("a")[:2], TokenEvent("error", {"message": "cut"})], "error lacks code, reason, retriable"),
    ],
)
async def test_the_plugin_that_breaks_the_order_is_named(host, events, says):
    """Exactly one error event, which names the adapter and what it did."""
    host.bind("chat", "0", ScriptedAdapter(events, name="inner"), name="disorderly")
    seen = [event async for event in await host.submit("chat", make_task())]
    assert seen[-1].kind == "error"
    assert seen[-1].data["reason"] == "order_violation"
    assert says in seen[-1].data["message"]
    assert host.in_flight == 0


@pytest.mark.requirement("ADP-23", "AH-1005")
async def test_an_end_without_evidence_is_a_failure_in_the_log_too(host, records):
    """Whatever object an adapter gives for a stream: what nobody has checked does not count as a complete task."""

    class Batches:
        def __init__(self):
            self.batches = [answer("a")[:2], [TokenEvent("end", {"finish_reason": "stop"})]]

        async def __anext__(self):
            raise StopAsyncIteration

        async def next_batch(self):
            return self.batches.pop(0) if self.batches else []

        async def aclose(self):
            pass

    class Foreign(ScriptedAdapter):
        async def submit(self, task):
            return Batches()

    host.bind("chat", "0", Foreign(), name="hasty")
    seen = [event async for event in await host.submit("chat", make_task())]
    assert [event.kind for event in seen] == ["started", "token", "error"]
    assert seen[-1].data["message"] == "hasty: end lacks tokens_out, decode_ms, evidence, usage"
    assert [entry["event"] for entry in records.entries][-1] == "task_failed"
    assert records.entries[-1]["reason"] == "order_violation"


async def test_a_task_id_is_in_flight_once_per_pool(host):
    """Another replica would not help: cancel could not tell the two apart."""
    gate = Gate()
    host.bind("chat", "0", ScriptedAdapter([answer()[0], gate]))
    host.bind("chat", "1", ScriptedAdapter())
    async with await host.submit("chat", make_task()):
        assert isinstance(await refusal(host), InvalidTask)
    await (await host.submit("chat", make_task())).aclose()


async def test_an_expired_deadline_asks_nobody(host):
    """DEADLINE_UNMET before any health check."""
    adapter = ScriptedAdapter()
    host.bind("chat", "0", adapter)
    assert (await refusal(host, deadline_ms=0)).code == "DEADLINE_UNMET"
    assert adapter.health_checks == 0


@pytest.mark.requirement("AH-1007")
async def test_a_pinned_task_runs_in_its_pool_and_is_found_under_both(host):
    """The pin comes before the caller's pool; cancel works with either."""
    gate = Gate()
    big = ScriptedAdapter([answer()[0], gate])
    host.bind("chat", "0", ScriptedAdapter())
    host.bind("big", "0", big)
    for named in ("chat", "big"):
        stream = await host.submit("chat", make_task(named, placement=Placement(mode="pin", pin_pool_id="big")))
        await host.cancel(named, named)
        assert [event.kind async for event in stream] == ["started", "end"]
    assert [task.task_id for task in big.submitted] == ["chat", "big"]
    assert host.in_flight == 0


@pytest.mark.requirement("AH-1007")
async def test_a_pin_to_an_unready_pool_does_not_fall_back(host):
    """POOL_UNREADY, although the caller's pool is ready; a pool that is not there is INVALID_PARAMS."""
    host.bind("chat", "0", ScriptedAdapter())
    host.bind("big", "0", ScriptedAdapter(ready=False))
    assert (await refusal(host, placement=Placement(mode="pin", pin_pool_id="big"))).code == "POOL_UNREADY"
    assert (await refusal(host, placement=Placement(mode="pin", pin_pool_id="none"))).code == "INVALID_PARAMS"


@pytest.mark.requirement("HST-02")
async def test_only_ready_replicas_get_tasks(host, records):
    """With none ready it is POOL_UNREADY, retriable, and the message says why."""
    bad = ScriptedAdapter(ready=False)
    good = ScriptedAdapter()
    host.bind("chat", "a", bad)
    host.bind("chat", "b", good)
    for number in range(3):
        await (await host.submit("chat", make_task(f"t-{number}"))).collect()
    assert len(good.submitted) == 3
    assert not bad.submitted
    await host.unbind("chat", "b")
    error = await refusal(host)
    assert (error.code, error.retriable, error.outcome) == ("POOL_UNREADY", True, Outcome.NOT_SENT)
    assert error.message == "the upstream is not ready: overloaded"


@pytest.mark.requirement("HST-02")
async def test_replicas_that_are_equal_take_turns(host):
    """Four tasks, two replicas: two each."""
    adapters = [ScriptedAdapter(slots=4), ScriptedAdapter(slots=4)]
    for number, adapter in enumerate(adapters):
        host.bind("chat", str(number), adapter)
    for number in range(4):
        await (await host.submit("chat", make_task(f"t-{number}"))).collect()
    assert [len(adapter.submitted) for adapter in adapters] == [2, 2]


@pytest.mark.requirement("HST-02")
async def test_the_least_busy_replica_gets_the_task(host):
    """The one with more free slots, counting what was just given to it."""
    gate = Gate()
    small, large = (ScriptedAdapter([answer()[0], gate], slots=slots) for slots in (2, 4))
    host.bind("chat", "small", small)
    host.bind("chat", "large", large)
    streams = [await host.submit("chat", make_task(f"t-{number}")) for number in range(4)]
    assert (len(small.submitted), len(large.submitted)) == (1, 3)
    for stream in streams:
        await stream.aclose()


@pytest.mark.requirement("HST-02")
async def test_a_healthy_replica_is_not_asked_for_each_task(host, clock):
    """One check, then none while tasks start well; another when it was silent for long."""
    adapter = ScriptedAdapter()
    host.bind("chat", "0", adapter)
    for number in range(10):
        clock.advance(4.0)
        await (await host.submit("chat", make_task(f"t-{number}"))).collect()
    assert adapter.health_checks == 1
    clock.advance(5.0)
    await (await host.submit("chat", make_task())).collect()
    assert adapter.health_checks == 2


@pytest.mark.requirement("HST-02")
async def test_a_replica_that_failed_is_asked_again(host):
    """A failure of the pool ends the belief that it is ready."""
    adapter = ScriptedAdapter([WorkerError("connection_failed", "refused")])
    host.bind("chat", "0", adapter)
    await refusal(host)
    adapter.ready = False
    assert (await refusal(host)).reason == "pool_unready"
    assert len(adapter.submitted) == 1


async def test_a_replica_not_heard_of_for_long_is_asked_beside(host, clock):
    """Another one is known to be ready, so nobody waits for the answer; the next task may go there."""
    early, late = ScriptedAdapter(), ScriptedAdapter()
    host.bind("chat", "early", early)
    await (await host.submit("chat", make_task("t-1"))).collect()
    host.bind("chat", "late", late)
    await (await host.submit("chat", make_task("t-2"))).collect()
    await clock.settle()
    await (await host.submit("chat", make_task("t-3"))).collect()
    assert [task.task_id for task in early.submitted] == ["t-1", "t-2"]
    assert [task.task_id for task in late.submitted] == ["t-3"]


async def test_those_who_ask_together_share_one_check(host):
    """Ten submits at once ask once; one that gives up takes nothing away from the others."""
    adapter = ScriptedAdapter()
    host.bind("chat", "0", adapter)
    submits = [asyncio.create_task(host.submit("chat", make_task(f"t-{number}"))) for number in range(10)]
    await TURN(0)
    submits[0].cancel()
    results = await asyncio.gather(*submits, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    for stream in results[1:]:
        await stream.collect()
    assert adapter.health_checks == 1
    assert host.in_flight == 0


async def test_a_health_check_that_hangs_is_bounded(host, clock):
    """After health_timeout the replica counts as down; the task's own deadline comes first if it is shorter."""
    gate = Gate()

    class Hanging(ScriptedAdapter):
        async def health(self):
            await gate.pass_through(asyncio.Event())

    host.bind("chat", "0", Hanging())
    slow = asyncio.create_task(refusal(host, task_id="slow"))
    short = asyncio.create_task(refusal(host, task_id="short", deadline_ms=1000))
    await clock.run_for(1.0)
    assert (await short).code == "DEADLINE_UNMET"
    await clock.run_for(4.0)
    assert (await slow).reason == "pool_unready"


async def test_time_spent_on_finding_a_replica_comes_off_the_deadline(host, clock):
    """The adapter gets what is left."""
    gate = Gate()

    class Slow(ScriptedAdapter):
        async def health(self):
            await gate.pass_through(asyncio.Event())
            return await super().health()

    adapter = Slow()
    host.bind("chat", "0", adapter)
    submitting = asyncio.create_task(host.submit("chat", make_task(deadline_ms=10_000)))
    await clock.run_for(2.0)
    gate.open()
    await (await submitting).collect()
    assert adapter.submitted[0].deadline_ms == 8_000


@pytest.mark.requirement("ORCH-3602")
async def test_the_breaker_opens_fails_fast_probes_and_recovers(make_host, clock):
    """Three failures open it; submits then fail at once; after the pause one trial decides."""
    host = make_host(breaker=BreakerPolicy(failure_threshold=3, success_threshold=1, recovery_timeout=30.0))
    failing = [WorkerError("server_error", "500")]
    adapter = ScriptedAdapter(lambda task: failing or answer("a"))
    host.bind("chat", "0", adapter)
    for number in range(3):
        assert (await refusal(host, task_id=f"t-{number}")).reason == "server_error"
    clock.advance(10.0)
    error = await refusal(host)
    assert (error.reason, error.retry_after_ms, error.outcome) == ("circuit_open", 20_000, Outcome.NOT_SENT)
    assert host.breaker_state("chat") is State.OPEN
    assert (await host.health("chat")).reason == "circuit_open"
    assert len(adapter.submitted) == 3
    failing.clear()
    clock.advance(20.0)
    await (await host.submit("chat", make_task())).collect()
    assert host.breaker_state("chat") is State.CLOSED


@pytest.mark.requirement("ORCH-3602")
async def test_the_breaker_counts_only_what_speaks_against_the_pool(make_host):
    """The caller's faults, limits and cancels leave it closed; a stream counts as good when it ends well."""
    host = make_host(breaker=BreakerPolicy(failure_threshold=1))
    for reason in ("invalid_task", "rate_limited", "invalid_api_key", "deadline", "slots_exhausted"):
        host.rebind("chat", "0", ScriptedAdapter([WorkerError(reason, "no")]))
        await refusal(host)
    host.rebind("chat", "0", ScriptedAdapter())
    await (await host.submit("chat", make_task())).aclose()
    assert host.breaker_state("chat") is State.CLOSED
    host.rebind("chat", "0", ScriptedAdapter([answer("a")[:2], WorkerError("truncated", "cut", streaming=True)]))
    _ = [event async for event in await host.submit("chat", make_task())]
    assert host.breaker_state("chat") is State.OPEN


async def test_breakers_can_be_turned_off(make_host):
    """Then nothing fails fast."""
    host = make_host(breaker=None)
    adapter = ScriptedAdapter([WorkerError("server_error", "500")])
    host.bind("chat", "0", adapter)
    for number in range(9):
        await refusal(host, task_id=f"t-{number}")
    assert len(adapter.submitted) == 9
    assert host.breaker_state("chat") is None


@pytest.mark.requirement("ADP-08", "HST-09")
async def test_a_pool_passes_the_conformance_suite_also_two_hosts_deep():
    """A view of a pool is an adapter, and so is a view of a pool whose adapter is such a view."""
    owners = []

    def make() -> WorkerAdapter:
        inner, outer = AdapterHost(), AdapterHost()
        owners.extend([outer, inner])
        inner.bind("deep", "0", ScriptedAdapter(slots=4))
        outer.bind("chat", "0", inner.pool("deep"))
        return outer.pool("chat")

    assert len(await check_worker_adapter(make, make_task)) == len(CHECKS)
    for owner in owners:
        await owner.aclose(grace=0.0)


@pytest.mark.requirement("AH-1006")
async def test_the_host_never_tries_twice(host):
    """A failure that may be retried is the adapter's to retry, by its settings; the host makes one submit."""
    adapters = [ScriptedAdapter([WorkerError("connection_failed", "refused")]) for _ in range(2)]
    for number, adapter in enumerate(adapters):
        host.bind("chat", str(number), adapter)
    assert (await refusal(host)).retriable
    assert sum(len(adapter.submitted) for adapter in adapters) == 1


@pytest.mark.requirement("HST-08", "HST-09")
def test_the_host_loads_no_server_and_no_adapter():
    """Importing it loads no server, no concrete adapter and no simulator."""
    import subprocess
    import sys

    unwanted = (
        "worker_adapters",
        "openai_client",
        "upstream_simulator",
        "starlette",
        "granian",
        "socketserver",
        "typer",
    )
    code = f"import sys, adapter_host; print([name for name in {unwanted!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert result.stdout.strip() == "[]"
