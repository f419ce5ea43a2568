"""The layers around an adapter's calls: what they are told of a stream's end, and where a task may go instead."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api import WorkerError
from http_util import BILLING_SAFE, RetryBudget, Secret
from http_util.breaker import BreakerPolicy, Breakers
from http_util.failover import Endpoint, Failover
from http_util.resilience import Resilience
from http_util.testing import Answer, FakeClock, FixedRandom, ScriptedUpstream, Stall
from openai_client.auth import Auth
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = "http://127.0.0.1:8001/api"


def chunk(text: str | None = None, finish: str | None = None, **extra: Any) -> bytes:
    """The data of one chunk."""
    delta = {} if text is None else {"content": text}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra}).encode()


GOOD = Answer.events(chunk("a", "stop", usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}))


def made(
    *answers: Answer, config: dict[str, Any] | None = None, **layers: Any
) -> tuple[Any, ScriptedUpstream, FakeClock]:
    """An adapter with layers."""
    clock = FakeClock(now=1000.0)
    upstream = ScriptedUpstream(*answers, clock=clock)
    settings = OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1", model="m", retry="none", **(config or {}))
    resilience = Resilience(**layers)
    adapter = OpenAIHttpAdapter(settings, clock=clock, rng=FixedRandom(0.5), transport=upstream, resilience=resilience)
    return adapter, upstream, clock


class Signals:
    """Notes what a breaker is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_outcome(self, record: Any) -> None:
        self.seen.append(record.signal.value)


class Limiter:
    """A limiter that notes what it is asked and told."""

    def __init__(self) -> None:
        self.asks: list[Any] = []
        self.settled: list[int | None] = []

    async def acquire_async(self, ask: Any, watch: Any, clock: Any) -> Limiter:
        self.asks.append(ask)
        return self

    def learn(self, ask: Any, status: int, headers: Any, now: float) -> None:
        """Nothing to learn."""

    def settle(self, tokens: int | None) -> None:
        self.settled.append(tokens)


@pytest.mark.requirement("CB-06", "RL-02")
@pytest.mark.parametrize(
    ("answer", "signal", "tokens"),
    [
        (GOOD, "success", 7),
        (Answer.events(chunk("a"), httpx.ReadError("x")), "failure", None),
        (Answer.events(chunk("a"), done=False), "failure", None),
        (Answer.events(chunk("a"), b'{"error": {"message": "m", "type": "server_error"}}'), "failure", None),
        (Answer.json(b"{}", status=500), "failure", None),
        (Answer.json(b"{}", status=400), "success", None),
    ],
    ids=["end", "reset", "truncated", "error inside", "500", "400"],
)
async def test_a_breaker_learns_how_a_stream_ended_and_a_limiter_what_it_cost(
    task: Callable[..., Any], answer: Answer, signal: str, tokens: int | None
) -> None:
    """Once, and when it ended; a client's fault shows that the upstream works."""
    signals, limiter = Signals(), Limiter()
    adapter, _, _ = made(answer, breaker=Breakers(hooks=(signals,)), limiter=limiter)
    try:
        stream = await adapter.submit(task(max_tokens=8))
    except WorkerError:
        pass
    else:
        assert signals.seen == []
        async with stream:
            assert [event async for event in stream]
    assert (signals.seen, limiter.settled) == ([signal], [tokens])
    (ask,) = limiter.asks
    assert (ask.family, ask.request_id, ask.endpoint) == ("chat", "t-1", "http://127.0.0.1:8000")
    assert ask.tokens > 8
    await adapter.aclose()


@pytest.mark.requirement("CB-06")
@pytest.mark.parametrize("how", ["cancel", "close", "deadline"])
async def test_what_this_side_ended_says_nothing_of_the_upstream(task: Callable[..., Any], how: str) -> None:
    """And a probe that was ended so leaves its place to the next one."""
    signals = Signals()
    adapter, _, clock = made(Answer.events(chunk("a"), Stall()), breaker=Breakers(hooks=(signals,)))
    stream = await adapter.submit(task(deadline_ms=5_000))
    assert [(await anext(stream)).kind for _ in range(2)] == ["started", "token"]
    if how == "cancel":
        await adapter.cancel("t-1")
    elif how == "close":
        await stream.aclose()
    else:
        reading = asyncio.ensure_future(anext(stream))
        await clock.run_for(5.0)
        assert (await reading).data["reason"] == "deadline"
    assert signals.seen == ["abandoned"]
    await adapter.aclose()


@pytest.mark.requirement("CB-07", "REL-05")
async def test_an_open_breaker_is_a_pool_that_cannot_be_used_for_now(task: Callable[..., Any]) -> None:
    """With the time to come back, and without a request."""
    adapter, upstream, _ = made(Answer.json(b"{}", status=500), breaker=Breakers(BreakerPolicy(failure_threshold=1)))
    for reason in ("server_error", "circuit_open"):
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
        assert caught.value.reason == reason
    assert (caught.value.code, caught.value.retriable, caught.value.retry_after_ms) == (
        "POOL_UNAVAILABLE",
        True,
        30_000,
    )
    assert (len(upstream.requests), (await adapter.props()).slots_free) == (1, 64)
    await adapter.aclose()


