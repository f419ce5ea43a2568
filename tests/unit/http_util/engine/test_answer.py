"""An answer between the callbacks that fill it and the task that reads it."""

from __future__ import annotations

import asyncio
import tracemalloc

import httpx
import pytest

from http_util.engine.answer import Answer
from http_util.engine.errors import Disconnected, Elsewhere, Unprocessed
from http_util.engine.faults import FaultKind, StreamFault
from tests.shown_errors import with_locals


class Source:
    """A connection that notes what it is told."""

    def __init__(self) -> None:
        self.taken_sizes: list[int] = []
        self.abandoned = 0
        self.told: asyncio.Future[None] | None = None

    def taken(self, size: int) -> None:
        self.taken_sizes.append(size)

    def abandon(self) -> asyncio.Future[None] | None:
        self.abandoned += 1
        return self.told


def expected(*, read_timeout: float | None = None) -> tuple[Answer, Source]:
    """Return an answer of which nothing has come."""
    source = Source()
    return Answer(asyncio.get_running_loop(), source, read_timeout=read_timeout), source


async def waiting(work) -> asyncio.Task:
    """Return the task of *work*, which has begun to wait."""
    task = asyncio.ensure_future(work)
    await turns()
    assert not task.done()
    return task


async def turns(count: int = 3) -> None:
    """Let others run."""
    for _ in range(count):
        await asyncio.sleep(0)  # noqa: TID251 - turns of the loop, no time


async def test_what_is_there_is_read_without_waiting_and_in_one_piece() -> None:
    """Head, pieces and end that came before anybody asked."""
    answer, source = expected()
    answer.on_head(200, [(b"a", b"b")])
    answer.on_data(b"one")
    answer.on_data(b"two")
    answer.on_end()
    reading = answer.head(None), answer.next_piece(), answer.next_piece(), answer.next_piece()
    results = []
    for step in reading:
        with pytest.raises(StopIteration) as done:
            step.send(None)
        results.append(done.value.value)
    assert results == [None, b"onetwo", None, None]
    assert (answer.status, answer.headers, source.taken_sizes, source.abandoned) == (200, [(b"a", b"b")], [], 0)


async def test_the_source_hears_of_what_was_taken_by_the_sixteen_kibibytes() -> None:
    """Not of every token; and what it has not heard of is never so much that a peer would have to stop for it."""
    answer, source = expected()
    for _ in range(2):
        answer.on_data(b"x" * 16_000)
        assert await answer.next_piece()
    assert (source.taken_sizes, answer.untold) == ([32_000], 0)
    answer.on_data(b"y" * 16_383)
    assert await answer.next_piece()
    assert (source.taken_sizes, answer.untold) == ([32_000], 16_383)
    answer.on_data(b"z")
    assert await answer.next_piece() == b"z"
    assert source.taken_sizes == [32_000, 16_384]


async def test_taking_does_not_wait() -> None:
    """Empty while nothing is there, None at the end; `news` is done with the first that comes."""
    answer, _ = expected()
    assert answer.take() == b""
    news = answer.news()
    answer.on_data(b"a")
    answer.on_data(b"b")
    await news
    assert [answer.take(), answer.take()] == [b"ab", b""]
    answer.on_end()
    assert answer.take() is None


async def test_news_of_what_is_there_is_no_wait() -> None:
    """Whoever asks again before it has taken everything, or behind the end, does not hang."""
    answer, _ = expected()
    answer.on_data(b"a")
    assert answer.news().done()
    assert answer.take() == b"a"
    assert not answer.news().done()
    answer.fail(Disconnected("cut"))
    assert answer.news().done()
    with pytest.raises(Disconnected):
        answer.take()


async def test_a_reader_that_waits_is_woken_by_what_comes() -> None:
    """One wake-up, however many pieces came meanwhile."""
    answer, _ = expected()
    head = await waiting(answer.head(answer.read_timeout))
    answer.on_head(200, [])
    await head
    read = await waiting(answer.next_piece())
    answer.on_data(b"a")
    answer.on_data(b"b")
    assert answer.untold == 2
    assert await read == b"ab"
    read = await waiting(answer.next_piece())
    answer.on_end()
    assert await read is None


@pytest.mark.requirement("ERR-09")
@pytest.mark.parametrize(
    ("kind", "exception"),
    [
        (FaultKind.UNPROCESSED, Unprocessed),
        (FaultKind.RESET, Disconnected),
        (FaultKind.PROTOCOL, httpx.RemoteProtocolError),
        (FaultKind.TOO_LARGE, httpx.RemoteProtocolError),
    ],
)
async def test_a_fault_is_met_behind_the_pieces_before_it_and_stays(
    kind: FaultKind, exception: type[Exception]
) -> None:
    """By the reader of the body, and by who still waits for the head."""
    answer, source = expected()
    answer.on_head(200, [])
    answer.on_data(b"a")
    answer.on_fault(StreamFault(kind, "why"))
    assert await answer.next_piece() == b"a"
    for _ in range(2):
        with pytest.raises(exception, match="why") as caught:
            await answer.next_piece()
        assert type(caught.value) is exception
    await answer.aclose()
    assert source.abandoned == 0
    headless, _ = expected()
    head = await waiting(headless.head(None))
    headless.on_fault(StreamFault(kind, "why"))
    with pytest.raises(exception, match="why"):
        await head


