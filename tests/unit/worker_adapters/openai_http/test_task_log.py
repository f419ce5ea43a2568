"""What the log tells of a task: a line per attempt, a line at the end, no prompt, no answer, no key, no header."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from adapter_api import TaskCancelled, WorkerError, correlation_id
from http_util.testing import Answer, Stall
from worker_adapters.openai_http import task_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRETS = ("sk-hidden-000", "Tell me of the sea", "waves", "Bearer", "authorization")


def chunk(text: str, finish: str | None = None) -> bytes:
    """The data of one chunk."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 6, "completion_tokens": 2, "total_tokens": 8} if finish else None
    return json.dumps({"model": "snap", "choices": [choice], "usage": usage}).encode()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The lines of a program that has configured its logging; what was there before is put back."""
    was_configured = structlog.is_configured()
    monkeypatch.setattr("structlog.is_configured", lambda: True)
    token = correlation_id.set("c-1")
    with capture_logs() as captured:
        yield captured
    correlation_id.reset(token)
    if not was_configured:
        structlog.reset_defaults()


def of_tasks(lines: list[Any]) -> list[Any]:
    """The lines about tasks."""
    return [line for line in lines if line["event"] not in ("adapter_built", "giving_up", "retrying")]


@pytest.mark.requirement("WA-INT-3007", "OC-ADAPT-OAI-6031", "LOG-04", "ADP-50")
async def test_a_task_that_ends_has_one_line_with_the_standard_fields(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any]
) -> None:
    """One for the attempt, one for the task, none per token."""
    adapter, _, _ = rig(Answer.events(chunk("waves"), chunk("waves", "stop")), api_key="sk-hidden-000")
    await (await adapter.submit(task())).collect()
    attempt, ended = of_tasks(lines)
    assert (attempt["event"], attempt["log_level"], attempt["attempt"], attempt["http_status"]) == (
        "attempt",
        "info",
        1,
        200,
    )
    assert (ended["event"], ended["log_level"]) == ("stream_ended", "info")
    expected = {
        "job_id": "t-1",
        "session_id": "s-1",
        "engine": "openai",
        "engine_version": "snap",
        "tokens_in": 6,
        "tokens_out": 2,
        "decode_time_ms": 0,
        "first_token_ms": 0,
        "correlation_id": "c-1",
        "finish_reason": "stop",
        "evidence": "finish_reason",
        "attempts": 1,
        "model": "snap",
    }
    assert expected.items() <= ended.items()
    for secret in SECRETS:
        assert secret not in json.dumps(lines, default=str)


@pytest.mark.requirement("OC-ADAPT-OAI-6030", "OC-ADAPT-OAI-6020", "LOG-06")
async def test_every_attempt_has_a_line_and_the_task_has_one(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any]
) -> None:
    """Pauses and reasons are told; the failure is an error when it is the upstream's fault."""
    body = json.dumps({"error": {"message": "key sk-hidden-000"}}).encode()
    adapter, _, _ = rig(
        Answer.json(body, status=503),
        Answer.failing(httpx.ConnectError("")),
        Answer.json(body, status=500),
        api_key="sk-hidden-000",
        auto=True,
    )
    with pytest.raises(WorkerError):
        await adapter.submit(task())
    *attempts, failed = of_tasks(lines)
    assert [(line["attempt"], line["reason"], line["delay_ms"], line["log_level"]) for line in attempts] == [
        (1, "service_unavailable", 0, "warning"),
        (2, "connection_failed", 50, "warning"),
        (3, "server_error", 100, "warning"),
    ]
    assert (failed["event"], failed["log_level"], failed["reason"]) == ("stream_failed", "error", "server_error")
    assert failed["code"] == "POOL_UNAVAILABLE"
    for secret in SECRETS:
        assert secret not in json.dumps(lines, default=str)


@pytest.mark.requirement("LOG-06", "OC-ADAPT-OAI-6030")
async def test_a_fault_of_the_caller_is_a_warning(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any]
) -> None:
    """An invalid task, one that is too late, one that the upstream refuses: one line each; only the last was sent."""
    adapter, _, _ = rig(Answer.json(b"{}", status=400))
    for fields in ({"n": 2}, {"deadline_ms": 0}, {}):
        with pytest.raises(WorkerError):
            await adapter.submit(task(**fields))
    told = of_tasks(lines)
    assert [line["event"] for line in told] == ["task_refused", "task_refused", "attempt", "stream_failed"]
    assert {line["log_level"] for line in told} == {"warning"}
    assert [line["reason"] for line in told] == ["invalid_task", "deadline", "malformed_request", "malformed_request"]
    assert told[0]["error_message"].startswith("n: ")
    assert told[0]["human"] == "A task for openai is not sent: invalid_task"
    assert told[3]["human"] == "A task at openai gets no stream: malformed_request"


