from __future__ import annotations

import asyncio
import logging

import pytest

from adapter_api import WorkerError, WorkerProps, correlation_id
from adapter_api.testing import Gate, ScriptedAdapter, answer, make_task
from adapter_host import AdapterHost
from adapter_host.task_story import default_logger
from http_util.secret import Secret

IDS = {"job_id": "t-1", "session_id": "s-1", "pool_id": "chat", "correlation_id": "corr-1", "engine": "openai"}
ACTOR = {"actor": "adapter-host", "action": "submit", "target": "openai"}


@pytest.fixture(autouse=True)
def _correlation():
    given = correlation_id.set("corr-1")
    yield
    correlation_id.reset(given)


@pytest.mark.requirement("AH-2001", "AH-2002", "ORCH-3604", "LOG-04")
async def test_a_good_task_is_three_records(host, records, clock):
    """Submit, start and end, each with the standard fields, actor, action, target and a sentence."""
    gate = Gate()
    host.bind("chat", "0", ScriptedAdapter([answer()[0], gate, *answer("a", "b")[1:]]))
    stream = await host.submit("chat", make_task())
    await anext(stream)
    clock.advance(1.5)
    gate.open()
    await stream.collect()
    submitted, started, ended = records.entries
    worker = {"replica_id": "0", "adapter": "ScriptedAdapter", "engine_version": "scripted-1", "model": "m"}
    # nobody has asked the pool yet, so nobody knows its engine
    ids = {name: value for name, value in IDS.items() if name != "engine"}
    assert submitted == ids | ACTOR | {
        "event": "task_submitted",
        "log_level": "info",
        "target": "pool chat",
        "human": "Hands an interactive completion of at most 64 tokens to pool chat.",
    }
    assert started == IDS | ACTOR | worker | {
        "event": "task_started",
        "log_level": "info",
        "latency_ms": 0,
        "human": "The openai engine of pool chat starts to answer after 0 ms.",
    }
    assert ended == IDS | ACTOR | worker | {
        "event": "task_ended",
        "log_level": "info",
        "tokens_in": 1,
        "tokens_out": 2,
        "decode_time_ms": 1,
        "finish_reason": "stop",
        "evidence": "finish_reason",
        "attempts": 0,
        "human": "The answer is complete after 1.5 s: 2 tokens, finish reason stop.",
    }


@pytest.mark.requirement("LOG-04", "ORCH-3604")
@pytest.mark.parametrize(("tells", "shown"), [("vllm", "vllm"), ("a\nb", "a\\nb"), (None, "echo")])
async def test_the_engine_is_the_one_that_is_there(host, records, tells, shown):
    """The adapter's word, or else its name, not what the task names; a pool that was asked is known by it at once."""

    class Engine(ScriptedAdapter):
        async def props(self):
            return WorkerProps(engine=tells)

    host.bind("chat", "0", Engine(answer("a")), name="echo")
    for number in range(2):
        await (await host.submit("chat", make_task(f"t-{number}", engine="openai"))).collect()
    assert [entry.get("engine") for entry in records.entries] == [None, *[shown] * 5]
    assert [entry["target"] for entry in records.entries] == ["pool chat", *[shown] * 5]
    assert records.entries[3]["human"].endswith(f"to the {shown} engine of pool chat.")
    assert "openai" not in str(records.entries)


@pytest.mark.requirement("LOG-07")
async def test_there_is_no_record_per_token(host, records):
    """A thousand tokens are told in three records too."""
    host.bind("chat", "0", ScriptedAdapter(answer(*["x"] * 1000)))
    await (await host.submit("chat", make_task())).collect()
    assert len(records.entries) == 3


@pytest.mark.requirement("AH-2002", "ORCH-3604")
async def test_a_cancel_is_told_with_its_action(host, records):
    """The cancel and the end it leads to."""
    host.bind("chat", "0", ScriptedAdapter([answer("a")[:2], Gate()]))
    stream = await host.submit("chat", make_task())
    await stream.next_batch()
    await host.cancel("chat", "t-1")
    cancelling, ended = records.entries[-2:]
    assert (cancelling["event"], cancelling["action"]) == ("task_cancelling", "cancel")
    assert cancelling["human"] == "Tells the openai engine of pool chat to stop; nothing more is delivered."
    assert (ended["event"], ended["finish_reason"], ended["tokens_out"]) == ("task_ended", "cancelled", 1)
    assert ended["human"] == "The task ends cancelled after 1 token."
    await stream.aclose()


