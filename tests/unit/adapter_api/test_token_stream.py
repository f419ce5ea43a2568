import asyncio
import gc
import weakref
from typing import Never

import pytest

from adapter_api import InvalidTask, Outcome, TaskCancelled, TokenEvent, TokenStream, WorkerError, token

STARTED = TokenEvent("started", {"engine_version": "e-1"})
PROOF = {"decode_ms": 5, "evidence": "finish_reason", "usage": {"source": "none"}}
END = TokenEvent("end", {"tokens_out": 2, "finish_reason": "stop", **PROOF})
CANCELLED = TokenEvent("end", {"tokens_out": 1, "finish_reason": "cancelled", **PROOF})
WHOLE = [STARTED, token("a", 0), token("b", 1), END]


class Source:
    """
    Plays batches and failures, then waits until it is cancelled or closed; counts what is asked of it.

    With `obedient=False` it goes on playing after a cancel, as an adapter does that has data in hand.
    """

    def __init__(self, *steps: object, obedient: bool = True) -> None:
        self.steps = list(steps)
        self.obedient = obedient
        self.reads = self.cancels = self.closes = 0
        self.waiting = asyncio.Event()
        self.stopped = asyncio.Event()
        self.started = False
        self.interrupted: BaseException | None = None

    async def next_events(self) -> list[TokenEvent]:
        """The next step."""
        self.reads += 1
        if self.stopped.is_set() and self.obedient:
            return self.end_of_a_cancelled_task()
        if not self.steps:
            self.waiting.set()
            try:
                await self.stopped.wait()
            except BaseException as interruption:
                self.interrupted = interruption
                raise
            return self.end_of_a_cancelled_task()
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        self.started = True
        return step

    def end_of_a_cancelled_task(self) -> list[TokenEvent]:
        """The end, after `started` where that is still to come."""
        return [CANCELLED] if self.started else [STARTED, CANCELLED]

    async def cancel(self) -> None:
        """Stop."""
        self.cancels += 1
        self.stopped.set()

    async def aclose(self) -> None:
        """Stop for good."""
        self.closes += 1
        self.stopped.set()


def stream_of(*steps: object, **options: bool) -> tuple[TokenStream, Source]:
    """A stream and the source that it owns."""
    source = Source(*steps, **options)
    return TokenStream(source, task_id="t-1", origin="plugin-7"), source


async def rest_of(stream: TokenStream) -> list[TokenEvent]:
    """All that is left."""
    return [event async for event in stream]


def assert_one_error(events: list[TokenEvent], reason: str) -> None:
    """The last event is an `error` of that *reason*, and there is no other."""
    assert [event.kind for event in events].count("error") == 1
    assert events[-1].kind == "error"
    assert events[-1].data["reason"] == reason


@pytest.mark.requirement("ADP-02", "ADP-20")
@pytest.mark.parametrize("cut", range(1, 4))
async def test_events_come_out_one_by_one_in_order_however_they_are_batched(cut: int) -> None:
    """Started, tokens, end: the same events for every batching, and iteration stops right after the end."""
    stream, _ = stream_of(WHOLE[:cut], WHOLE[cut:])
    assert await rest_of(stream) == WHOLE
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert stream.terminal == END


@pytest.mark.requirement("ADP-20")
async def test_a_source_is_not_read_again_after_its_end() -> None:
    """The terminal event is the last that is asked for, by whatever way the stream is read."""
    stream, source = stream_of(WHOLE)
    await rest_of(stream)
    assert await rest_of(stream) == []
    assert await stream.next_batch() == []
    assert source.reads == 1


@pytest.mark.requirement("ADP-02")
async def test_the_terminal_event_is_known_once_it_was_handed_out() -> None:
    """Not when it is merely there."""
    stream, _ = stream_of(WHOLE)
    async for event in stream:
        assert stream.terminal is (event if event == END else None)


async def test_events_of_one_batch_come_without_a_turn_of_the_event_loop() -> None:
    """What one read brought is handed out at once: nothing else runs between two of its tokens."""
    stream, _ = stream_of(WHOLE)
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, "a turn")
    assert await rest_of(stream) == WHOLE
    assert turns == []


