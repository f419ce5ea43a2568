"""No double billing: what is sent again, and what is not, counted at the upstream."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import ErrorKind, Outcome, WorkerError
from http_util import RetryPolicy
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from upstream_simulator import Simulator

QUICK = {
    "billing_safe": RetryPolicy(name="billing_safe", base=0.001, cap=0.002),
    "available": RetryPolicy(name="available", base=0.001, cap=0.002, retries_unknown=True),
}


@pytest.mark.requirement("WA-INT-3003", "WA-INT-3004", "RTY-06", "OQ-14", "HTU-1002")
@pytest.mark.parametrize(
    ("fault", "outcome", "safe", "available"),
    [
        ("status=408", Outcome.REJECTED, 4, 4),
        ("status=425", Outcome.REJECTED, 4, 4),
        ("status=429", Outcome.REJECTED, 4, 4),
        ("status=503", Outcome.REJECTED, 4, 4),
        ("status=529", Outcome.REJECTED, 4, 4),
        ("status=429;error-code=insufficient_quota", Outcome.REJECTED, 1, 1),
        ("status=500", Outcome.UNKNOWN, 1, 4),
        ("status=502", Outcome.UNKNOWN, 1, 4),
        ("status=504", Outcome.UNKNOWN, 1, 4),
        ("status=524", Outcome.UNKNOWN, 1, 4),
        ("status=409", Outcome.UNKNOWN, 1, 4),
        ("drop=reset", Outcome.UNKNOWN, 1, 4),
        ("drop=close", Outcome.UNKNOWN, 1, 4),
        ("status=400", Outcome.REJECTED, 1, 1),
        ("status=401", Outcome.REJECTED, 1, 1),
        ("status=404", Outcome.REJECTED, 1, 1),
        ("stream-error=openai;stream-error-after=0;first-delta=none", Outcome.UNKNOWN, 1, 1),
        ("cut=0;cut-by=close;framing=close", Outcome.UNKNOWN, 1, 1),
    ],
)
@pytest.mark.parametrize("policy", ["billing_safe", "available"])
async def test_the_table_of_retries_holds_at_the_upstream(
    adapters: Any,
    simulator: Simulator,
    task: Callable[..., Any],
    policy: str,
    fault: str,
    outcome: Outcome,
    safe: int,
    available: int,
) -> None:
    """The upstream sees as many requests as the policy's column says, and the error carries them all."""
    simulator.script(always=fault)
    async with adapters(retry=QUICK[policy]) as adapter:
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
    expected = safe if policy == "billing_safe" else available
    assert len([exchange for exchange in simulator.log() if exchange.method == "POST"]) == expected
    assert caught.value.outcome is outcome
    assert [attempt.number for attempt in caught.value.attempts] == list(range(1, expected + 1))
    assert all(attempt.outcome is outcome for attempt in caught.value.attempts)


@pytest.mark.requirement("RTY-05", "HTU-06", "OQ-15")
@pytest.mark.parametrize("word", ["retry-after-ms=1", "retry-after=0"])
async def test_the_upstreams_pause_is_kept_and_the_task_then_succeeds(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any], word: str
) -> None:
    """A 429 that names a pause is followed by a second attempt, and the end tells of both."""
    simulator.script(f"status=429;{word}")
    async with adapters(protocol) as adapter:
        answer = await (await adapter.submit(task())).collect()
    assert [attempt.get("reason") for attempt in answer.end["attempts"]] == ["rate_limited", None]


@pytest.mark.requirement("OQ-15", "HTU-06", "WA-INT-3003")
async def test_a_pause_beyond_the_deadline_fails_now_and_says_when_to_come_back(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """Nobody waits for a pause that ends after the deadline."""
    simulator.script(always="status=503;retry-after=45")
    async with adapters() as adapter:
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task(deadline_ms=5_000))
    assert caught.value.code is ErrorKind.POOL_UNAVAILABLE
    assert (caught.value.retriable, caught.value.retry_after_ms) == (True, 45_000)
    assert len(simulator.log()) == 1


@pytest.mark.requirement("HTU-07")
@pytest.mark.parametrize(("word", "status", "requests"), [("true", 500, 4), ("false", 503, 1)])
async def test_the_upstreams_own_word_on_retries_counts(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], word: str, status: int, requests: int
) -> None:
    """`x-should-retry` is obeyed before the first token, whichever way it points."""
    simulator.script(always={"status": status, "headers": {"x-should-retry": word}})
    async with adapters(retry=QUICK["billing_safe"]) as adapter:
        with pytest.raises(WorkerError):
            await adapter.submit(task())
    assert len(simulator.log()) == requests


@pytest.mark.requirement("ADP-34")
@pytest.mark.parametrize("policy", ["billing_safe", "available"])
async def test_nothing_is_sent_again_after_the_first_token(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any], policy: str
) -> None:
    """A stream that breaks after a token is one error and one request, under either policy."""
    simulator.script(always="cut-after-tokens=3")
    async with adapters(protocol, retry=QUICK[policy]) as adapter:
        stream = await adapter.submit(task())
        events = [event async for event in stream]
    assert (events[-1].kind, events[-1].data["outcome"]) == ("error", Outcome.PARTIAL)
    assert len(simulator.log()) == 1