async def test_only_the_first_ending_counts() -> None:
    """A connection that closes behind a complete answer is no failure of it."""
    answer, _ = expected()
    answer.on_head(200, [])
    answer.on_end()
    answer.fail(Disconnected("late"))
    assert await answer.next_piece() is None


async def test_an_answer_that_ends_before_its_head_is_a_failure() -> None:
    """It must not hang."""
    answer, _ = expected()
    answer.on_end()
    with pytest.raises(Disconnected):
        await answer.head(None)


@pytest.mark.requirement("HTU-14")
async def test_a_read_that_is_cancelled_may_be_repeated() -> None:
    """It has read nothing, and abandoned nothing; a consumer may poll."""
    answer, source = expected()
    answer.on_head(200, [])
    for _ in range(3):
        task = await waiting(answer.next_piece())
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
    answer.on_data(b"a")
    assert await answer.next_piece() == b"a"
    assert source.abandoned == 0


@pytest.mark.requirement("HTU-14")
async def test_an_iteration_that_is_cancelled_abandons_the_answer_at_once() -> None:
    """As httpx's users expect of a body: they have no other way to say so."""
    answer, source = expected()
    answer.on_head(200, [])
    task = await waiting(anext(aiter(answer)))
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert (source.abandoned, answer.is_over) == (1, True)
    with pytest.raises(httpx.StreamClosed):
        await answer.next_piece()


async def test_closing_ends_a_read_of_another_task() -> None:
    """It does not wait for ever."""
    answer, source = expected()
    answer.on_head(200, [])
    task = await waiting(answer.next_piece())
    await answer.aclose()
    with pytest.raises(httpx.StreamClosed):
        await task
    assert source.abandoned == 1


async def test_something_may_still_come_between_a_cancellation_and_its_delivery() -> None:
    """The callbacks do not stumble over a waiter that is over."""
    answer, source = expected()
    task = await waiting(answer.next_piece())
    task.cancel()
    answer.on_head(200, [])
    answer.on_data(b"late")
    answer.on_room()
    answer.on_end()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert source.abandoned == 0


async def test_closing_abandons_once_and_waits_until_the_peer_can_know() -> None:
    """A second close finds nothing to do."""
    answer, source = expected()
    answer.on_head(200, [])
    answer.on_data(b"unread")
    source.told = asyncio.get_running_loop().create_future()
    closing = await waiting(answer.aclose())
    source.told.set_result(None)
    await closing
    await answer.aclose()
    assert source.abandoned == 1
    with pytest.raises(httpx.StreamClosed):
        await answer.next_piece()


async def test_closing_a_complete_answer_abandons_nothing() -> None:
    """Its connection has long been given back."""
    answer, source = expected()
    answer.on_head(200, [])
    answer.on_data(b"unread")
    answer.on_end()
    await answer.aclose()
    assert source.abandoned == 0
    assert await answer.next_piece() is None


async def test_two_readers_at_once_are_refused() -> None:
    """The second one; the first goes on."""
    answer, _ = expected()
    first = await waiting(answer.next_piece())
    with pytest.raises(RuntimeError, match="one reader"):
        await answer.next_piece()
    answer.on_data(b"a")
    assert await first == b"a"


async def test_iteration_gives_every_piece_and_then_stops() -> None:
    """As httpx wants it."""
    answer, _ = expected()
    answer.on_head(200, [])
    answer.on_data(b"a")
    seen = []
    async for piece in answer:
        seen.append(piece)
        answer.on_data(b"b") if len(seen) == 1 else answer.on_end()
    assert seen == [b"a", b"b"]


