"""How a stream ends: by evidence, by an error, by a timer, by a cancel; and what each ending says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api import Outcome, TaskCancelled, WorkerError
from http_util.testing import Answer, Pause, Stall
from worker_adapters.openai_http.service_hooks import SilentHooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def chunk(text: str | None = None, finish: str | None = None, **extra: Any) -> bytes:
    """The data of one chunk."""
    delta = {} if text is None else {"content": text}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra}).encode()


ROLE = b'{"model": "snap", "choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]}'
USAGE = b'{"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 7, "total_tokens": 9}}'
EVENTS = {"content-type": "text/event-stream"}


def shape(events: list[Any]) -> list[str]:
    """Kinds, and the text of tokens."""
    return [event.text if event.kind == "token" else event.kind for event in events]


async def all_of(adapter: Any, task: Any) -> list[Any]:
    """Every event of a task."""
    async with await adapter.submit(task) as stream:
        return [event async for event in stream]


@pytest.mark.requirement("ADP-20", "SVC-04", "OC-ADAPT-OAI-6011", "ADP-05")
async def test_a_stream_is_started_tokens_end(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Exactly one started, first; one token per non-empty delta; exactly one end, last, that says all it knows."""
    answer = Answer.events(ROLE, chunk("a"), chunk(""), chunk("b"), chunk(None, "stop"), USAGE)
    adapter, upstream, _ = rig(answer, model_digest="sha256:1")
    events = await all_of(adapter, task(seed=7, sampler_profile_version="p-1"))
    assert shape(events) == ["started", "a", "b", "end"]
    started, end = events[0].data, events[-1].data
    assert started["model"] == started["engine_version"] == "snap"
    assert (started["seed"], started["sampler_profile_version"], started["model_digest"]) == (7, "p-1", "sha256:1")
    assert started["correlation_id"] == end["correlation_id"]
    assert end["finish_reason"] == "stop"
    assert end["evidence"] == "finish_reason"
    assert end["tokens_out"] == 7
    assert end["usage"] == {"prompt_tokens": 2, "completion_tokens": 7, "total_tokens": 9, "source": "upstream"}
    assert [line["http_status"] for line in end["attempts"]] == [200]
    assert (upstream.finished, upstream.open_bodies) == (1, 0)