@pytest.mark.requirement("AH-2002")
@pytest.mark.parametrize(
    ("error", "level", "says"),
    [
        (
            WorkerError("rate_limited", "429", retry_after_ms=1500),
            "warning",
            "rate limited. It may be tried again after",
        ),
        (WorkerError("reset", "cut"), "error", "The task fails in pool chat before its first token: reset. It may be"),
        (WorkerError("invalid_api_key", "401"), "error", "before its first token: invalid api key."),
    ],
)
async def test_a_failure_is_told_once(host, records, error, level, says):
    """The caller's faults and limits are warnings, the rest errors."""
    host.bind("chat", "0", ScriptedAdapter([error]))
    with pytest.raises(WorkerError):
        await host.submit("chat", make_task())
    failed = records.entries[-1]
    assert len(records.entries) == 2
    assert (failed["event"], failed["log_level"], failed["reason"]) == ("task_failed", level, error.reason)
    assert says in failed["human"]
    assert failed["correlation_id"] == "corr-1"


@pytest.mark.requirement("LOG-05")
async def test_records_of_concurrent_tasks_do_not_mix(host, records):
    """Each record has the ids of its own task."""
    host.bind("chat", "0", ScriptedAdapter())

    async def one(number: int) -> None:
        correlation_id.set(f"corr-{number}")
        await (await host.submit("chat", make_task(f"t-{number}", session_id=f"s-{number}"))).collect()

    await asyncio.gather(*(one(number) for number in range(20)))
    assert len(records.entries) == 60
    for entry in records.entries:
        number = entry["job_id"].removeprefix("t-")
        assert (entry["session_id"], entry["correlation_id"]) == (f"s-{number}", f"corr-{number}")


@pytest.mark.requirement("AH-2003", "MET-20", "MET-21")
async def test_metrics_are_counted_at_the_ends_of_a_task(host, metrics, clock):
    """Start, tokens in and out, first token, decode, dispatch."""
    gate = Gate()
    host.bind("chat", "0", ScriptedAdapter([answer()[0], gate, *answer("a", "b")[1:]]))
    stream = await host.submit("chat", make_task())
    await anext(stream)
    clock.advance(0.25)
    gate.open()
    await stream.collect()
    assert metrics.total("tasks_started_total", pool_id="chat", replica_id="0", priority="interactive") == 1
    assert metrics.total("tokens_out_total", engine_version="scripted-1") == 2
    assert metrics.total("tokens_in_total") == 1
    assert metrics.values("latency_first_token_ms", pool_id="chat") == [250.0]
    assert metrics.values("latency_decode_ms") == [1]
    assert metrics.total("adapter_dispatch_total", adapter="ScriptedAdapter", outcome="started") == 1


@pytest.mark.requirement("LOG-05", "AH-3001")
async def test_the_default_logger_is_the_standard_one_and_redacts(caplog):
    """Facts arrive as attributes of a standard record; known secrets and key shapes are gone; nothing global is set."""
    caplog.set_level(logging.INFO, logger="adapter_host")
    async with AdapterHost(secrets=[Secret("hunter2-hunter2")]) as host:
        host.bind("chat", "0", ScriptedAdapter([WorkerError("reset", "hunter2-hunter2 sk-abcdefgh12345678")]))
        with pytest.raises(WorkerError):
            await host.submit("chat", make_task())
    record = caplog.records[-1]
    assert (record.name, record.levelname, record.msg) == ("adapter_host", "ERROR", "task_failed")
    assert record.error_message == "**** ****"
    assert record.pool_id == "chat"


def test_the_default_logger_drops_what_nobody_wants():
    """Below the logger's level nothing is rendered."""
    logging.getLogger("adapter_host").setLevel(logging.CRITICAL)
    try:
        assert default_logger().info("quiet", extra_text=object()) is None
    finally:
        logging.getLogger("adapter_host").setLevel(logging.NOTSET)