async def test_whole_batches_can_be_read() -> None:
    """`next_batch` gives everything that is there, also what iteration has left over, and then nothing."""
    stream, _ = stream_of(WHOLE[:2], WHOLE[2:])
    assert await anext(stream) == STARTED
    assert await stream.next_batch() == [token("a", 0)]
    assert stream.terminal is None
    assert await stream.next_batch() == [token("b", 1), END]
    assert stream.terminal == END
    assert await stream.next_batch() == []


@pytest.mark.requirement("OC-CTRL-2029", "ADP-20")
@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ([[token("a", 0)]], "token is out of order in a stream that is new"),
        ([[STARTED], [STARTED]], "started is out of order in a stream that is running"),
        ([[STARTED, token("a", 1)]], "expected token 0, got token 1"),
        ([[STARTED, token("a", 0)], [token("a", 0)]], "expected token 1, got token 0"),
        ([[*WHOLE, token("c", 2)]], "token is out of order in a stream that is ended"),
        ([[STARTED], []], "the stream stopped without end or error"),
        ([[]], "the stream stopped without end or error"),
    ],
)
async def test_a_source_that_breaks_the_order_ends_in_one_error_that_names_it(
    steps: list[list[TokenEvent]], names: str
) -> None:
    """The adapter is named, its source closed, nothing follows."""
    stream, source = stream_of(*steps)
    events = await rest_of(stream)
    assert_one_error(events, "order_violation")
    assert events[-1].data["message"] == f"plugin-7: {names}"
    assert (events[-1].data["code"], events[-1].data["retriable"]) == ("INTERNAL", False)
    assert source.closes == 1
    assert await rest_of(stream) == []


@pytest.mark.requirement("OC-CTRL-2028", "OC-CTRL-2029")
async def test_a_worker_error_inside_a_stream_becomes_its_error_event() -> None:
    """An adapter that raises instead of giving an `error` is understood all the same, with every fact."""
    error = WorkerError("reset", "the connection broke", streaming=True, outcome=Outcome.PARTIAL, retry_after_ms=5)
    stream, source = stream_of([STARTED, token("a", 0)], error)
    events = await rest_of(stream)
    assert events[:2] == [STARTED, token("a", 0)]
    assert events[2:] == [TokenEvent("error", error.payload())]
    assert source.closes == 1
    with pytest.raises(WorkerError) as caught:
        stream.raise_for_error()
    assert caught.value == error


@pytest.mark.requirement("OC-CTRL-2028", "OC-CTRL-2029")
@pytest.mark.parametrize("bug", [ValueError("sk-secret"), KeyError("sk-secret"), TimeoutError("sk-secret"), EOFError()])
async def test_whatever_a_source_raises_becomes_one_error_without_its_words(bug: Exception) -> None:
    """A bug in an adapter is reported as internal, names the adapter, and shows nothing of what it says."""
    stream, source = stream_of([STARTED], bug)
    events = await rest_of(stream)
    assert_one_error(events, "internal")
    assert events[-1].data["message"] == "plugin-7 failed inside a stream"
    assert "sk-secret" not in str(events[-1].data)
    assert source.closes == 1


@pytest.mark.parametrize("rubbish", [None, 5, "ab", [None], [("token", {})], [TokenEvent("token", None)]])
async def test_a_source_that_gives_no_events_at_all_ends_in_one_error(rubbish: object) -> None:
    """What is no list of events is a bug of the adapter, not of its consumer."""
    stream, source = stream_of([STARTED], rubbish)
    events = await rest_of(stream)
    assert events[-1].kind == "error"
    assert source.closes == 1


@pytest.mark.requirement("OC-CTRL-2028")
async def test_a_source_that_fails_to_close_after_a_failure_still_ends_in_one_error() -> None:
    """The second failure does not hide the first."""
    stream, source = stream_of([STARTED], ValueError())

    async def fail() -> Never:
        source.closes += 1
        raise OSError("sk-secret")

    source.aclose = fail
    events = await rest_of(stream)
    assert_one_error(events, "internal")
    assert source.closes == 1
    assert await rest_of(stream) == []


@pytest.mark.requirement("ADP-31")
async def test_a_broken_source_is_not_read_again_when_its_reader_is_cancelled_meanwhile() -> None:
    """The consumer may be cancelled while the source closes; the stream is over all the same."""
    stream, source = stream_of([STARTED], ValueError())
    closing = asyncio.Event()

    async def hang() -> None:
        closing.set()
        await asyncio.Event().wait()

    source.aclose = hang
    reader = asyncio.create_task(rest_of(stream))
    await closing.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await rest_of(stream) == []
    assert source.reads == 2


