"""The stateless service: handed everything, keeping nothing, telling those who watch."""

from __future__ import annotations

import asyncio
import copy
import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import WorkerError
from http_util import (
    AsyncExchange,
    AsyncWatch,
    Deadline,
    HttpConfig,
    Interrupted,
    Secret,
    Timeouts,
    build_async_transport,
)
from http_util.testing import Answer, FakeClock, FixedRandom, Pause, ScriptedUpstream
from openai_client.auth import Auth
from worker_adapters.openai_http.chat_reader import ChatReader
from worker_adapters.openai_http.request_body import SerializedPrompt
from worker_adapters.openai_http.service import StreamingService
from worker_adapters.openai_http.service_call import CallContext, StreamPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

URL = "http://127.0.0.1:8000/v1/chat/completions"
PROMPT = SerializedPrompt(api="chat", model="m", body=b'{"model": "m", "prompt": "the sea"}')


def chunk(text: str, finish: str | None = None) -> bytes:
    """The data of one chunk."""
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}).encode()


class Hooks:
    """Keeps what it is told; raises when it is asked to."""

    def __init__(self, *, raising: bool = False) -> None:
        self.records: list[Any] = []
        self.measures: list[tuple[str, float, Mapping[str, str]]] = []
        self.raising = raising

    def record(self, record: Any) -> None:
        self.records.append(record)
        if self.raising:
            raise RuntimeError("a hook that fails")

    def measure(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        self.measures.append((name, value, labels))
        if self.raising:
            raise RuntimeError("a hook that fails")


class Bench:
    """A service with its collaborators at hand."""

    def __init__(self, *answers: Answer, hooks: Hooks | None = None, retry: Any = None) -> None:
        self.clock = FakeClock(auto=True)
        self.upstream = ScriptedUpstream(*answers, clock=self.clock)
        self.hooks = hooks or Hooks()
        client = build_async_transport(HttpConfig(base_url="http://127.0.0.1:8000/v1"), transport=self.upstream)
        exchange = AsyncExchange(
            client, clock=self.clock, rng=FixedRandom(0.5), max_response_bytes=1 << 20, max_event_bytes=1 << 16
        )
        self.service = StreamingService(
            exchange=exchange,
            url=URL,
            auth=Auth(api_key=Secret("sk-hidden-000")),
            policy=StreamPolicy(timeouts=Timeouts(), content_timeout=None, retry=retry),
            hooks=self.hooks,
            clock=self.clock,
        )

    def context(self, request_id: str = "r-1", **given: Any) -> CallContext:
        return CallContext(
            **{
                "trace_id": "c-1",
                "request_id": request_id,
                "deadline": Deadline.after(60.0, self.clock),
                "watch": AsyncWatch(self.clock),
                "reader": ChatReader(),
                **given,
            }
        )

    async def run(self, context: CallContext | None = None) -> list[Any]:
        tokens = await self.service.stream(PROMPT, context or self.context())
        events: list[Any] = []
        while not events or events[-1].kind not in ("end", "error"):
            events += await tokens.next_events()
        return events


GOOD = Answer.events(chunk("waves"), chunk("more", "stop"))


@pytest.mark.requirement("SVC-01", "SVC-04", "SVC-13")
async def test_one_prompt_in_one_ordered_stream_out() -> None:
    """The prompt's bytes go out as they are; every token comes, in order, and the stream completes."""
    bench = Bench(GOOD)
    events = await bench.run()
    assert [event.kind for event in events] == ["started", "token", "token", "end"]
    assert bench.upstream.requests[0].content == PROMPT.body


@pytest.mark.requirement("SVC-02", "SVC-03")
@pytest.mark.parametrize("missing", ["exchange", "auth", "policy", "hooks", "clock", "watch", "deadline"])
async def test_a_missing_collaborator_is_refused_before_any_io(missing: str) -> None:
    """Nothing is made up; the error is structured and names what is missing."""
    bench = Bench(GOOD)
    context = bench.context()
    if missing in {field.name for field in fields(StreamingService)}:
        bench.service = replace(bench.service, **{missing: None})
    else:
        context = replace(context, **{missing: None})
    with pytest.raises(WorkerError) as caught:
        await bench.service.stream(PROMPT, context)
    assert caught.value.reason == "configuration"
    assert missing in caught.value.message
    assert bench.upstream.requests == []


def deep_state(service: StreamingService) -> dict[str, Any]:
    """Everything that the service holds, two levels down, without what belongs to the connection."""
    own = {field.name: getattr(service, field.name) for field in fields(StreamingService)}
    exchange = {
        name: value for name, value in vars(own.pop("exchange")).items() if name not in ("_transport", "_clock")
    }
    for name in ("hooks", "clock"):
        own.pop(name)
    return copy.deepcopy({"own": own, "exchange": {n: v for n, v in exchange.items() if n != "_rng"}})


@pytest.mark.requirement("SVC-12")
async def test_no_state_is_kept_from_one_call_to_the_next() -> None:
    """Frozen, and equal in depth before and after calls that end well, fail and are cancelled."""
    bench = Bench(GOOD, Answer.json(b"{}", status=400), Answer.events(chunk("a"), done=False), GOOD)
    before = deep_state(bench.service)
    await bench.run()
    with pytest.raises(WorkerError):
        await bench.run()
    await bench.run()
    tokens = await bench.service.stream(PROMPT, bench.context())
    await tokens.cancel()
    assert deep_state(bench.service) == before
    with pytest.raises(FrozenInstanceError):
        bench.service.url = "x"  # type: ignore[misc]


@pytest.mark.requirement("SVC-14")
async def test_without_a_policy_there_is_one_attempt() -> None:
    """What the caller did not hand over does not happen."""
    bench = Bench(Answer.json(b"{}", status=503))
    with pytest.raises(WorkerError):
        await bench.run()
    assert len(bench.upstream.requests) == 1
    assert bench.clock.sleeps == []


@pytest.mark.requirement("SVC-15", "SVC-16")
async def test_calls_at_once_see_neither_each_others_cancellation_nor_errors() -> None:
    """Over one service: one is cancelled by its token, the others go on."""
    bench = Bench(*[Answer.events(chunk("waves"), Pause(0), chunk("more", "stop"))] * 3)
    contexts = [bench.context(f"r-{number}") for number in range(3)]
    streams = [await bench.service.stream(PROMPT, context) for context in contexts]
    contexts[1].watch.break_off(Interrupted("cancelled", reason="cancelled", outcome="UNKNOWN"))  # type: ignore[arg-type]

    async def rest(stream: Any) -> list[Any]:
        events: list[Any] = []
        while not events or events[-1].kind not in ("end", "error"):
            events += await stream.next_events()
        return events

    endings = [events[-1] for events in await asyncio.gather(*(rest(stream) for stream in streams))]
    assert [ending.data["finish_reason"] for ending in endings] == ["stop", "cancelled", "stop"]
    assert bench.upstream.open_bodies == 0


@pytest.mark.requirement("SVC-18", "SVC-19", "SVC-11", "LOG-03", "MET-22")
async def test_the_hooks_are_told_of_stages_and_measures_and_of_nothing_private() -> None:
    """trace_id, request_id, stage, elapsed_ms, status, error_class; count, latency and bytes, with their labels."""
    bench = Bench(Answer.events(chunk("waves"), Pause(0.25), chunk("more", "stop")), Answer.json(b"{}", status=429))
    await bench.run()
    assert [(r.stage, r.elapsed_ms, r.status, r.error_class) for r in bench.hooks.records] == [
        ("opened", 0, 200, None),
        ("started", 0, 200, None),
        ("ended", 250, 200, None),
    ]
    assert {(r.trace_id, r.request_id) for r in bench.hooks.records} == {("c-1", "r-1")}
    measured = {name: (value, labels) for name, value, labels in bench.hooks.measures}
    assert measured["request_count"] == (1, {"status": "200"})
    assert measured["request_latency_ms"] == (250.0, {"status": "200"})
    assert measured["bytes_sent"][0] == len(PROMPT.body)
    assert measured["bytes_received"][0] > 0
    with pytest.raises(WorkerError):
        await bench.run()
    last = bench.hooks.records[-1]
    assert (last.stage, last.status, last.error_class) == ("ended", 429, "HttpError")
    assert bench.hooks.measures[-1][2] == {"status": "429", "error_class": "HttpError"}
    for private in ("hidden", "waves", "the sea"):
        assert private not in repr((bench.hooks.records, bench.hooks.measures))


@pytest.mark.requirement("SVC-23")
@pytest.mark.parametrize("answer", [GOOD, Answer.events(chunk("a"), done=False), Answer.json(b"{}", status=500)])
async def test_a_hook_that_raises_changes_nothing(answer: Answer) -> None:
    """The same events or the same error, and the upstream is closed."""
    results = []
    for raising in (False, True):
        bench = Bench(answer, hooks=Hooks(raising=raising))
        try:
            results.append((await bench.run(), len(bench.hooks.records)))
        except WorkerError as error:
            results.append((error.payload(), len(bench.hooks.records)))
        assert bench.upstream.open_bodies == 0
    assert results[0] == results[1]


@pytest.mark.requirement("SVC-20")
async def test_effects_go_through_the_collaborators_only(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No output, no log line, no environment, no time of its own."""
    monkeypatch.setattr("time.monotonic", lambda: pytest.fail("asked the system's clock"))
    bench = Bench(GOOD)
    await bench.run()
    monkeypatch.undo()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.requirement("SVC-10")
async def test_the_same_failure_is_the_same_error_object() -> None:
    """Equal by value, field by field."""
    errors = []
    for _ in range(2):
        bench = Bench(Answer.json(b'{"error": {"message": "no", "code": "model_not_found"}}', status=404))
        with pytest.raises(WorkerError) as caught:
            await bench.run()
        errors.append(caught.value)
    assert errors[0] == errors[1]
    assert errors[0] is not errors[1]


@pytest.mark.requirement("SVC-17")
async def test_the_timeouts_are_the_injected_ones(rig: Callable[..., Any]) -> None:
    """No number of the service's own: those of the settings arrive at the exchange and the stream."""
    adapter = rig(
        first_byte_timeout=1.5, idle_timeout=2.5, connect_timeout=3.5, pool_timeout=4.5, content_timeout=5.5
    ).adapter
    policy = adapter._service.policy
    assert policy.timeouts == Timeouts(first_byte=1.5, idle=2.5, connect=3.5, pool=4.5)
    assert policy.content_timeout == 5.5