@pytest.mark.requirement("ERR-09", "HTU-14")
async def test_a_closed_port_is_not_sent_and_tried_again(task: Callable[..., Any]) -> None:
    """Nothing listens: four attempts, all NOT_SENT, and the reason says so."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        config = OpenAIHttpConfig(base_url=f"http://127.0.0.1:{port}/v1", retry=QUICK["billing_safe"])
        adapter = OpenAIHttpAdapter(config)
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
        health = await adapter.health()
        await adapter.aclose()
    assert (caught.value.reason, caught.value.outcome) == ("connection_failed", Outcome.NOT_SENT)
    assert len(caught.value.attempts) == 4
    assert (health.live, health.ready, health.reason) == (False, False, "connection_failed")


@pytest.mark.requirement("OC-ADAPT-OAI-6021", "SEC-09", "ERR-09")
async def test_a_certificate_of_a_stranger_is_refused_and_not_tried_again(
    simulator: Simulator, task: Callable[..., Any]
) -> None:
    """Without the local authority's certificate the upstream cannot be called, and there is no way around it."""
    adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url=str(simulator.tls_base_url)))
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    await adapter.aclose()
    assert (caught.value.reason, caught.value.outcome) == ("tls_failed", Outcome.NOT_SENT)
    assert (caught.value.retriable, len(caught.value.attempts)) == (False, 1)


@pytest.mark.requirement("ADP-33", "OC-ADAPT-OAI-6002")
@pytest.mark.parametrize(
    ("fault", "reason", "deadline"),
    [
        ("stall=30;stall-at=head", "deadline", 0.3),
        ("stall=30;stall-at=body", "deadline", 0.3),
        ("stall=30;stall-at=2", "deadline", 0.3),
        ("ping-for=30", "deadline", 0.3),
        ("drip=1;drip-ms=20", "deadline", 0.3),
        # the refusals must come before the deadline, on a busy machine too
        ("status=503;retry-after-ms=40", "overloaded", 3.0),
    ],
)
async def test_the_deadline_holds_whatever_the_upstream_does(
    adapters: Any,
    simulator: Simulator,
    protocol: str,
    task: Callable[..., Any],
    fault: str,
    reason: str,
    deadline: float,
) -> None:
    """Silence, pings, drips and refusals: the task is over with its deadline, and the upstream is left alone."""
    simulator.script(always=fault)
    async with adapters(protocol) as adapter:
        began = time.monotonic()
        try:
            stream = await adapter.submit(task(deadline_ms=round(deadline * 1000), max_tokens=4000))
            events = [event async for event in stream]
            found = events[-1].data["reason"]
        except WorkerError as error:
            found = error.reason
        took = time.monotonic() - began
        assert (await adapter.props()).slots_free == 64
    assert found == reason
    # the promise is 50 ms; a busy machine is given more before it fails the build
    assert took < deadline + 0.5
    assert all(exchange.left != "open" for exchange in simulator.log(settle=2.0))


@pytest.mark.requirement("ADP-33")
async def test_a_deadline_that_passes_while_nobody_reads_still_closes_the_upstream(
    adapters: Any, simulator: Simulator, protocol: str, task: Callable[..., Any]
) -> None:
    """A consumer that went to sleep does not keep the upstream working; it finds the error when it wakes."""
    simulator.script(always="tokens-per-second=50")
    async with adapters(protocol) as adapter:
        stream = await adapter.submit(task(deadline_ms=800, max_tokens=5000))
        await anext(stream)
        async with asyncio.timeout(5):
            while (await adapter.props()).slots_free != 64:
                await asyncio.sleep(0.01)
        exchange = simulator.log(settle=2.0)[0]
        events = [event async for event in stream]
    assert exchange.left in ("disconnected", "reset")
    assert (events[-1].kind, events[-1].data["reason"]) == ("error", "deadline")


@pytest.mark.requirement("HTU-05", "WA-INT-3003")
@pytest.mark.parametrize("policy", ["none", "billing_safe"])
async def test_the_ledger_has_a_line_for_each_time_that_the_engine_sent_the_request(
    adapters: Any, simulator: Simulator, task: Callable[..., Any], policy: str
) -> None:
    """HTTP/2's word that nothing was processed lets it be sent again at once, whatever the policy; all is told."""
    simulator.script("refuse_stream", "refuse_stream")
    async with adapters("h2", retry=policy) as adapter:
        answer = await (await adapter.submit(task())).collect()
    lines = answer.end["attempts"]
    assert [(line["number"], line.get("outcome"), line.get("reason")) for line in lines] == [
        (1, "NOT_SENT", "reset"),
        (2, "NOT_SENT", "reset"),
        (3, None, None),
    ]
    assert len([exchange for exchange in simulator.log() if exchange.method == "POST"]) == 3


@pytest.mark.requirement("HTU-05", "WA-INT-3003")
async def test_a_request_that_is_always_refused_is_counted_to_the_end(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """The error has as many lines as the upstream saw requests."""
    simulator.script(always="refuse_stream")
    async with adapters("h2", retry="none") as adapter:
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
    seen = len([exchange for exchange in simulator.log() if exchange.method == "POST"])
    assert (seen, len(caught.value.attempts), caught.value.outcome) == (4, 4, Outcome.NOT_SENT)


@pytest.mark.requirement("ERR-09", "ADP-23")
async def test_a_stream_that_is_reset_is_not_called_a_closed_connection(
    adapters: Any, simulator: Simulator, task: Callable[..., Any]
) -> None:
    """The message says what happened on the wire."""
    simulator.script("cut_after_tokens=2;cut_by=reset")
    async with adapters("h2") as adapter:
        stream = await adapter.submit(task())
        events = [event async for event in stream]
    assert (events[-1].kind, events[-1].data["reason"]) == ("error", "reset")
    assert "reset the stream" in events[-1].data["message"]