@pytest.mark.requirement("ADP-30", "WA-INT-3002")
@pytest.mark.parametrize("read", range(4))
async def test_after_a_cancel_no_token_is_delivered(read: int) -> None:
    """At every point of a batch that is already there: no token, then `end` with finish_reason cancelled."""
    stream, source = stream_of(WHOLE)
    for _ in range(read):
        await anext(stream)
    await stream.cancel()
    rest = await rest_of(stream)
    assert [event.kind for event in rest] == (["end"] if read else ["started", "end"])
    assert rest[-1].data["finish_reason"] == "cancelled"
    assert stream.terminal == rest[-1]
    assert source.cancels == 1


@pytest.mark.requirement("ADP-30", "WA-INT-3002")
async def test_a_cancel_before_the_first_read_ends_the_stream() -> None:
    """Early is not too early: what the source gives is the end alone."""
    stream, source = stream_of([STARTED], obedient=False)
    await stream.cancel()
    assert await rest_of(stream) == [STARTED, CANCELLED]
    assert source.cancels == 1


@pytest.mark.requirement("ADP-30", "WA-INT-3002", "AH-1004")
async def test_a_source_with_tokens_in_hand_is_not_heard_after_a_cancel() -> None:
    """Tokens, metrics: whatever comes after a cancel is dropped, however many batches, up to the terminal event."""
    late = [[token("x", index)] for index in range(2000)]
    stream, source = stream_of([STARTED], *late, [TokenEvent("metrics", {}), END], obedient=False)
    assert await anext(stream) == STARTED
    await stream.cancel()
    assert await rest_of(stream) == [TokenEvent("end", {**END.data, "finish_reason": "cancelled"})]
    assert source.reads == 2002


@pytest.mark.requirement("ADP-30", "AH-1004")
async def test_a_cancel_from_another_task_wakes_the_reader() -> None:
    """A consumer that waits gets the end, and the source is told once per cancel."""
    stream, source = stream_of([STARTED])
    reader = asyncio.create_task(rest_of(stream))
    await source.waiting.wait()
    await stream.cancel()
    assert await reader == [STARTED, CANCELLED]
    assert source.cancels == 1


@pytest.mark.requirement("ADP-30")
async def test_a_cancel_works_twice_and_after_the_end() -> None:
    """A late cancel changes nothing that was handed out."""
    stream, source = stream_of(WHOLE)
    await rest_of(stream)
    await stream.cancel()
    await stream.cancel()
    assert await rest_of(stream) == []
    assert stream.terminal == END
    assert source.cancels == 2


@pytest.mark.requirement("ADP-30")
async def test_an_error_that_is_there_when_a_task_is_cancelled_stays_an_error() -> None:
    """A cancel does not turn a failure into a clean end."""
    failure = TokenEvent("error", WorkerError("truncated", "no end").payload())
    stream, _ = stream_of([STARTED, token("a", 0), failure])
    assert await anext(stream) == STARTED
    await stream.cancel()
    assert await rest_of(stream) == [failure]


@pytest.mark.requirement("AH-1004")
async def test_an_adapter_can_stop_the_delivery_without_touching_its_source() -> None:
    """`stop_delivery` is at once and complete: no token, the source is not called, the end still comes."""
    stream, source = stream_of(WHOLE[:3], [END])
    assert await anext(stream) == STARTED
    stream.stop_delivery()
    stream.stop_delivery()
    assert (source.cancels, source.closes) == (0, 0)
    assert await rest_of(stream) == [TokenEvent("end", {**END.data, "finish_reason": "cancelled"})]


@pytest.mark.requirement("AH-1004")
async def test_stopping_the_delivery_does_not_alter_the_sources_own_events() -> None:
    """The end that says cancelled is a new event."""
    stream, _ = stream_of(WHOLE)
    await anext(stream)
    stream.stop_delivery()
    await rest_of(stream)
    assert END.data["finish_reason"] == "stop"


@pytest.mark.requirement("ADP-31", "ADP-02")
async def test_leaving_the_block_early_closes_the_source() -> None:
    """Dropping a stream stops the work upstream, and what was there is gone."""
    stream, source = stream_of(WHOLE)
    async with stream as same:
        assert same is stream
        await anext(stream)
        assert source.closes == 0
    assert source.closes == 1
    assert await rest_of(stream) == []
    assert stream.terminal is None


