"""The layers around an adapter's calls: what they are told of a stream's end, and where a task may go instead."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api import WorkerError
from http_util import BILLING_SAFE, RetryBudget, Secret
from http_util.breaker import BreakerPolicy, Breakers
from http_util.failover import Endpoint, Failover
from http_util.resilience import Resilience
from http_util.secret_audit import SecretAudit
from http_util.testing import Answer, FakeClock, FixedRandom, ScriptedUpstream, Stall
from openai_client.auth import Auth
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig
from worker_adapters.openai_http.service_hooks import SilentHooks

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


async def awaited_key() -> str:
    """A key that has to be waited for."""
    return "sk-other-0123456789"


@pytest.mark.requirement("FO-01", "SEC-06", "SEC-17")
@pytest.mark.parametrize(
    "key",
    ["sk-other-0123456789", Secret("sk-other-0123456789"), lambda: "sk-other-0123456789", awaited_key, None],
    ids=["text", "secret", "function", "async function", "none"],
)
async def test_an_endpoint_may_be_given_its_key_in_every_way_of_the_adapters_own(
    task: Callable[..., Any], key: Any
) -> None:
    """It is sent to that endpoint, recorded by the adapter's audit, and told as there, and no more."""
    audit = SecretAudit()
    settings = OpenAIHttpConfig(
        base_url="http://127.0.0.1:8000/v1",
        model="m",
        dialect="azure",
        failover={"endpoints": [{"base_url": OTHER, "api_key": key}]},
    )
    upstream = ScriptedUpstream(Answer.failing(httpx.ConnectError("")), GOOD)
    adapter = OpenAIHttpAdapter(settings, clock=FakeClock(), transport=upstream, audit=audit)
    await (await adapter.submit(task())).collect()
    assert upstream.requests[1].headers.get("api-key") == (None if key is None else "sk-other-0123456789")
    assert (audit.count > 0) is (key is not None)
    (told,) = adapter.policies["failover"]["endpoints"]
    assert told == {"base_url": OTHER, "api_key": None if key is None else "set"}
    assert "sk-other" not in repr(adapter) + repr(settings) + settings.model_dump_json(exclude={"failover"})
    await adapter.aclose()


@pytest.mark.requirement("FO-01", "ADP-33")
async def test_no_task_outlives_its_deadline_for_the_key_of_another_endpoint(task: Callable[..., Any]) -> None:
    """It ends when its time is over, with nothing sent, and the provider with it."""
    ended: list[str] = []

    async def never() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("provider")
        return ""

    spare = {"failover": {"endpoints": [{"base_url": OTHER, "api_key": never}]}}
    adapter, upstream, clock = made(GOOD, config=spare)
    submitting = asyncio.ensure_future(adapter.submit(task(deadline_ms=1_000)))
    await clock.run_for(1.0)
    with pytest.raises(WorkerError) as caught:
        await submitting
    assert (caught.value.reason, caught.value.outcome.value) == ("deadline", "NOT_SENT")
    assert (upstream.requests, ended) == ([], ["provider"])
    await adapter.aclose()


@pytest.mark.requirement("CMP-01", "SVC-19")
async def test_a_tasks_body_is_packed_once_for_all_endpoints(task: Callable[..., Any]) -> None:
    """Where the settings say so; what is measured is what goes out."""
    sizes: list[float] = []

    class Measures(SilentHooks):
        def measure(self, name: str, value: float, labels: Any) -> None:
            if name == "bytes_sent":
                sizes.append(value)

    settings: dict[str, Any] = {
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "m",
        "failover": {"endpoints": [{"base_url": OTHER}]},
    }
    bodies = []
    for compression in (None, {"encoding": "deflate", "min_bytes": 100, "level": 9}):
        upstream = ScriptedUpstream(Answer.failing(httpx.ConnectError("")), GOOD)
        config = OpenAIHttpConfig(**settings, compression=compression)
        adapter = OpenAIHttpAdapter(config, clock=FakeClock(), transport=upstream, hooks=Measures())
        await (await adapter.submit(task(prompt="the tide comes in, " * 100))).collect()
        first, second = upstream.requests
        assert first.content == second.content
        assert {one.headers.get("content-encoding") for one in (first, second)} == {compression and "deflate"}
        bodies.append(first.content)
        assert adapter.policies.get("compression") == compression
        await adapter.aclose()
    plain, packed = bodies
    assert zlib.decompress(packed) == plain
    assert len(packed) < len(plain) / 10
    assert sizes == [len(plain), len(packed)]


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
        (
            {"failover": {"endpoints": [{"base_url": OTHER, "api_key": 7}]}},
            "failover.endpoints.0.api_key: expected a text or a Secret, got int",
        ),
        (
            {"failover": {"endpoints": [{"base_url": OTHER, "api_key": "a b"}]}},
            "failover.endpoints.0.api_key: a secret must be printable ASCII",
        ),
        (
            {
                "base_url": "https://api.example/v1",
                "failover": {"endpoints": [{"base_url": OTHER}, {"base_url": "https://API.example:443/v1/"}]},
            },
            "failover: endpoints.1: https://api.example/v1 is the adapter's own base_url",
        ),
        (
            {"failover": {"endpoints": [{"base_url": OTHER}, {"base_url": "http://eu.example/v1"}]}},
            "failover: endpoints.1: base_url: must be https://; http:// is only for loopback",
        ),
        (
            {
                "base_url": "https://api.example/v1",
                "egress_public_only": True,
                "failover": {"endpoints": [{"base_url": "https://10.0.0.1/v1"}]},
            },
            "failover: endpoints.0: egress_public_only: forbids 10.0.0.1",
        ),
        ({"compression": {"encoding": "br"}}, "compression.encoding: expected one of 'gzip', 'deflate'"),
        ({"compression": {"level": 0}}, "compression.level: expected a whole number from 1 to 9"),
        ({"compression": {"min_bytes": -1}}, "compression.min_bytes: expected a whole number of at least 0"),
        ({"compression": {"min_byte": 1}}, "compression.min_byte: unknown key; did you mean 'min_bytes'?"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_by_name(settings: dict[str, Any], said: str) -> None:
    """One line, with the field."""
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as caught:
        OpenAIHttpConfig(**({"base_url": "http://127.0.0.1:8000/v1"} | settings))
    assert said in str(caught.value)