@pytest.mark.requirement("LOG-04", "OC-CTRL-2028")
async def test_a_stream_that_breaks_has_one_line(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any]
) -> None:
    """The error event's facts, once."""
    adapter, _, _ = rig(Answer.events(chunk("waves"), done=False))
    async for _ in await adapter.submit(task()):
        pass
    attempt, failed = of_tasks(lines)
    assert attempt["event"] == "attempt"
    assert (failed["event"], failed["log_level"], failed["reason"], failed["outcome"]) == (
        "stream_failed",
        "error",
        "truncated",
        "PARTIAL",
    )


@pytest.mark.requirement("LOG-04", "OQ-01")
@pytest.mark.parametrize("by", ["cancel", "the submitting task"])
async def test_a_cancelled_task_has_one_line_and_is_no_error(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any], by: str
) -> None:
    """Before the start it is said to be cancelled; after it, the end says so."""
    adapter, _, clock = rig(Answer(before_head=(Stall(),)), Answer.events(chunk("waves"), Stall(), done=False))
    submit = asyncio.ensure_future(adapter.submit(task()))
    await clock.settle()
    if by == "cancel":
        await adapter.cancel("t-1")
    else:
        submit.cancel()
    with pytest.raises((TaskCancelled, asyncio.CancelledError)):
        await submit
    early = [line for line in of_tasks(lines) if line["event"] != "attempt"]
    assert [(line["event"], line["log_level"], line["job_id"]) for line in early] == [
        ("stream_cancelled", "info", "t-1")
    ]
    lines.clear()
    stream = await adapter.submit(task("t-2"))
    await anext(stream)
    await adapter.cancel("t-2")
    late = [line for line in of_tasks(lines) if line["event"] != "attempt"]
    assert [(line["event"], line["finish_reason"], line["log_level"]) for line in late] == [
        ("stream_ended", "cancelled", "info")
    ]


@pytest.mark.requirement("ADP-43")
async def test_another_version_is_warned_of_once(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any]
) -> None:
    """Not for every task."""
    adapter, _, _ = rig(*[Answer.events(chunk("waves", "stop"))] * 2, engine_version="other")
    for _ in range(2):
        await (await adapter.submit(task())).collect()
    warned = [line for line in lines if line["event"] == "engine_version_differs"]
    assert [(line["expected"], line["engine_version"], line["log_level"]) for line in warned] == [
        ("other", "snap", "warning")
    ]


@pytest.mark.requirement("ADP-35")
async def test_building_an_adapter_tells_its_policies(rig: Callable[..., Any], lines: list[Any]) -> None:
    """One line, without the key."""
    rig(api_key="sk-hidden-000")
    (built,) = lines
    assert built["event"] == "adapter_built"
    assert built["retry"]["name"] == "billing_safe"
    assert "hidden" not in json.dumps(built, default=str)


@pytest.mark.requirement("LOG-05", "WA-INT-3007")
@pytest.mark.parametrize("configured", [False, True])
async def test_a_line_that_nobody_takes_is_not_made(
    rig: Callable[..., Any], task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """Below the level of the program's logger nothing is bound and nothing is written; failures still are."""
    structlog.reset_defaults()
    made: list[str] = []
    real = task_log.get_logger
    monkeypatch.setattr(task_log, "get_logger", lambda name: made.append(name) or real(name))
    try:
        if configured:
            structlog.configure(
                wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
                logger_factory=structlog.ReturnLoggerFactory(),
            )
        adapter, _, _ = rig(
            Answer.events(chunk("a"), chunk("b", "stop")),
            Answer(status=503),
            Answer.events(chunk("a", "stop")),
            Answer(status=400),
            auto=True,
        )
        await (await adapter.submit(task())).collect()
        assert made == []
        # an attempt that failed is told of, though the task ends well; the one that went well is not
        await (await adapter.submit(task())).collect()
        assert len(made) == 1
        with pytest.raises(WorkerError):
            await adapter.submit(task())
        assert len(made) == 3
    finally:
        structlog.reset_defaults()


@pytest.mark.requirement("HTU-1004", "LOG-04")
async def test_what_an_upstream_calls_things_is_an_identifier_in_the_log(
    rig: Callable[..., Any], task: Callable[..., Any], lines: list[Any]
) -> None:
    """Not a sentence, and not a prompt that it repeats; neither long, nor in signs that a terminal acts on."""
    said = "you asked: Tell me of the sea \u202e\x1b[31m" + "x" * 999
    choice = {"index": 0, "delta": {"content": "waves"}, "finish_reason": said}
    data = json.dumps({"model": said, "choices": [choice]}).encode()
    headers = {"content-type": "text/event-stream", "x-request-id": "Tell me of the sea " + "y" * 999}
    adapter, _, _ = rig(Answer(headers=headers, body=(b"data: %b\n\n" % data, b"data: [DONE]\n\n")))
    await (await adapter.submit(task())).collect()
    attempt, ended = of_tasks(lines)
    told = [ended[name] for name in ("model", "engine_version", "finish_reason", "upstream_request_id")]
    for name in (*told, attempt["upstream_request_id"]):
        assert len(name) <= 128
        assert all("!" <= sign <= "~" for sign in name.removesuffix("…")), name
    assert "Tell me of the sea" not in json.dumps(lines, default=str)