@pytest.mark.requirement("ADP-31")
async def test_an_exception_inside_the_block_closes_the_source_and_goes_on() -> Never:
    """A consumer's failure is its own, and leaks nothing."""
    stream, source = stream_of(WHOLE)
    with pytest.raises(LookupError):
        async with stream:
            raise LookupError
    assert source.closes == 1


@pytest.mark.requirement("ADP-31")
async def test_a_stream_can_be_closed_early_and_twice() -> None:
    """Before the first read, and again: nothing comes out, nothing is read."""
    stream, source = stream_of(WHOLE)
    await stream.aclose()
    await stream.aclose()
    assert await rest_of(stream) == []
    assert await stream.next_batch() == []
    assert source.reads == 0
    assert source.closes == 2


@pytest.mark.requirement("ADP-31")
async def test_a_stream_that_ran_to_its_end_closes_its_source_with_the_block() -> None:
    """The stream owns the source to the last."""
    stream, source = stream_of(WHOLE)
    async with stream:
        await rest_of(stream)
        assert source.closes == 0
    assert source.closes == 1


@pytest.mark.requirement("ADP-31")
async def test_closing_from_another_task_ends_the_reader() -> None:
    """A consumer that waits stops without an event."""
    stream, source = stream_of([STARTED])
    reader = asyncio.create_task(rest_of(stream))
    await source.waiting.wait()
    await stream.aclose()
    assert await reader == [STARTED]
    assert stream.terminal is None


@pytest.mark.requirement("ADP-31")
async def test_a_source_that_fails_because_it_was_closed_is_not_reported() -> None:
    """Nobody listens any more: the reader just stops."""
    stream, source = stream_of([STARTED])

    async def broken() -> Never:
        source.waiting.set()
        await source.stopped.wait()
        raise OSError("closed")

    assert await anext(stream) == STARTED
    source.next_events = broken
    reader = asyncio.create_task(rest_of(stream))
    await source.waiting.wait()
    await stream.aclose()
    assert await reader == []


@pytest.mark.requirement("ADP-31")
async def test_cancelling_the_consuming_task_reaches_the_source_and_goes_on() -> None:
    """The cancellation is not swallowed: the source sees it, the block closes, the task is cancelled."""
    stream, source = stream_of([STARTED])

    async def consume() -> None:
        async with stream:
            await rest_of(stream)

    consumer = asyncio.create_task(consume())
    await source.waiting.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert isinstance(source.interrupted, asyncio.CancelledError)
    assert source.closes == 1


@pytest.mark.requirement("ADP-31")
async def test_after_its_reader_was_cancelled_a_stream_may_be_read_by_another() -> None:
    """An interrupted read leaves no lock behind."""
    stream, source = stream_of([STARTED])
    reader = asyncio.create_task(rest_of(stream))
    await source.waiting.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await stream.cancel()
    assert await rest_of(stream) == [CANCELLED]


async def test_a_read_that_is_thrown_away_leaves_the_stream_usable() -> None:
    """Closing the waiting coroutine itself raises nothing and leaves no lock behind."""
    stream, source = stream_of([STARTED])
    await anext(stream)
    waiting = stream.__anext__()
    waiting.send(None)
    waiting.close()
    assert isinstance(source.interrupted, GeneratorExit)
    await stream.cancel()
    assert await rest_of(stream) == [CANCELLED]


@pytest.mark.parametrize("read", ["__anext__", "next_batch"])
async def test_a_second_consumer_is_refused(read: int) -> None:
    """A stream has one reader at a time; the other is told so and takes no event away."""
    stream, source = stream_of([STARTED])
    reader = asyncio.create_task(rest_of(stream))
    await source.waiting.wait()
    with pytest.raises(RuntimeError, match="one consumer, and a read of it is under way"):
        await getattr(stream, read)()
    await stream.cancel()
    assert await reader == [STARTED, CANCELLED]


async def test_a_whole_answer_is_collected_by_channel() -> None:
    """Text is joined, every channel apart; the end's payload comes along and the source is closed."""
    reasoning = TokenEvent("token", {"t": "hm", "i": 1, "channel": "reasoning"})
    stream, source = stream_of([STARTED, token("a", 0), reasoning], [token("b", 2), TokenEvent("metrics", {}), END])
    answer = await stream.collect()
    assert (answer.text, answer.tokens, answer.finish_reason) == ("ab", 3, "stop")
    assert answer.channels == {"text": "ab", "reasoning": "hm"}
    assert answer.end == END.data
    assert source.closes == 1


