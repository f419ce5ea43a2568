"""The five verbs: what is refused, what is repeated, what is told, and what is given back."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api import InvalidTask, Outcome, TaskCancelled, WorkerAdapter, WorkerError
from http_util.testing import EPOCH, Answer, Pause, Stall

if TYPE_CHECKING:
    from collections.abc import Callable


def chunk(text: str | None = None, finish: str | None = None, **extra: Any) -> bytes:
    """The data of one chunk."""
    delta = {} if text is None else {"content": text}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra}).encode()


GOOD = Answer.events(chunk("a"), chunk("b", "stop", model="snap"))
SHORT = Answer.events(chunk("a", "stop", model="snap"))
TLS = ssl.SSLCertVerificationError("no")


def status(code: int, body: bytes = b"{}", **headers: str) -> Answer:
    """An error answer."""
    return Answer.json(body, status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})


def caused(error: Exception, cause: Exception) -> Answer:
    """A failure to connect with a cause below it."""
    error.__cause__ = cause
    return Answer.failing(error)


QUOTA = b'{"error": {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}}'
TABLE: list[tuple[Answer, str, str, int, int]] = [
    # what happens, reason, outcome, attempts by billing_safe, by available
    (Answer.failing(httpx.ConnectError("refused")), "connection_failed", "NOT_SENT", 4, 4),
    (Answer.failing(httpx.ConnectTimeout("")), "connect_timeout", "NOT_SENT", 4, 4),
    (Answer.failing(httpx.PoolTimeout("")), "pool_timeout", "NOT_SENT", 4, 4),
    (caused(httpx.ConnectError("tls"), TLS), "tls_failed", "NOT_SENT", 1, 1),
    (status(408), "request_timeout", "REJECTED", 4, 4),
    (status(425), "too_early", "REJECTED", 4, 4),
    (status(429), "rate_limited", "REJECTED", 4, 4),
    (status(429, QUOTA), "quota_exceeded", "REJECTED", 1, 1),
    (status(503), "service_unavailable", "REJECTED", 4, 4),
    (status(529), "overloaded", "REJECTED", 4, 4),
    (status(400, x_should_retry="true"), "malformed_request", "REJECTED", 4, 4),
    (status(503, x_should_retry="false"), "service_unavailable", "REJECTED", 1, 1),
    (status(500, x_should_retry="true"), "server_error", "UNKNOWN", 4, 4),
    (status(500), "server_error", "UNKNOWN", 1, 4),
    (status(501), "server_error", "UNKNOWN", 1, 4),
    (status(502), "bad_gateway", "UNKNOWN", 1, 4),
    (status(504), "gateway_timeout", "UNKNOWN", 1, 4),
    (status(520), "bad_gateway", "UNKNOWN", 1, 4),
    (status(409), "conflict", "UNKNOWN", 1, 4),
    (Answer.failing(httpx.ReadError("reset")), "reset", "UNKNOWN", 1, 4),
    (
        Answer.failing(httpx.RemoteProtocolError("Server disconnected without sending a response.")),
        "reset",
        "UNKNOWN",
        1,
        4,
    ),
    (Answer.failing(httpx.ReadTimeout("")), "first_byte_timeout", "UNKNOWN", 1, 4),
    (Answer.events(done=False), "truncated", "UNKNOWN", 1, 1),
    (status(400), "malformed_request", "REJECTED", 1, 1),
    (status(401), "invalid_api_key", "REJECTED", 1, 1),
    (status(403), "permission_denied", "REJECTED", 1, 1),
    (status(404), "not_found", "REJECTED", 1, 1),
    (status(422), "malformed_request", "REJECTED", 1, 1),
    (status(302, location="http://127.0.0.1:9/"), "redirect", "REJECTED", 1, 1),
]


@pytest.mark.requirement("WA-INT-3003", "WA-INT-3004", "SVC-07", "SVC-14", "OC-ADAPT-OAI-6030", "OQ-14", "ADAPT-3005")
@pytest.mark.parametrize(("answer", "reason", "outcome", "safe", "available"), TABLE)
async def test_every_row_of_the_outcome_table(
    rig: Callable[..., Any],
    task: Callable[..., Any],
    answer: Answer,
    reason: str,
    outcome: str,
    safe: int,
    available: int,
) -> None:
    """Each failure has its reason and its outcome, and each policy asks as often as its column says; None asks once."""
    for policy, attempts in (("billing_safe", safe), ("available", available), (None, 1)):
        adapter, upstream, _ = rig(*[answer] * attempts, retry=policy, auto=True)
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
        error = caught.value
        assert (error.reason, error.outcome) == (reason, outcome)
        assert len(upstream.requests) == len(error.attempts) == attempts
        assert {(line.outcome, line.reason) for line in error.attempts} == {(outcome, reason)}
        assert len({request.content for request in upstream.requests}) == 1
        assert upstream.open_bodies == 0
        assert (await adapter.props()).slots_free == 64


@pytest.mark.requirement("WA-INT-3003", "ADP-34")
async def test_a_retry_that_succeeds_streams_and_tells_of_every_attempt(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """Full jitter from 0 to the bound, doubled each time; the ledger names each pause and each failure."""
    adapter, upstream, clock = rig(status(503), Answer.failing(httpx.ConnectError("")), status(429), GOOD, auto=True)
    end = (await (await adapter.submit(task())).collect()).end
    assert clock.sleeps == [0.05, 0.1, 0.2]
    assert [(line.get("reason"), line["delay_ms"]) for line in end["attempts"]] == [
        ("service_unavailable", 0),
        ("connection_failed", 50),
        ("rate_limited", 100),
        (None, 200),
    ]
    assert len(upstream.requests) == 4


@pytest.mark.requirement("WA-INT-3003", "OQ-15")
async def test_retry_after_is_honoured_up_to_the_deadline(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Seconds or a date; beyond the deadline the task fails now, and says when to come back."""
    later = "Tue, 14 Nov 2023 22:30:03 GMT"
    assert EPOCH + 1000.0 == 1_700_001_000.0
    adapter, _, clock = rig(status(429, retry_after="2"), status(503, retry_after=later), GOOD, auto=True)
    await (await adapter.submit(task())).collect()
    assert clock.sleeps == [2.0, 1.0]
    for seconds, deadline_ms in (("5", 4_000), ("61", 600_000)):
        adapter, upstream, clock = rig(status(429, retry_after=seconds), auto=True)
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task(deadline_ms=deadline_ms))
        assert (caught.value.reason, caught.value.code) == ("rate_limited", "ADMISSION_REJECT")
        assert caught.value.retry_after_ms == int(seconds) * 1000
        assert caught.value.retriable is True
        assert (len(upstream.requests), clock.sleeps) == (1, [])