@pytest.mark.requirement("OQ-08")
async def test_without_usage_the_tokens_are_counted_and_said_to_be(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The source tells an upstream's count from ours, and from none at all."""
    adapter, _, _ = rig(Answer.events(chunk("a"), chunk("b", "stop")), Answer.events(chunk(None, "stop")))
    some = (await all_of(adapter, task()))[-1].data
    none = (await all_of(adapter, task()))[-1].data
    assert (some["tokens_out"], some["usage"]["completion_tokens"], some["usage"]["source"]) == (2, 2, "estimated")
    assert (none["tokens_out"], none["usage"]["completion_tokens"], none["usage"]["source"]) == (0, None, "none")


@pytest.mark.requirement("ADP-20", "OC-ADAPT-OAI-6011", "SVC-19")
async def test_content_after_the_finish_reason_is_never_emitted(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """It is counted, and a usage chunk that comes later still lands in the end."""
    measured: dict[str, float] = {}

    class Hooks(SilentHooks):
        def measure(self, name: str, value: float, labels: Mapping[str, str]) -> None:
            measured[name] = value

    adapter, _, _ = rig(Answer.events(chunk("a", "stop"), chunk("late"), USAGE, chunk("later")), hooks=Hooks())
    events = await all_of(adapter, task())
    assert measured["surplus_increments"] == 2
    assert shape(events) == ["started", "a", "end"]
    assert events[-1].data["usage"]["source"] == "upstream"


@pytest.mark.requirement("ADP-23", "ADP-20")
@pytest.mark.parametrize("rest", [(), (b"[DONE]",), (USAGE,)])
async def test_a_lingering_upstream_is_left_after_250_ms(
    rig: Callable[..., Any], task: Callable[..., Any], rest: tuple[bytes, ...]
) -> None:
    """After the finish the end comes at most 250 ms later, and the connection is closed."""
    answer = Answer.events(chunk("a", "stop"), *rest, Stall(), done=False)
    adapter, upstream, clock = rig(answer)
    stream = await adapter.submit(task())
    assert shape([await anext(stream), await anext(stream)]) == ["started", "a"]
    ending = asyncio.ensure_future(anext(stream))
    await clock.run_for(0.249)
    assert not ending.done()
    await clock.run_for(0.002)
    end = await ending
    assert (end.kind, end.data["evidence"]) == ("end", "finish_reason")
    assert end.data["usage"]["source"] == ("upstream" if rest == (USAGE,) else "estimated")
    assert upstream.closed_early == 1
    assert (await adapter.props()).slots_free == 64


@pytest.mark.requirement("ADP-23", "SSE-1004")
async def test_a_slow_consumer_does_not_use_up_the_time_for_late_usage(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The 250 ms are the upstream's: what a consumer takes between two reads does not count."""
    adapter, upstream, clock = rig(Answer.events(chunk("a", "stop"), Pause(0.1), USAGE))
    stream = await adapter.submit(task())
    assert shape([await anext(stream), await anext(stream)]) == ["started", "a"]
    await clock.run_for(5.0)
    ending = asyncio.ensure_future(anext(stream))
    await clock.run_for(0.2)
    assert (await ending).data["usage"]["source"] == "upstream"
    assert (upstream.finished, upstream.closed_early) == (1, 0)


@pytest.mark.requirement("ADP-23")
async def test_a_connection_that_breaks_after_the_finish_is_an_end(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The evidence has come; how the connection closes changes nothing."""
    adapter, _, _ = rig(Answer.events(chunk("a", "stop"), httpx.RemoteProtocolError("peer closed"), done=False))
    assert shape(await all_of(adapter, task())) == ["started", "a", "end"]


@pytest.mark.requirement("ADP-23", "SVC-05", "OC-CTRL-2028", "OC-CTRL-2029", "ADP-34")
@pytest.mark.parametrize(
    ("steps", "reason", "code", "outcome"),
    [
        ((), "truncated", "WORKER_RESET", "PARTIAL"),
        (
            (httpx.RemoteProtocolError("peer closed connection without sending complete message body"),),
            "reset",
            "WORKER_RESET",
            "PARTIAL",
        ),
        ((httpx.ReadError("reset"),), "reset", "WORKER_RESET", "PARTIAL"),
        ((b"not json",), "decode", "INTERNAL", "PARTIAL"),
        ((b'{"error": "text"}',), "server_error", "POOL_UNAVAILABLE", "PARTIAL"),
        ((b'{"error": {"message": "m", "type": null, "code": "500"}}',), "server_error", "POOL_UNAVAILABLE", "PARTIAL"),
        (
            (b'{"error": {"message": "m", "code": "context_length_exceeded"}}',),
            "context_length",
            "INVALID_PARAMS",
            "PARTIAL",
        ),
        ((b'{"error": {"message": "m", "code": 429}}',), "rate_limited", "ADMISSION_REJECT", "PARTIAL"),
        ((b'{"detail": "d"}',), "server_error", "POOL_UNAVAILABLE", "PARTIAL"),
    ],
)
async def test_a_stream_that_fails_after_started_ends_in_one_error(
    rig: Callable[..., Any], task: Callable[..., Any], steps: Any, reason: str, code: str, outcome: str
) -> None:
    """One error event with code, reason, outcome and ledger; nothing follows, nothing is raised, all is given back."""
    adapter, upstream, _ = rig(Answer.events(ROLE, chunk("a"), *steps, done=False))
    events = await all_of(adapter, task())
    assert shape(events) == ["started", "a", "error"]
    error = events[-1].data
    assert (error["reason"], error["code"], error["outcome"]) == (reason, code, outcome)
    assert error["attempts"][0]["http_status"] == 200
    assert upstream.open_bodies == 0
    assert len(upstream.requests) == 1
    assert (await adapter.props()).slots_free == 64


@pytest.mark.requirement("ADP-24", "OC-CTRL-2034")
@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((), "truncated"),
        ((b"[DONE]",), "truncated"),
        ((b"",), "truncated"),
        ((httpx.ReadError("reset"),), "reset"),
        ((b"not json",), "decode"),
        ((b'{"error": "text"}',), "server_error"),
        ((b'{"error": {"message": "too long", "code": "context_length_exceeded"}}',), "context_length"),
        ((b'{"object": "error", "message": "m", "code": 503}',), "service_unavailable"),
    ],
)
async def test_a_stream_that_fails_before_its_first_chunk_raises_and_is_not_repeated(
    rig: Callable[..., Any], task: Callable[..., Any], steps: Any, reason: str
) -> None:
    """A 200 was received, so what the upstream did is unknown: no policy asks again."""
    for policy in ("billing_safe", "available"):
        adapter, upstream, _ = rig(Answer.events(*steps, done=False), retry=policy, auto=True)
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
        assert (caught.value.reason, caught.value.outcome) == (reason, Outcome.UNKNOWN)
        assert [attempt.http_status for attempt in caught.value.attempts] == [200]
        assert (len(upstream.requests), upstream.open_bodies) == (1, 0)
        assert (await adapter.props()).slots_free == 64


@pytest.mark.requirement("ADP-24")
async def test_an_error_event_by_name_is_an_error(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """`event: error` marks an error whatever its data looks like."""
    body = (b"data: %b\n\n" % chunk("a"), b'event: error\ndata: {"message": "overloaded", "code": "overloaded"}\n\n')
    adapter, _, _ = rig(Answer(headers=EVENTS, body=body))
    events = await all_of(adapter, task())
    assert (events[-1].kind, events[-1].data["reason"]) == ("error", "overloaded")


@pytest.mark.requirement("ADP-25")
@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"content-type": "text/html"}, body=(b"<html><title>Login</title>",)),
        Answer.json(b'{"choices": [{"message": {"content": "whole"}}]}'),
        Answer(headers={"content-type": "application/octet-stream"}, body=(b"data: {}\n\n",)),
        Answer(headers={}, body=()),
        Answer(status=204),
    ],
)
async def test_a_200_that_is_no_event_stream_is_one_typed_error(
    rig: Callable[..., Any], task: Callable[..., Any], answer: Answer
) -> None:
    """HTML, JSON, another type or none: raised before anything started, never asked again."""
    adapter, upstream, _ = rig(answer, retry="available", auto=True)
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    assert (caught.value.reason, caught.value.code) == ("content_type", "INTERNAL")
    assert "whole" not in str(caught.value)
    assert (len(upstream.requests), upstream.open_bodies) == (1, 0)


@pytest.mark.requirement("ADP-21")
async def test_what_one_read_brings_is_handed_out_at_once(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Many events in one piece come as one batch; the first token comes while the upstream holds the rest."""
    piece = b"".join(b"data: %b\n\n" % chunk(text) for text in "abc")
    adapter, _, _ = rig(Answer(headers=EVENTS, body=(piece, Stall())))
    stream = await adapter.submit(task())
    assert shape(await stream.next_batch()) == ["started", "a", "b", "c"]
    await stream.aclose()


@pytest.mark.requirement("SSE-1002")
async def test_metrics_come_after_the_last_token_when_asked_for(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """One event, in front of the end; by default there is none, and never in front of an error."""
    good = (chunk("a"), Pause(0.5), chunk("b", "stop"))
    adapter, _, clock = rig(Answer.events(*good), Answer.events(chunk("a"), done=False), metrics_events=True, auto=True)
    events = await all_of(adapter, task())
    assert shape(events) == ["started", "a", "b", "metrics", "end"]
    assert events[3].data == {"latency_first_token_ms": 0, "latency_decode_ms": 500, "tokens_out": 2}
    assert events[4].data["decode_ms"] == events[4].data["decode_time_ms"] == 500
    assert shape(await all_of(adapter, task())) == ["started", "a", "error"]
    assert clock.sleeps == [0.5]


@pytest.mark.requirement("SVC-10")
async def test_the_same_failure_gives_the_same_error(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """No time, address, random id or foreign exception text is in it."""
    seen = []
    for _ in range(2):
        adapter, _, _ = rig(Answer.events(chunk("a"), httpx.ReadError(f"at {object()!r}"), done=False))
        seen.append((await all_of(adapter, task()))[-1])
    assert seen[0] == seen[1]
    assert "0x" not in json.dumps(dict(seen[0].data))


@pytest.mark.requirement("WA-INT-3006")
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_the_same_task_gives_byte_identical_events(
    rig: Callable[..., Any], task: Callable[..., Any], api: str
) -> None:
    """Same input, seed and profile against the same upstream: the same events in the same order, byte for byte."""
    from adapter_api import correlation_id

    chat = (chunk("a"), Pause(0.1), chunk("b", "stop"), USAGE)
    responses = (
        b'{"type": "response.output_text.delta", "delta": "a"}',
        b'{"type": "response.completed", "response": {"model": "snap"}}',
    )
    written = []
    token = correlation_id.set("c-1")
    try:
        for _ in range(2):
            adapter, upstream, _ = rig(Answer.events(*(chat if api == "chat" else responses)), api=api, auto=True)
            events = await all_of(adapter, task(seed=1, determinism="strict"))
            written.append((json.dumps([(e.kind, dict(e.data)) for e in events]), upstream.requests[0]))
    finally:
        correlation_id.reset(token)
    assert written[0] == written[1]


@pytest.mark.requirement("ADP-33", "SVC-06")
async def test_silence_ends_in_idle_timeout(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """No byte for idle_timeout: DECODE_TIMEOUT after the start, with its own reason."""
    adapter, upstream, clock = rig(Answer.events(chunk("a"), Stall()), idle_timeout=3.0, content_timeout=50.0)
    stream = await adapter.submit(task())
    await stream.next_batch()
    ending = asyncio.ensure_future(anext(stream))
    await clock.run_for(2.99)
    assert not ending.done()
    await clock.run_for(0.02)
    error = (await ending).data
    assert (error["reason"], error["code"], error["outcome"]) == ("idle_timeout", "DECODE_TIMEOUT", "PARTIAL")
    assert error["retriable"] is True
    assert upstream.closed_early == 1


@pytest.mark.requirement("ADP-33")
async def test_comments_hold_off_the_idle_timer_and_neither_the_content_timer_nor_the_deadline(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """Pings are bytes, and no content; empty deltas are none either."""
    pings = [step for _ in range(20) for step in (Pause(2.0), b": ping\n\n", b"data: %b\n\n" % chunk(""))]
    body = (b"data: %b\n\n" % chunk("a"), *pings)
    for settings, deadline_ms, reason in (
        ({"idle_timeout": 3.0, "content_timeout": 11.0}, 60_000, "content_timeout"),
        ({"idle_timeout": 3.0, "content_timeout": None}, 9_000, "deadline"),
        ({"idle_timeout": 1.5, "content_timeout": None}, 60_000, "idle_timeout"),
    ):
        adapter, upstream, clock = rig(Answer(headers=EVENTS, body=body), **settings)
        stream = await adapter.submit(task(deadline_ms=deadline_ms))
        ending = asyncio.ensure_future(stream.next_batch())
        events = await ending
        began = clock.monotonic()
        ending = asyncio.ensure_future(stream.next_batch())
        await clock.run_for(30.0)
        events += await ending
        assert shape(events) == ["started", "a", "error"]
        assert events[-1].data["reason"] == reason
        assert upstream.open_bodies == 0
        assert began == 1000.0


@pytest.mark.requirement("ADP-33")
async def test_the_content_timer_waits_for_a_slow_consumer(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """The time that the consumer takes is not the upstream's."""
    answer = Answer.events(chunk("a"), Pause(2.0), chunk("b", "stop"))
    adapter, _, clock = rig(answer, idle_timeout=100.0, content_timeout=5.0)
    stream = await adapter.submit(task())
    await stream.next_batch()
    clock.advance(30.0)
    reading = asyncio.ensure_future(stream.next_batch())
    await clock.run_for(2.0)
    assert shape(await reading) == ["b"]


@pytest.mark.requirement("ADP-33")
async def test_the_deadline_ends_a_stream_that_nobody_reads(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """The upstream is closed and the slot is free at the deadline; the reader who comes late gets the error."""
    adapter, upstream, clock = rig(Answer.events(chunk("a"), Stall()))
    stream = await adapter.submit(task(deadline_ms=1_000))
    await clock.run_for(1.0)
    assert upstream.closed_early == 1
    assert (await adapter.props()).slots_free == 64
    assert shape([event async for event in stream]) == ["started", "a", "error"]
    assert stream.terminal.data["code"] == "DEADLINE_UNMET"


@pytest.mark.requirement("ADP-33", "SVC-06")
@pytest.mark.parametrize(
    ("answer", "reason", "outcome", "attempts"),
    [
        (Answer.failing(httpx.ConnectTimeout("")), "connect_timeout", "NOT_SENT", 4),
        (Answer.failing(httpx.PoolTimeout("")), "pool_timeout", "NOT_SENT", 4),
        (Answer.failing(httpx.ReadTimeout("")), "first_byte_timeout", "UNKNOWN", 1),
    ],
)
async def test_each_timer_before_the_start_has_its_own_reason(
    rig: Callable[..., Any], task: Callable[..., Any], answer: Answer, reason: str, outcome: str, attempts: int
) -> None:
    """Nothing was sent before the connection stood, so those are asked again; a missing answer is not."""
    adapter, upstream, _ = rig(*[answer] * attempts, auto=True)
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    assert (caught.value.reason, caught.value.outcome, len(upstream.requests)) == (reason, outcome, attempts)
    assert caught.value.code == "POOL_UNAVAILABLE"
    assert caught.value.retriable


@pytest.mark.requirement("ADP-33")
async def test_the_first_byte_timer_runs_from_the_start_of_the_attempt_to_the_head(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """After first_byte_timeout without a head the outcome is unknown, and the request is cancelled."""
    adapter, upstream, clock = rig(Answer(before_head=(Stall(),)), first_byte_timeout=4.0)
    submit = asyncio.ensure_future(adapter.submit(task()))
    await clock.run_for(3.99)
    assert not submit.done()
    await clock.run_for(0.02)
    with pytest.raises(WorkerError) as caught:
        await submit
    assert (caught.value.reason, caught.value.outcome) == ("first_byte_timeout", "UNKNOWN")
    assert upstream.cancelled_before_head == 1


@pytest.mark.requirement("ADP-33", "OC-ADAPT-OAI-6002")
async def test_the_deadline_ends_every_phase_before_the_start(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """Waiting for a head, for a first chunk, and between attempts; at the deadline, not at some timer's end."""
    stalls = {
        "head": (Answer(before_head=(Stall(),)), "UNKNOWN"),
        "chunk": (Answer.events(Stall()), "UNKNOWN"),
    }
    for answer, outcome in stalls.values():
        adapter, upstream, clock = rig(answer)
        submit = asyncio.ensure_future(adapter.submit(task(deadline_ms=2_500)))
        await clock.run_for(2.49)
        assert not submit.done()
        await clock.run_for(0.02)
        with pytest.raises(WorkerError) as caught:
            await submit
        assert (caught.value.reason, caught.value.code) == ("deadline", "DEADLINE_UNMET")
        assert caught.value.outcome == outcome
        assert upstream.open_bodies == 0


@pytest.mark.requirement("OC-CTRL-2034", "ADP-30")
@pytest.mark.parametrize("answer", [Answer(before_head=(Stall(),)), Answer.events(Stall())])
async def test_a_cancel_before_the_first_chunk_is_a_cancelled_task(
    rig: Callable[..., Any], task: Callable[..., Any], answer: Answer
) -> None:
    """submit raises TaskCancelled, which has no code, and nothing is left open."""
    adapter, upstream, clock = rig(answer)
    submit = asyncio.ensure_future(adapter.submit(task()))
    await clock.settle()
    await adapter.cancel("t-1")
    with pytest.raises(TaskCancelled) as caught:
        await submit
    assert (caught.value.code, caught.value.outcome) == (None, Outcome.UNKNOWN)
    assert upstream.open_bodies == 0


@pytest.mark.requirement("ADP-23")
async def test_done_is_evidence_by_the_dialect_only(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """llama-cpp-python sends [DONE] also when it gives up; its profile wants a finish reason."""
    for dialect, last, evidence in (("generic", "end", "done"), ("llamacpp", "error", None)):
        adapter, _, _ = rig(Answer.events(chunk("a")), dialect=dialect)
        events = await all_of(adapter, task())
        assert (events[-1].kind, events[-1].data.get("evidence")) == (last, evidence)


@pytest.mark.requirement("ADP-23")
async def test_a_done_without_its_blank_line_still_counts(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Some servers leave the blank line behind the last event out."""
    adapter, _, _ = rig(Answer(headers=EVENTS, body=(b"data: %b\n\ndata: [DONE]\n" % chunk("a"),)))
    assert shape(await all_of(adapter, task())) == ["started", "a", "end"]


@pytest.mark.requirement("HTU-13")
async def test_a_compressed_stream_is_decoded(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Identity is asked for; gzip is still read, and what breaks it is one error."""
    import gzip

    whole = gzip.compress(b"data: %b\n\n" % chunk("a", "stop"), mtime=0)
    headers = EVENTS | {"content-encoding": "gzip"}
    adapter, upstream, _ = rig(
        Answer(headers=headers, body=(whole,)),
        Answer(headers=EVENTS | {"content-encoding": "br"}, body=(whole,)),
    )
    assert shape(await all_of(adapter, task())) == ["started", "a", "end"]
    assert upstream.requests[0].headers["accept-encoding"] == "identity"
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    assert caught.value.reason == "protocol"
    assert upstream.open_bodies == 0