async def test_an_answer_without_a_token_is_empty() -> None:
    """No token is no failure."""
    stream, _ = stream_of([STARTED, TokenEvent("end", {"tokens_out": 0, "finish_reason": None, **PROOF})])
    answer = await stream.collect()
    assert (answer.text, answer.tokens, answer.finish_reason) == ("", 0, None)


def test_an_answer_does_not_show_its_text() -> None:
    """What was generated may be private: it is not in the repr."""
    stream, _ = stream_of([STARTED, token("secret", 0), END])
    assert "secret" not in repr(asyncio.run(stream.collect()))


@pytest.mark.requirement("OC-CTRL-2028")
async def test_collecting_a_stream_that_fails_raises_its_error() -> None:
    """A part of an answer is never taken for the whole."""
    error = WorkerError("truncated", "no end", streaming=True, outcome=Outcome.PARTIAL)
    stream, source = stream_of([STARTED, token("a", 0), TokenEvent("error", error.payload())])
    with pytest.raises(WorkerError) as caught:
        await stream.collect()
    assert caught.value == error
    assert source.closes == 1


async def test_collecting_a_stream_that_is_closed_meanwhile_raises() -> None:
    """A stream that was closed by another has no whole answer."""
    stream, source = stream_of([STARTED, token("a", 0)])
    collecting = asyncio.create_task(stream.collect())
    await source.waiting.wait()
    await stream.aclose()
    with pytest.raises(TaskCancelled, match="closed before its end"):
        await collecting


async def test_an_answer_is_collected_once() -> None:
    """A second time there would be nothing to read, and that is not an empty answer."""
    stream, _ = stream_of(WHOLE)
    await stream.collect()
    with pytest.raises(RuntimeError, match="has been read already"):
        await stream.collect()


async def test_a_cancelled_answer_says_so() -> None:
    """`collect` gives what came, with finish_reason cancelled."""
    stream, source = stream_of([STARTED, token("a", 0)])
    collecting = asyncio.create_task(stream.collect())
    await source.waiting.wait()
    await stream.cancel()
    answer = await collecting
    assert (answer.text, answer.finish_reason) == ("a", "cancelled")


@pytest.mark.parametrize("read", range(5))
async def test_a_stream_without_an_error_raises_none(read: int) -> None:
    """`raise_for_error` is silent before the end, and after a good one."""
    stream, _ = stream_of(WHOLE)
    for _ in range(min(read, 4)):
        await anext(stream)
    assert stream.raise_for_error() is None


async def test_an_invalid_task_that_a_source_raises_late_is_an_error_event_too() -> None:
    """Every `WorkerError` is one."""
    stream, _ = stream_of([STARTED], InvalidTask("prompt", "too late"))
    assert_one_error(await rest_of(stream), "invalid_task")


async def test_the_repr_of_a_stream_tells_where_it_stands_and_nothing_of_its_content() -> None:
    """Task, adapter, state and the count of tokens."""
    stream, _ = stream_of([STARTED, token("secret", 0)])
    assert repr(stream) == "<TokenStream 't-1' of plugin-7: new, 0 tokens>"
    await anext(stream)
    assert repr(stream) == "<TokenStream 't-1' of plugin-7: running, 1 tokens>"
    await stream.aclose()
    assert repr(stream) == "<TokenStream 't-1' of plugin-7: closed, 1 tokens>"
    assert (stream.task_id, stream.origin) == ("t-1", "plugin-7")


@pytest.mark.requirement("SSE-1004")
async def test_a_stream_reads_no_further_than_it_is_read() -> None:
    """No queue: as long as events of a batch are left, the source is not asked for more."""
    stream, source = stream_of(*[[event] for event in WHOLE])
    for read in range(1, 5):
        await anext(stream)
        assert source.reads == read


async def test_a_stream_that_is_done_holds_neither_events_nor_cycles() -> None:
    """When the last reference goes, stream and source go at once, without the garbage collector."""
    gc.disable()
    try:
        stream, source = stream_of(WHOLE)
        async with stream:
            await rest_of(stream)
        assert list(stream._ready) == []
        gone = weakref.ref(source)
        del stream, source
        assert gone() is None
    finally:
        gc.enable()