@pytest.mark.requirement("FO-01", "FO-02")
async def test_a_task_is_served_by_the_endpoint_that_answers(task: Callable[..., Any]) -> None:
    """With that one's credential; `end` tells who it was."""
    auth = Auth(api_key=Secret("sk-other-0123456789"))
    failover = Failover([Endpoint(base_url=OTHER, auth=auth)])
    config = {"api_key": Secret("sk-first-0123456789"), "organization": "org-1"}
    adapter, upstream, _ = made(Answer.failing(httpx.ConnectError("")), GOOD, config=config, failover=failover)
    answer = await (await adapter.submit(task())).collect()
    assert [line["endpoint"] for line in answer.end["attempts"]] == ["http://127.0.0.1:8000", "http://127.0.0.1:8001"]
    first, second = upstream.requests
    assert second.url == f"{OTHER}/chat/completions"
    assert (first.headers["authorization"], second.headers["authorization"]) == (
        "Bearer sk-first-0123456789",
        "Bearer sk-other-0123456789",
    )
    assert "openai-organization" not in second.headers
    assert first.content == second.content
    await adapter.aclose()


@pytest.mark.requirement("REL-01", "ADP-35")
async def test_the_layers_in_force_can_be_seen(task: Callable[..., Any]) -> None:
    """Together with the other policies, the hosts that may be called included; none when none is there."""
    plain, _, _ = made()
    assert not {"failover", "circuit_breaker", "rate_limit"} & set(plain.policies)
    failover = Failover([Endpoint(base_url=OTHER)])
    adapter, _, _ = made(breaker=Breakers(), failover=failover)
    assert "failure_threshold=5" in adapter.policies["circuit_breaker"]
    assert OTHER in adapter.policies["failover"]
    assert adapter.policies["egress"] == ["127.0.0.1:8000", "127.0.0.1:8001"]
    await plain.aclose()
    await adapter.aclose()


@pytest.mark.requirement("HTU-1002", "REL-01")
async def test_a_policy_and_a_budget_of_ones_own_replace_the_adapters(task: Callable[..., Any]) -> None:
    """The settings' policy counts where none is given."""
    budget = RetryBudget(capacity=10)
    adapter, upstream, clock = made(Answer.json(b"{}", status=503), GOOD, GOOD, retry=BILLING_SAFE, budget=budget)
    waiting = asyncio.ensure_future(adapter.submit(task()))
    await clock.run_for(1.0)
    await (await waiting).collect()
    assert len(upstream.requests) == 2
    assert budget.spend("http://127.0.0.1:8000", clock.monotonic(), 10.0)
    empty, upstream, _ = made(Answer.json(b"{}", status=503), retry=BILLING_SAFE, budget=budget)
    with pytest.raises(WorkerError):
        await empty.submit(task())
    assert len(upstream.requests) == 1
    await empty.aclose()
    await adapter.aclose()


@pytest.mark.requirement("REL-01", "CB-01", "RL-01", "FO-01")
async def test_a_file_can_say_all_of_it(task: Callable[..., Any]) -> None:
    """Tables of the settings make the layers; a key in them is told as there, and no more."""
    settings = {
        "circuit_breaker": {"failure_threshold": 1, "per_endpoint": True},
        "rate_limit": {"requests_per_minute": 1},
        "failover": {"endpoints": [{"base_url": OTHER, "api_key": Secret("sk-other-0123456789")}]},
    }
    adapter, upstream, _ = made(Answer.json(b"{}", status=503), GOOD, config=settings)
    answer = await (await adapter.submit(task("t-1"))).collect()
    assert [line["endpoint"] for line in answer.end["attempts"]] == ["http://127.0.0.1:8000", "http://127.0.0.1:8001"]
    assert upstream.requests[1].headers["authorization"] == "Bearer sk-other-0123456789"
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task("t-2"))
    assert (caught.value.reason, len(upstream.requests)) == ("rate_limited", 2)
    assert caught.value.retry_after_ms is not None
    policies = adapter.policies
    assert policies["rate_limit"]["requests_per_minute"] == 1
    assert policies["circuit_breaker"]["failure_threshold"] == 1
    assert policies["failover"]["endpoints"] == [{"base_url": OTHER, "api_key": "set"}]
    assert "sk-other" not in repr(policies) + repr(adapter)
    await adapter.aclose()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"circuit_breaker": {"failure_threshold": 0}}, "circuit_breaker.failure_threshold"),
        ({"circuit_breaker": {"treshold": 1}}, "circuit_breaker.treshold"),
        ({"rate_limit": {}}, "rate_limit: must set at least one limit"),
        ({"rate_limit": {"burst_size": 3}}, "burst_size needs requests_per_second"),
        ({"failover": {"endpoints": []}}, "failover.endpoints"),
        ({"failover": {"endpoints": [{"base_url": "ftp://x"}]}}, "failover.base_url must begin with https://"),
        ({"failover": {"endpoints": [{"base_url": OTHER}, {"base_url": OTHER}]}}, "same base_url twice"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_by_name(settings: dict[str, Any], said: str) -> None:
    """One line, with the field."""
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as caught:
        OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1", **settings)
    assert said in str(caught.value)
