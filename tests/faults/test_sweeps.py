"""What a row cannot hold: a stream cut at each byte, a task stopped at each turn of the loop, a loop that ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from hyperframe import frame as frames

from adapter_api import Outcome, TaskCancelled, TaskRequest, WorkerError
from tests.faults.case import H1, H2, spelled
from tests.faults.footprint import Footprint, told
from tests.faults.groups.wire import DONE, HEAD, WHOLE, chunk, chunked, tokens
from tests.faults.run import SETTINGS, TASK
from tests.faults.upstreams import Http1, Http2, simulated
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from adapter_api import TokenEvent
    from tests.faults.upstreams import Place, Stage, Upstream
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = pytest.mark.integration


class Ending(NamedTuple):
    """How a task ended: its events, and what its failure says."""

    sequence: str
    reason: str | None = None
    outcome: Outcome | None = None


def task(task_id: str = "t-1", **fields: Any) -> TaskRequest:
    """A small task."""
    return TaskRequest(task_id=task_id, **{**TASK, **fields})


def adapter_at(place: Place, **settings: Any) -> OpenAIHttpAdapter:
    """An adapter for an upstream."""
    return OpenAIHttpAdapter(OpenAIHttpConfig(**{**SETTINGS, **place.settings, **settings}))


@asynccontextmanager
async def accounted(upstream: Upstream, protocol: str, stage: Stage) -> AsyncIterator[Place]:
    """Run an upstream, and see that nothing is left when all is done."""
    before = Footprint.taken()
    async with upstream.open(stage, protocol) as place:
        yield place
        await before.tasks_restored()
        await told(lambda: not place.is_open(), lambda: "the upstream still sees a connection or an exchange")
    await before.restored()


async def ending_of(adapter: OpenAIHttpAdapter, request: TaskRequest) -> Ending:
    """Run one task to its end."""
    try:
        opened = await adapter.submit(request)
    except WorkerError as error:
        return Ending("raised", error.reason, error.outcome)
    events = [event async for event in opened]
    assert (await adapter.props()).slots_free == 64
    last = events[-1].data
    return Ending(spelled(events), last.get("reason"), last.get("outcome"))


def ending_due(body: bytes) -> Ending:
    """
    How a stream must end that is cut behind *body*: what the standard and the rulings say, worked out by hand.

    >>> from tests.faults.groups.wire import stream
    >>> [ending_due(body).sequence for body in (b"", tokens(2)[:-1], stream(2)[:-2])]
    ['raised', 'started token*1 error', 'started token*2 end']
    """
    whole = body.split(b"\n\n")[:-1]
    spoken = sum(b'"content"' in event for event in whole)
    if any(b'"finish_reason": "stop"' in event for event in whole):
        return Ending(f"started token*{spoken} end")
    if not whole:
        return Ending("raised", "reset", Outcome.UNKNOWN)
    return Ending(f"started token*{spoken} error", "reset", Outcome.PARTIAL)


@pytest.mark.slow
@pytest.mark.requirement("ADP-23", "HTU-14")
async def test_an_answer_over_http1_cut_at_any_byte_has_the_ending_that_its_bytes_prove(stage: Stage) -> None:
    """Of the head, of the chunk's size, of each event, of the end: exactly what came whole is handed out."""
    at = 0

    async def cut(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(WHOLE[:at])
        connection.close()

    first = WHOLE.index(b"data: ")
    async with accounted(Http1(lambda: cut), H1, stage) as place:
        adapter = adapter_at(place, retry=None)
        for at in range(len(WHOLE) + 1):
            found = await ending_of(adapter, task(f"t-{at}"))
            assert found == ending_due(WHOLE[first:at] if at > first else b""), f"cut at byte {at}"
        await adapter.aclose()


@pytest.mark.slow
@pytest.mark.requirement("ADP-23", "HTU-14")
async def test_an_answer_over_http2_cut_at_any_byte_has_the_ending_that_its_frames_prove(stage: Stage) -> None:
    """A frame that is not whole tells nothing; what came in whole frames is handed out."""
    pieces = [tokens(1), chunk({"content": "x"}), chunk({}, "stop"), DONE]
    at = size = 0
    data = [frames.DataFrame(1, piece).serialize() for piece in pieces]
    data.append(frames.DataFrame(1, b"", flags=["END_STREAM"]).serialize())

    async def cut(stream_: Stream) -> None:
        nonlocal size
        await stream_.ended.wait()
        block = stream_.connection.block([(":status", "200"), ("content-type", "text/event-stream")])
        head = frames.HeadersFrame(1, block, flags=["END_HEADERS"]).serialize()
        size = len(head)
        stream_.connection.raw((head + b"".join(data))[:at])
        stream_.connection.close()

    async with accounted(Http2(cut), H2, stage) as place:
        adapter = adapter_at(place, retry=None)
        total = sum(map(len, data))
        for at in range(600 + total):
            found = await ending_of(adapter, task(f"t-{at}"))
            came, left = b"", at - size
            for piece, frame in zip(pieces, data, strict=False):
                left -= len(frame)
                came += piece if left >= 0 else b""
            assert found == ending_due(came), f"cut at byte {at}"
            if at > size + total:
                break
        await adapter.aclose()


# stopped at each turn of the loop


async def in_pieces(connection: Http1Connection) -> None:
    """Answer well, a turn of the loop between the pieces."""
    await connection.request()
    for piece in (HEAD + b"transfer-encoding: chunked\r\n\r\n", *(chunked(tokens(1))[:-5] for _ in range(5))):
        await connection.send(piece)
        await asyncio.sleep(0)
    await connection.send(chunked(chunk({}, "stop") + DONE))
    await connection.until_gone()


async def in_frames(stream_: Stream) -> None:
    """The same over HTTP/2."""
    await stream_.ended.wait()
    stream_.head(200, ("content-type", "text/event-stream"))
    for _ in range(5):
        stream_.data(tokens(1))
        await asyncio.sleep(0)
    stream_.data(chunk({}, "stop") + DONE, end=True)


UPSTREAMS: Final[dict[str, Upstream]] = {H1: Http1(lambda: in_pieces), H2: Http2(in_frames)}
FEWEST_TURNS: Final = 15
MOST_TURNS: Final = 400


@pytest.mark.slow
@pytest.mark.requirement("ADP-30", "ADP-31", "ERR-11")
@pytest.mark.parametrize("way", ["by its id", "by its task", "by closing"])
@pytest.mark.parametrize("protocol", [H1, H2])
async def test_a_task_can_be_stopped_at_any_turn_of_the_loop(protocol: str, way: str, stage: Stage) -> None:
    """From the call to the last event, at every single turn: one ending, in time, and nothing is left."""
    for turns in count():
        async with accounted(UPSTREAMS[protocol], protocol, stage) as place:
            adapter = adapter_at(place)
            was_over = await _stopped_after(turns, way, adapter)
            assert (await adapter.props()).slots_free == 64
            await adapter.aclose()
        if was_over:
            break
        assert turns < MOST_TURNS
    assert turns > FEWEST_TURNS


async def _stopped_after(turns: int, way: str, adapter: OpenAIHttpAdapter) -> bool:
    """Run a task and stop it after so many turns; whether it was over by then."""
    events: list[TokenEvent] = []

    async def run() -> None:
        opened = await adapter.submit(task())
        async for event in opened:
            events.append(event)  # noqa: PERF401 - each is there when the task is stopped

    running = asyncio.ensure_future(run())
    for _ in range(turns):
        await asyncio.sleep(0)
    was_over = running.done()
    if way == "by its id":
        await adapter.cancel("t-1")
    elif way == "by its task":
        running.cancel()
    else:
        await adapter.aclose()
    seen = len(events)
    try:
        await asyncio.wait_for(running, 2.0)
    except (TaskCancelled, asyncio.CancelledError):
        return was_over
    except WorkerError as error:
        if turns > 0 or error.reason != "closed":
            raise
        # the adapter was closed before the task came
        return was_over
    assert events[-1].kind == "end"
    if events[-1].data["finish_reason"] == "cancelled":
        assert spelled(events[seen:]) in ("", "end")
    return was_over


# a loop that ends


def _in_a_loop_of_its_own(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *main* as a program does, in a thread beside the loop of the test."""
    with asyncio.Runner() as runner:
        runner.run(main())


@pytest.mark.requirement("ADP-31", "ERR-11", "HTU-18")
@pytest.mark.parametrize("protocol", [H1, H2])
@pytest.mark.parametrize("closes", [True, False], ids=["closing", "forgetting"])
async def test_a_loop_that_shuts_down_stops_every_task_and_frees_every_socket(
    protocol: str, closes: bool, stage: Stage
) -> None:
    """As `asyncio.run` ends: what runs is cancelled, in whichever phase, and the upstream sees it go."""
    always = {"tokens_per_second": 100, "tokens": 5000}
    upstream = simulated({"stall": 30}, {"stall": 30, "stall_at": "body"}, always=always)
    before = Footprint.taken()
    async with upstream.open(stage, protocol) as place:

        async def main() -> None:
            adapter = adapter_at(place)

            async def run(number: int) -> None:
                async with await adapter.submit(task(f"t-{number}")) as opened:
                    async for _ in opened:
                        pass

            running = [asyncio.ensure_future(run(number)) for number in range(5)]
            await told(lambda: place.posts() == 5, lambda: "the requests do not come")
            assert not any(one.done() for one in running)
            if closes:
                await adapter.aclose()

        with warnings.catch_warnings():
            # whoever closes nothing is told so by asyncio
            warnings.simplefilter("default" if closes else "ignore", ResourceWarning)
            thread = threading.Thread(target=_in_a_loop_of_its_own, args=(main,))
            thread.start()
            await told(lambda: not thread.is_alive(), lambda: "the loop does not end")
            thread.join()
            gc.collect()
        await told(lambda: not place.is_open(), lambda: "the upstream still sees a connection or an exchange")
        assert place.posts() == 5
    await before.restored()
