"""What an upstream may do on purpose: nothing of it leaves the contract, and nothing private comes back out."""

from __future__ import annotations

import asyncio
import json
import zlib
from traceback import TracebackException, format_exception
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from adapter_api import InvalidTask, Outcome, WorkerError, correlation_id
from http_util import AsyncWatch
from http_util._async.body import SLICE_BYTES, AsyncBody
from http_util.testing import Answer, FakeClock, Stall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEEP: Final = b'{"choices":[{"delta":{"content":"x"}}],"error":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
KEY: Final = "hush-hush-4711-hush"
PROMPT: Final = "The treasure lies under the old oak, forty paces north."


def chunk(**choice: Any) -> bytes:
    """The data of one chunk with one choice."""
    return json.dumps({"choices": [choice]}).encode()


TEXT: Final = chunk(index=0, delta={"content": "a"})
STOP: Final = chunk(index=0, delta={}, finish_reason="stop")


async def events_of(adapter: Any, task: Any) -> list[Any]:
    """Every event of a task."""
    async with await adapter.submit(task) as stream:
        return [event async for event in stream]


@pytest.mark.requirement("SVC-08", "OC-CTRL-2034")
async def test_json_nested_too_deep_is_a_chunk_that_cannot_be_read(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """Before the start a WorkerError, after it an error event, each with outcome and ledger."""
    adapter, _, _ = rig(Answer.events(DEEP), Answer.events(TEXT, DEEP, done=False))
    with pytest.raises(WorkerError) as caught:
        await adapter.submit(task())
    assert (caught.value.reason, caught.value.outcome) == ("decode", Outcome.UNKNOWN)
    error = (await events_of(adapter, task()))[-1]
    assert (error.kind, error.data["reason"], error.data["outcome"]) == ("error", "decode", "PARTIAL")
    assert error.data["attempts"]


@pytest.mark.requirement("ADP-41")
@pytest.mark.parametrize("dialect", ["generic", "openai", "vllm", "litellm"])
async def test_health_survives_a_listing_nested_too_deep(rig: Callable[..., Any], dialect: str) -> None:
    """It reports, and never raises."""
    adapter, _, _ = rig(Answer.json(b"[" * 100_000), Answer.json(b"[" * 100_000), dialect=dialect)
    assert (await adapter.health()).live


@pytest.mark.requirement("SEC-16", "OC-ADAPT-OAI-6020")
async def test_a_key_in_the_words_of_a_good_answer_is_masked(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Model, fingerprint, finish reason and request id are the upstream's words; they are also short."""
    named = {"model": f"m-{KEY}", "system_fingerprint": f"{KEY}\u202e\n"}
    first = json.dumps({**named, "choices": [{"index": 0, "delta": {"content": "a"}}]}).encode()
    last = chunk(index=0, delta={}, finish_reason=KEY + "x" * 5000)
    answer = Answer.events(first, last)
    answer = Answer(headers={**answer.headers, "x-request-id": f"req-{KEY}"}, body=answer.body)
    adapter, _, _ = rig(answer, api_key=KEY)
    events = await events_of(adapter, task())
    told = json.dumps([dict(event.data) for event in events], ensure_ascii=False)
    assert KEY not in told
    assert "\u202e" not in told
    assert len(events[-1].data["finish_reason"]) <= 256
    assert KEY not in repr(await adapter.props())


@pytest.mark.requirement("ADP-50", "SEC-13", "SEC-16")
@pytest.mark.parametrize("quoting", ["status", "stream", "first"])
async def test_a_prompt_that_the_upstream_quotes_is_masked(
    rig: Callable[..., Any], task: Callable[..., Any], quoting: str
) -> None:
    """In an error answer, in an error inside the stream, before and after the start."""
    error = json.dumps({"error": {"message": f"cannot answer: {PROMPT[4:40]}!", "code": "x"}}).encode()
    answers = {
        "status": Answer.json(error, status=400),
        "first": Answer.events(error, done=False),
        "stream": Answer.events(TEXT, error, done=False),
    }
    adapter, _, _ = rig(answers[quoting])
    try:
        message = (await events_of(adapter, task(prompt=PROMPT)))[-1].data["message"]
    except WorkerError as failure:
        # the words of the causes are in it too
        message = "".join(format_exception(failure))
    assert "cannot answer:****!" in message
    assert "treasure" not in message


@pytest.mark.requirement("ADP-50", "SEC-16")
@pytest.mark.parametrize("ending", ["refused", "reset", "deadline", "cancelled"])
async def test_no_frame_of_a_failed_task_shows_its_prompt(
    rig: Callable[..., Any], task: Callable[..., Any], ending: str
) -> None:
    """Reporters show the local variables of every frame, and the words of every cause."""
    answer = Answer.failing(httpx.ReadError("")) if ending == "reset" else Answer(before_head=[Stall()])
    adapter, _, clock = rig(answer, retry=None)
    given = {"extra_body": {"stream": 1}} if ending == "refused" else {}
    submit = asyncio.ensure_future(adapter.submit(task(prompt=PROMPT, deadline_ms=1_000, **given)))
    await clock.settle()
    if ending == "cancelled":
        submit.cancel()
    await clock.run_for(1.0)
    with pytest.raises((WorkerError, asyncio.CancelledError)) as caught:
        await submit
    shown = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "treasure" not in shown.replace(repr(PROMPT), "")


@pytest.mark.requirement("ADP-22", "OC-ADAPT-OAI-6001")
@pytest.mark.parametrize(
    "odd",
    [
        chunk(index=0, message={"content": "whole"}),
        chunk(index=None, delta={"content": "whole"}),
        chunk(delta={"content": ["wh", {"text": "ole"}]}),
    ],
)
async def test_content_in_an_unusual_place_is_content(
    rig: Callable[..., Any], task: Callable[..., Any], odd: bytes
) -> None:
    """A whole message, a null index, a list of parts: nothing that was generated is dropped."""
    adapter, _, _ = rig(Answer.events(odd, b"", STOP))
    assert [event.text for event in await events_of(adapter, task()) if event.kind == "token"] == ["whole"]


@pytest.mark.requirement("ADP-23", "ADP-24")
@pytest.mark.parametrize("reason", ["error", "abort"])
async def test_a_finish_reason_that_says_failure_is_an_error(
    rig: Callable[..., Any], task: Callable[..., Any], reason: str
) -> None:
    """An answer that was given up is not whole."""
    adapter, _, _ = rig(Answer.events(TEXT, chunk(index=0, delta={}, finish_reason=reason)))
    events = await events_of(adapter, task())
    assert [event.kind for event in events] == ["started", "token", "error"]


@pytest.mark.requirement("ADP-24")
async def test_an_error_event_is_an_error_even_when_it_says_done(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """The event's name counts."""
    body = b"data: " + TEXT + b"\n\nevent: error\ndata: [DONE]\n\n"
    adapter, _, _ = rig(Answer(headers={"content-type": "text/event-stream"}, body=[body]))
    assert (await events_of(adapter, task()))[-1].kind == "error"


@pytest.mark.requirement("OQ-08")
@pytest.mark.parametrize("count", [-2, 10**30, 2**53 + 1])
async def test_counts_that_no_stream_can_have_are_not_usage(
    rig: Callable[..., Any], task: Callable[..., Any], count: int
) -> None:
    """Tokens are counted instead."""
    usage = json.dumps({"choices": [], "usage": {"completion_tokens": count, "total_tokens": 3}}).encode()
    adapter, _, _ = rig(Answer.events(TEXT, STOP, usage))
    try:
        end = (await events_of(adapter, task()))[-1]
    except WorkerError:
        pytest.fail("a count must not break a stream")
    assert (end.data["tokens_out"], end.data["usage"]["source"]) == (1, "estimated")


@pytest.mark.requirement("AH-1003")
@pytest.mark.parametrize("given", ["a\r\nx-evil: 1", "a\x00b", "é", "x" * 129, 5])
async def test_a_correlation_id_that_no_header_can_carry_is_refused(
    rig: Callable[..., Any], task: Callable[..., Any], given: Any
) -> None:
    """Before anything is sent, whatever the protocol would make of it."""
    adapter, upstream, _ = rig(Answer.events(TEXT, STOP))
    token = correlation_id.set(given)
    try:
        with pytest.raises(InvalidTask, match="correlation_id"):
            await adapter.submit(task())
    finally:
        correlation_id.reset(token)
    assert upstream.requests == []


@pytest.mark.requirement("HTU-13", "HTU-18")
async def test_what_a_compressed_piece_unfolds_to_is_handed_on_in_slices() -> None:
    """Others get their turn between two slices, and the deadline is looked at."""

    class Packed(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield zlib.compress(b":\n\n" * 500_000, wbits=31)

    clock = FakeClock()
    response = httpx.Response(200, stream=Packed())
    body = AsyncBody.of(response, AsyncWatch(clock), clock, idle=None, encoding="gzip")
    sizes = []
    while (piece := await body.next_piece()) is not None:
        sizes.append(len(piece))
    await body.aclose()
    assert sum(sizes) == 1_500_000
    assert max(sizes) <= SLICE_BYTES