class SlowLoop:
    """The loop's clock and timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback) -> Timer:
        self.timers.append(Timer(when, callback, self.timers))
        return self.timers[-1]

    def move(self, seconds: float) -> None:
        """Let time pass, and ring what is due."""
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.at <= self.now]:
            self.timers.remove(timer)
            timer.callback()


@pytest.fixture
def slow_loop(monkeypatch: pytest.MonkeyPatch) -> SlowLoop:
    """Return a loop that its answers take for the one they run in."""
    loop = SlowLoop()
    monkeypatch.setattr("http_util.engine.answer.get_running_loop", lambda: loop)
    return loop


class Timer:
    """A timer of `SlowLoop`."""

    def __init__(self, at: float, callback, timers: list) -> None:
        self.at, self.callback, self._timers = at, callback, timers

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self._timers.remove(self)


@pytest.mark.requirement("HTU-1001")
async def test_each_wait_has_the_whole_read_timeout_and_all_share_one_timer(slow_loop: SlowLoop) -> None:
    """A read that is served puts the end off; one that is not ends in a read timeout, and the answer is abandoned."""
    source = Source()
    answer = Answer(slow_loop, source, read_timeout=10)
    answer.on_head(200, [])
    for _ in range(3):
        read = await waiting(answer.next_piece())
        assert len(slow_loop.timers) == 1
        slow_loop.move(6)
        assert not read.done()
        answer.on_data(b"a")
        assert await read == b"a"
    read = await waiting(answer.next_piece())
    slow_loop.move(9.9)
    await turns()
    assert not read.done()
    slow_loop.move(0.2)
    with pytest.raises(httpx.ReadTimeout):
        await read
    assert source.abandoned == 1
    assert slow_loop.timers == []


async def test_a_timer_that_rings_while_nobody_waits_is_not_missed_later(slow_loop: SlowLoop) -> None:
    """The next wait arms it anew."""
    answer = Answer(slow_loop, Source(), read_timeout=10)
    answer.on_head(200, [])
    read = await waiting(answer.next_piece())
    answer.on_data(b"a")
    await read
    slow_loop.move(20)
    assert slow_loop.timers == []
    read = await waiting(answer.next_piece())
    slow_loop.move(10)
    with pytest.raises(httpx.ReadTimeout):
        await read


async def test_a_shorter_bound_is_not_kept_waiting_by_a_longer_one(slow_loop: SlowLoop) -> None:
    """A write has another timeout than a read; and a wait without one is not ended by the timer of the one before."""
    answer = Answer(slow_loop, Source(), read_timeout=50)
    read = await waiting(answer.head(answer.read_timeout))
    answer.on_head(200, [])
    await read
    write = await waiting(answer.change(5, httpx.WriteTimeout))
    slow_loop.move(5)
    with pytest.raises(httpx.WriteTimeout):
        await write
    patient = Answer(slow_loop, Source(), read_timeout=None)
    write = await waiting(patient.change(5, httpx.WriteTimeout))
    patient.on_room()
    await write
    read = await waiting(patient.head(patient.read_timeout))
    slow_loop.move(60)
    await turns()
    assert not read.done()
    patient.on_head(200, [])
    await read


async def test_no_timer_is_left_behind_an_answer(slow_loop: SlowLoop) -> None:
    """Neither at its end, nor when it is closed."""
    for is_read in (True, False):
        answer = Answer(slow_loop, Source(), read_timeout=10)
        read = await waiting(answer.head(answer.read_timeout))
        answer.on_head(200, [])
        await read
        answer.on_end()
        if is_read:
            assert await answer.next_piece() is None
        else:
            await answer.aclose()
        assert slow_loop.timers == []


async def test_no_frame_of_an_iteration_that_breaks_off_holds_a_piece() -> None:
    """What was handed out is the reader's; a traceback with locals shows nothing of it."""
    answer, _ = expected()
    answer.on_head(200, [])
    pieces = aiter(answer)
    for said in (b"the first token", b"the second token"):
        answer.on_data(said)
        assert await anext(pieces) == said
    answer.on_fault(StreamFault(FaultKind.RESET, "gone"))
    with pytest.raises(Disconnected) as caught:
        await anext(pieces)
    assert "__aiter__" in [entry.name for entry in caught.traceback]
    assert "token" not in with_locals(caught.value)


async def test_many_small_pieces_take_about_the_memory_of_their_bytes() -> None:
    """Sent by twos, they fill a window and not twenty; the reader gets the same."""
    answer, _ = expected()
    sent = [b"%02d" % (number % 100) for number in range(100_000)]
    tracemalloc.start()
    try:
        for piece in sent:
            # as a read brings it: an object of its own
            answer.on_data(bytes(bytearray(piece)))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 2 * 200_000
    assert await answer.next_piece() == b"".join(sent)
    answer.on_data(b"more")
    assert await answer.next_piece() == b"more"


async def test_another_loop_cannot_read_an_answer_and_closes_it_soon() -> None:
    """The read says so; the answer is abandoned in its own loop."""
    answer, source = expected()
    answer.on_head(200, [])
    with pytest.raises(Elsewhere, match="in another event loop"):
        await asyncio.to_thread(asyncio.run, answer.next_piece())
    answer.on_data(bytes(100_000))
    with pytest.raises(Elsewhere, match="in another event loop"):
        await asyncio.to_thread(asyncio.run, answer.next_piece())
    assert source.taken_sizes == []
    await asyncio.to_thread(asyncio.run, answer.aclose())
    await turns()
    assert source.abandoned == 1
    headless, _ = expected()
    with pytest.raises(Elsewhere, match="in another event loop"):
        await asyncio.to_thread(asyncio.run, headless.head(1))
