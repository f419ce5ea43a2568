"""Cancel, in every phase of a task, from anywhere, early, late and twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import Outcome, TaskCancelled
from http_util.testing import Answer, Stall

if TYPE_CHECKING:
    from collections.abc import Callable


def chunk(text: str | None = None, finish: str | None = None) -> bytes:
    """The data of one chunk."""
    delta = {} if text is None else {"content": text}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()


def kinds(events: list[Any]) -> list[str]:
    """The kinds of *events*."""
    return [event.kind for event in events]


HANGING = Answer.events(chunk("a"), chunk("b"), Stall(), done=False)


async def free(adapter: Any) -> bool:
    """Tell whether nothing of any task is left."""
    return (await adapter.props()).slots_free == 64 and not adapter._running


@pytest.mark.requirement("ADP-30", "SVC-16", "OQ-01")
@pytest.mark.parametrize(
    ("answers", "is_reached", "outcome"),
    [
        ((Answer(before_head=(Stall(),)),), False, Outcome.NOT_SENT),
        ((Answer(before_head=(Stall(),)),), True, Outcome.UNKNOWN),
        ((Answer.events(Stall()),), True, Outcome.UNKNOWN),
        ((Answer(status=503, headers={"retry-after": "30"}),), True, Outcome.REJECTED),
        ((Answer(status=500, body=(b"{", Stall())),), True, Outcome.UNKNOWN),
    ],
    ids=["connecting", "waiting for the head", "waiting for the first chunk", "between attempts", "reading an error"],
)
async def test_a_cancel_before_the_start_ends_the_submit_at_once(
    rig: Callable[..., Any], task: Callable[..., Any], answers: Any, is_reached: bool, outcome: Outcome
) -> None:
    """Whatever it waits for: submit raises TaskCancelled, which knows what the upstream may have done."""
    adapter, upstream, clock = rig(*answers)
    upstream.is_reached = is_reached
    submit = asyncio.ensure_future(adapter.submit(task()))
    await clock.settle()
    assert not submit.done()
    await asyncio.gather(adapter.cancel("t-1"), adapter.cancel("t-1"), adapter.cancel("t-unknown"))
    assert submit.done()
    assert await free(adapter)
    assert upstream.open_bodies == 0
    with pytest.raises(TaskCancelled) as caught:
        await submit
    assert caught.value.code is None
    assert caught.value.outcome == outcome
    assert len(caught.value.attempts) == 1
    assert clock.next_due() is None


@pytest.mark.requirement("ADP-30", "WA-INT-3002", "AH-1004")
async def test_after_a_cancel_no_token_follows(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """Tokens that were read and not fetched yet are kept back; the end says cancelled, and counts."""
    adapter, upstream, _ = rig(
        Answer(
            headers={"content-type": "text/event-stream"},
            body=(
                b"".join(b"data: %b\n\n" % chunk(text) for text in "abcd"),
                Stall(),
            ),
        )
    )
    stream = await adapter.submit(task())
    assert kinds([await anext(stream), await anext(stream)]) == ["started", "token"]
    await adapter.cancel("t-1")
    assert upstream.closed_early == 1
    assert await free(adapter)
    rest = [event async for event in stream]
    assert kinds(rest) == ["end"]
    assert (rest[0].data["finish_reason"], rest[0].data["evidence"]) == ("cancelled", "cancelled")
    await adapter.cancel("t-1")
    assert [event async for event in stream] == []


@pytest.mark.requirement("ADP-30", "WA-INT-3002")
@pytest.mark.parametrize("by", ["adapter", "stream"])
async def test_a_cancel_from_another_task_wakes_the_reader(
    rig: Callable[..., Any], task: Callable[..., Any], by: str
) -> None:
    """The reader that waits gets the end; the upstream is closed when cancel returns."""
    adapter, upstream, clock = rig(HANGING)
    stream = await adapter.submit(task())

    async def read_all() -> list[Any]:
        return [event async for event in stream]

    reader = asyncio.ensure_future(read_all())
    await clock.settle()
    await (adapter.cancel("t-1") if by == "adapter" else stream.cancel())
    assert upstream.closed_early == 1
    assert await free(adapter)
    assert kinds(await reader) == ["started", "token", "token", "end"]
    assert stream.terminal is not None
    assert stream.terminal.data["finish_reason"] == "cancelled"


@pytest.mark.requirement("ADP-30")
async def test_a_cancel_after_the_end_changes_nothing(rig: Callable[..., Any], task: Callable[..., Any]) -> None:
    """The end that was handed out stands; the id may be used again."""
    good = Answer.events(chunk("a", "stop"))
    adapter, _, _ = rig(good, good)
    stream = await adapter.submit(task())
    events = [event async for event in stream]
    await adapter.cancel("t-1")
    await stream.cancel()
    await stream.aclose()
    assert events[-1].data["finish_reason"] == "stop"
    assert (await (await adapter.submit(task())).collect()).text == "a"


@pytest.mark.requirement("ADP-31")
@pytest.mark.parametrize("way", ["aclose", "leave", "cancel the consumer"])
async def test_dropping_a_stream_is_a_cancel(rig: Callable[..., Any], task: Callable[..., Any], way: str) -> None:
    """The upstream is closed and the slot is returned, whatever the way out."""
    adapter, upstream, clock = rig(HANGING)
    stream = await adapter.submit(task())
    await anext(stream)
    if way == "aclose":
        await asyncio.gather(stream.aclose(), stream.aclose())
    elif way == "leave":
        async with stream:
            await anext(stream)
    else:
        consumer = asyncio.ensure_future(stream.collect())
        await clock.settle()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
    assert upstream.closed_early == 1
    assert upstream.open_bodies == 0
    assert await free(adapter)
    assert clock.next_due() is None


@pytest.mark.requirement("ADP-31", "SVC-16")
@pytest.mark.parametrize("answer", [Answer(before_head=(Stall(),)), Answer.events(Stall()), Answer(status=503)])
async def test_cancelling_the_submitting_task_gives_everything_back(
    rig: Callable[..., Any], task: Callable[..., Any], answer: Answer
) -> None:
    """The cancellation goes on as one; nothing of the task stays."""
    adapter, upstream, clock = rig(answer)
    submit = asyncio.ensure_future(adapter.submit(task()))
    await clock.settle()
    submit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submit
    assert await free(adapter)
    assert upstream.open_bodies == 0
    assert clock.next_due() is None


@pytest.mark.requirement("ADP-30", "AH-1004")
async def test_a_cancel_while_the_stream_is_being_given_out_is_never_lost(
    rig: Callable[..., Any], task: Callable[..., Any]
) -> None:
    """At every turn of the event loop between submit and the end: cancelled, no token afterwards, all given back."""
    rounds = 0
    for turns in range(40):
        adapter, upstream, _ = rig(Answer.events(chunk("a"), chunk("b"), chunk("c"), Stall(), done=False))
        late: list[str] = []
        acknowledged = False

        async def consume(adapter: Any = adapter, late: list[str] = late) -> str:
            try:
                stream = await adapter.submit(task())
            except TaskCancelled:
                return "cancelled"
            async with stream:
                async for event in stream:
                    # read while the round lasts
                    late.extend([event.text] * (event.kind == "token" and acknowledged))  # noqa: B023
            return str(stream.terminal.data["finish_reason"])

        consumer = asyncio.ensure_future(consume())
        for _ in range(turns):
            turn = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(turn.set_result, None)
            await turn
        began = bool(adapter._running)
        await adapter.cancel("t-1")
        acknowledged = True
        if not began:
            await adapter.aclose()
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)
            continue
        rounds += 1
        assert await consumer == "cancelled"
        assert late == []
        assert upstream.open_bodies == 0
        assert await free(adapter)
    assert rounds > 30