@pytest.mark.requirement("ADP-33", "OC-ADAPT-OAI-6002")
async def test_the_deadline_covers_the_pauses_between_attempts(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """A pause that would end after the deadline is not begun; slow attempts use the same budget up."""
    slow = Answer(status=503, before_head=(Pause(0.4),))
    adapter, upstream, clock = rig(*[slow] * 4, jitter=0.999)
    submit = asyncio.ensure_future(adapter.submit(task(deadline_ms=1_000)))
    await clock.run_for(5.0)
    with pytest.raises(WorkerError) as caught:
        await submit
    assert caught.value.reason in ("service_unavailable", "deadline")
    assert clock.monotonic() == 1005.0
    assert sum(line.elapsed + line.delay for line in caught.value.attempts) <= 1.0
    assert len(upstream.requests) < 4


@pytest.mark.requirement("ADP-32", "OQ-10")
async def test_an_id_and_a_slot_are_held_from_submit_to_the_end(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """An id in flight and a task too many are refused, before any request; both are free again at the end."""
    adapter, upstream, _ = rig(GOOD, GOOD, max_slots=1)
    stream = await adapter.submit(task())
    with pytest.raises(InvalidTask, match="task_id: a task of this id is in flight") as reused:
        await adapter.submit(task())
    assert reused.value.code == "INVALID_PARAMS"
    with pytest.raises(WorkerError) as full:
        await adapter.submit(task("t-2"))
    assert (full.value.reason, full.value.code, full.value.retriable) == ("slots_exhausted", "ADMISSION_REJECT", True)
    health = await adapter.health()
    assert (health.live, health.ready, health.reason) == (True, False, "slots_exhausted")
    assert len(upstream.requests) == 2
    await stream.collect()
    assert (await adapter.props()).slots_free == 1


@pytest.mark.requirement("ADP-32")
async def test_the_table_does_not_grow(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Whatever way tasks end, nothing of them is kept."""
    answers = [GOOD, status(400), Answer.events(chunk("a"), done=False), GOOD] * 25
    adapter, upstream, _ = rig(*answers, auto=True)
    for number in range(100):
        try:
            stream = await adapter.submit(task(f"t-{number}"))
        except WorkerError:
            continue
        if number % 4 == 3:
            await stream.aclose()
        else:
            async for _ in stream:
                pass
    assert adapter._running == {}
    assert upstream.open_bodies == 0


@pytest.mark.requirement("ADP-13", "OQ-03", "OQ-04", "OQ-07")
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"workload": "embedding"}, "workload"),
        ({"workload": "rerank"}, "workload"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "a", "inputs": ["b"]}, "prompt"),
        ({"inputs": ["a", "b"]}, "inputs"),
        ({"max_tokens": 8193}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"extra_body": {"n": 3}}, "n"),
        ({"extra_body": {"stream": False}}, "extra_body.stream"),
        ({"extra_body": {"messages": []}}, "extra_body.messages"),
        ({"determinism": "strict", "temperature": 0.5}, "temperature"),
        ({"determinism": "strict", "top_p": 0.5}, "top_p"),
    ],
)
async def test_an_invalid_task_fails_before_any_network_use(
    rig: Callable[..., Any], task: Callable[..., Any], fields: dict[str, Any], named: str
) -> None:
    """INVALID_PARAMS, the field named; the table is untouched."""
    adapter, upstream, _ = rig()
    with pytest.raises(InvalidTask) as caught:
        await adapter.submit(task(**fields))
    assert caught.value.code == "INVALID_PARAMS"
    assert caught.value.message.startswith(f"{named}: ")
    assert not caught.value.retriable
    assert upstream.requests == []
    assert (await adapter.props()).slots_free == 64


@pytest.mark.requirement("ADP-13")
@pytest.mark.parametrize("deadline_ms", [0, -1])
async def test_an_expired_deadline_is_deadline_unmet(
    rig: Callable[..., Any], task: Callable[..., Any], deadline_ms: int
) -> None:
    """No request is made for a task whose time is up."""
    adapter, upstream, _ = rig()
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task(deadline_ms=deadline_ms))
    assert (caught.value.reason, caught.value.code) == ("deadline", "DEADLINE_UNMET")
    assert upstream.requests == []


@pytest.mark.requirement("ADP-30", "ADP-31")
async def test_a_closed_adapter_refuses_and_reports(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Closing ends what is in flight and closes the client; afterwards nothing is sent, and twice does no harm."""
    adapter, upstream, clock = rig(Answer.events(chunk("a"), Stall()), Answer(before_head=(Stall(),)))
    stream = await adapter.submit(task())
    waiting = asyncio.ensure_future(adapter.submit(task("t-2")))
    await clock.settle()
    await adapter.aclose()
    await adapter.aclose()
    assert upstream.is_closed
    assert upstream.open_bodies == 0
    with pytest.raises(TaskCancelled):
        await waiting
    assert [event.kind async for event in stream] == ["started", "end"]
    assert stream.terminal.data["finish_reason"] == "cancelled"
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task("t-3"))
    assert caught.value.reason == "closed"
    with pytest.raises(WorkerError):
        await adapter.engine_version()
    health = await adapter.health()
    assert (health.live, health.ready, health.reason) == (False, False, "closed")
    assert "closed" in repr(adapter)


@pytest.mark.requirement("OC-ADAPT-OAI-6000", "ADP-35", "OC-ADAPT-OAI-6021")
async def test_the_policies_in_force_are_visible_and_hold_no_secret(rig: Callable[..., Any]) -> None:
    """Retry, timeouts, egress, proxy and TLS, in `policies` and in the repr; the key is only said to be there."""
    adapter, _, _ = rig(api_key="sk-very-secret-0000")
    assert isinstance(adapter, WorkerAdapter)
    policies = adapter.policies
    assert policies["retry"]["name"] == "billing_safe"
    assert policies["retry"]["max_attempts"] == 4
    assert (policies["connect_timeout"], policies["first_byte_timeout"], policies["content_timeout"]) == (
        5.0,
        30.0,
        120.0,
    )
    assert policies["egress"] == ["the host of http://127.0.0.1:8000/v1"]
    assert policies["proxy"] is None
    assert policies["tls"]["verify"] is True
    assert policies["api_key"] == "set"
    for shown in (repr(adapter), json.dumps(policies, default=str)):
        assert "very-secret" not in shown
        assert "billing_safe" in shown


@pytest.mark.requirement("OC-ADAPT-OAI-6020", "SVC-11", "SEC-16")
async def test_a_key_that_the_upstream_echoes_does_not_come_out(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """Neither in an error answer nor in an error inside a stream."""
    key = "sk-very-secret-0000"
    body = json.dumps({"error": {"message": f"bad key {key}", "code": key, "type": key}}).encode()
    adapter, upstream, _ = rig(status(401, body), Answer.events(chunk("a"), body, done=False), api_key=key)
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    events = [event async for event in await adapter.submit(task())]
    assert upstream.requests[0].headers["authorization"] == f"Bearer {key}"
    for shown in (repr(caught.value), str(caught.value), json.dumps(dict(events[-1].data))):
        assert "very-secret" not in shown


@pytest.mark.requirement("AH-1003", "CF-54", "ADP-12")
async def test_what_is_sent_and_what_is_not(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Headers carry the correlation id, the key and what is accepted; the body carries no id."""
    adapter, upstream, _ = rig(SHORT, api_key="sk-k", organization="org", project="prj")
    events = [event async for event in await adapter.submit(task("task-77"))]
    request = upstream.requests[0]
    assert request.url == "http://127.0.0.1:8000/v1/chat/completions"
    assert request.headers["x-correlation-id"] == events[0].data["correlation_id"]
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["openai-organization"] == "org"
    assert request.headers["openai-project"] == "prj"
    assert b"task-77" not in request.content
    assert b"s-1" not in request.content


@pytest.mark.requirement("ERR-20")
async def test_a_404_of_a_task_names_the_path_that_is_missing(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """In the error and in its text; not where the address has the path, and not for another status."""
    says = "base_url has no /v1 in its path, below which most servers have the API"
    for base_url, status, hint in (
        ("http://127.0.0.1:8000", 404, True),
        ("http://127.0.0.1:8000/v1", 404, False),
        ("http://127.0.0.1:8000", 400, False),
    ):
        adapter, _, _ = rig(Answer.json(b'{"detail": "Not Found"}', status=status), base_url=base_url)
        with pytest.raises(WorkerError) as caught:
            await adapter.submit(task())
        assert caught.value.message.endswith(f"; {says}") is hint
        assert (says in str(caught.value)) is hint


async def test_what_is_no_configuration_and_no_task_is_said_in_words(rig: Callable[..., Any]) -> None:
    """Both are easily taken for mappings."""
    adapter, upstream, _ = rig(SHORT)
    kind: Any = type(adapter)
    with pytest.raises(TypeError, match=r"^config: expected an OpenAIHttpConfig, got dict$"):
        kind({"base_url": "http://127.0.0.1:8000/v1"})
    with pytest.raises(InvalidTask, match=r"task: expected a TaskRequest, got dict$"):
        await adapter.submit({"task_id": "t-1"})
    assert upstream.requests == []


@pytest.mark.requirement("OQ-12")
async def test_azure_has_its_own_header_path_and_query(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """api-key, /deployments/NAME, api-version; all by config."""
    adapter, upstream, _ = rig(
        SHORT,
        dialect="azure",
        api_key="k-1",
        deployment="gpt",
        api_version="2024-10-21",
        base_url="http://127.0.0.1:8000/openai",
    )
    await (await adapter.submit(task())).collect()
    request = upstream.requests[0]
    assert request.url == "http://127.0.0.1:8000/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    assert request.headers["api-key"] == "k-1"
    assert "authorization" not in request.headers
    assert json.loads(request.content)["max_completion_tokens"] == 8


@pytest.mark.requirement("OC-ADAPT-OAI-6010", "ADAPT-3003")
async def test_each_answer_is_told_with_its_own_snapshot(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """The version of one task is not that of the one before; engine_version gives the last."""
    adapter, _, _ = rig(
        Answer.events(chunk("a", "stop", model="one")), Answer.events(chunk("a", "stop", model="two")), model=None
    )
    first = await (await adapter.submit(task(model_ref="one"))).collect()
    second = await (await adapter.submit(task(model_ref="two"))).collect()
    assert (first.end["engine_version"], second.end["engine_version"]) == ("one", "two")
    assert (await adapter.engine_version(), (await adapter.props()).engine_version) == ("two", "two")


@pytest.mark.requirement("ADP-43")
async def test_another_version_than_the_pinned_one_fails_strict_tasks_only(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """A strict task is refused and its upstream closed; the others are warned of, and served."""
    adapter, upstream, _ = rig(SHORT, SHORT, SHORT, engine_version="other")
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task(determinism="strict"))
    assert (caught.value.reason, caught.value.code) == ("engine_version", "POOL_UNREADY")
    assert caught.value.message == "expected engine version 'other', found 'snap'"
    assert upstream.open_bodies == 0
    assert (await adapter.props()).slots_free == 64
    await (await adapter.submit(task(determinism="best_effort"))).collect()
    await (await adapter.submit(task())).collect()
    same, _, _ = rig(SHORT, engine_version="snap")
    await (await same.submit(task(determinism="strict"))).collect()


@pytest.mark.requirement("ADP-43", "OC-ADAPT-OAI-6010")
async def test_a_server_with_a_version_of_its_own_is_held_to_that_one(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The version is asked before the first task is sent, once; a strict task for another one is never sent."""
    tells = status(200, b'{"version": "0.32.0"}')
    adapter, upstream, _ = rig(tells, SHORT, dialect="vllm", engine_version="vllm/0.31")
    with pytest.raises(WorkerError, match=r"found 'vllm/0\.32\.0'") as caught:
        await adapter.submit(task(determinism="strict"))
    assert (caught.value.reason, caught.value.outcome) == ("engine_version", Outcome.NOT_SENT)
    assert [request.method for request in upstream.requests] == ["GET"]
    answer = await (await adapter.submit(task())).collect()
    assert answer.end["engine_version"] == "vllm/0.32.0"
    assert [request.method for request in upstream.requests] == ["GET", "POST"]


@pytest.mark.requirement("ADP-43", "ADP-33")
@pytest.mark.parametrize("ending", ["cancel", "deadline"])
async def test_a_task_that_is_over_while_the_pinned_version_is_asked_for_was_not_sent(
    rig: Callable[..., Any], task: Callable[..., Any], ending: str
) -> None:
    """Only the question went out, so nothing can have been billed, and the error says so."""
    adapter, upstream, clock = rig(Answer(before_head=[Stall()]), dialect="vllm", engine_version="vllm/0.31")
    submit = asyncio.ensure_future(adapter.submit(task("t-1", deadline_ms=1_000)))
    await clock.settle()
    if ending == "cancel":
        await adapter.cancel("t-1")
    await clock.run_for(1.0)
    with pytest.raises(WorkerError) as caught:
        await submit
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.reason == {"cancel": "cancelled"}.get(ending, ending)
    assert [request.method for request in upstream.requests] == ["GET"]


@pytest.mark.requirement("ADP-43", "ADP-30")
async def test_a_task_can_be_cancelled_while_the_pinned_version_is_asked_for(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The question is part of the task: cancel and deadline end it."""
    adapter, upstream, clock = rig(Answer(before_head=[Stall()]), dialect="vllm", engine_version="vllm/0.31")
    submit = asyncio.ensure_future(adapter.submit(task("t-1")))
    await clock.settle()
    await adapter.cancel("t-1")
    with pytest.raises(TaskCancelled):
        await submit
    assert [request.method for request in upstream.requests] == ["GET"]
    assert (await adapter.props()).slots_free == 64


@pytest.mark.requirement("ADP-42", "ORCH-3603")
async def test_props_count_slots_and_ask_nobody(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """What is not known stays unset."""
    adapter, upstream, _ = rig(Answer.events(chunk("a"), Stall()), max_slots=3, engine_label="vllm")
    before = await adapter.props()
    assert (before.slots_total, before.slots_free, before.engine_version) == (3, 3, None)
    assert (before.engine, before.workloads) == ("vllm", ("completion",))
    assert upstream.requests == []
    stream = await adapter.submit(task())
    assert (await adapter.props()).slots_free == 2
    await stream.aclose()
    assert (await adapter.props()).slots_free == 3


@pytest.mark.requirement("SVC-15", "HTU-PERF-1301")
async def test_tasks_at_once_see_neither_each_others_errors_nor_cancels(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """One fails, one is cancelled, one goes on to its end."""
    slow = Answer.events(chunk("a"), Pause(1.0), chunk("b", "stop"))
    adapter, _, clock = rig(slow, status(400), slow)
    one = await adapter.submit(task("t-1"))
    with pytest.raises(WorkerError):
        await adapter.submit(task("t-2"))
    three = await adapter.submit(task("t-3"))
    whole = asyncio.ensure_future(three.collect())
    await clock.settle()
    await adapter.cancel("t-1")
    await clock.run_for(2.0)
    assert (await whole).text == "ab"
    assert [event.kind async for event in one] == ["started", "end"]


@pytest.mark.requirement("OC-ADAPT-OAI-6021", "SEC-11")
async def test_a_host_that_egress_does_not_allow_is_not_called(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The policy stands before the transport, whatever address a call has."""
    adapter, upstream, _ = rig(GOOD)
    object.__setattr__(adapter._service, "url", "http://127.0.0.2:8000/v1/chat/completions")
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    assert (caught.value.reason, caught.value.outcome) == ("egress_denied", Outcome.NOT_SENT)
    assert upstream.requests == []


@pytest.mark.requirement("ADP-31", "ADP-32")
async def test_a_stream_that_is_dropped_unclosed_stops_the_upstream_and_gives_its_slot_back(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """A `return` inside the loop is enough: nobody has to close what nobody holds."""
    adapter, upstream, clock = rig(Answer.events(chunk("a"), chunk("b"), Stall()), max_slots=1)

    async def first_token() -> str:
        async for event in await adapter.submit(task()):
            if event.kind == "token":
                return str(event.text)
        raise AssertionError

    assert await first_token() == "a"
    gc.collect()
    await clock.settle()
    assert (await adapter.props()).slots_free == 1
    assert (upstream.closed_early, upstream.open_bodies) == (1, 0)
    await adapter.aclose()


@pytest.mark.requirement("ADP-30", "ADP-31")
@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_what_was_dropped_can_still_be_cancelled_and_closed(
    rig: Callable[..., Any], task: Callable[..., Any], how: str
) -> None:
    """In the moment between the drop and the loop's next turn; nothing hangs."""
    adapter, upstream, _ = rig(Answer.events(chunk("a"), Stall()))
    stream = await adapter.submit(task("t-1"))
    assert (await anext(stream)).kind == "started"
    del stream
    await (adapter.cancel("t-1") if how == "cancel" else adapter.aclose())
    assert (upstream.closed_early, upstream.open_bodies) == (1, 0)
