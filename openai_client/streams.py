"""
Open streams of typed chunks, in both colours: the thin part that waits.

What the events mean is decided in `stream_reading`.

Spec: CLI-10, CLI-16
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from http_util.errors import HttpFailure
from http_util.frames import without_frames
from openai_client import moved_names
from openai_client.collecting import collector
from openai_client.error_mapping import from_failure
from openai_client.errors import InvalidState, OpenAIError
from openai_client.metadata import ResponseMetadata
from openai_client.moved_names import PointsOn
from openai_client.stream_reading import StreamReader, as_failure
from openai_client.text_deltas import AsyncTextDeltas, TextDeltas

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from http_util.clock import Clock, SyncClock
    from openai_client.collecting import AsyncCollects, Collects
    from openai_client.operation import StreamOperation
    from openai_client.request_writing import PreparedCall
    from openai_client.streaming.accumulator import Accumulator
    from openai_client.transport import AsyncEventSource, EventSource
else:
    # what they hold is for type checkers: the overloads of `collect`
    Collects = AsyncCollects = Generic

E = TypeVar("E")

LINGER: Final = 0.25
"""
Seconds for which an upstream may go on after a complete stream before its connection is closed instead of kept.
Blocking code cannot leave a read early: there the idle timer bounds it.
"""


class Stream(Collects[E], AbstractContextManager["Stream[E]"], PointsOn):
    """
    A streamed answer for blocking code. Entering makes the call, iterating yields chunks as they come, leaving closes.

    For one thread. Iteration ends when the stream says that it is complete, and raises when it ends otherwise.
    """

    _moved = moved_names.STREAM

    def __init__(
        self,
        operation: StreamOperation[E],
        connect: Callable[[], tuple[EventSource, PreparedCall]],
        clock: SyncClock,
    ) -> None:
        """
        Prepare the call; nothing is sent yet.

        Args:
            operation: The call.
            connect: Makes it and returns the open answer together with what was sent.
            clock: Tells the time.
        """
        self._operation = operation
        self._connect = connect
        self._clock = clock
        self._prepared: PreparedCall | None = None
        self._source: EventSource | None = None
        self._reader: StreamReader[E] | None = None
        self._body_ended = False
        self._is_entered = False
        self._is_begun = False
        self._is_closed = False

    def __del__(self) -> None:
        """Stop the upstream of a stream that is dropped open, and give its connection's place back."""
        _drop(self)

    def open(self) -> Self:
        """
        Make the call and wait for the head of its answer, outside of a block. Who calls this closes the stream.

        Raises:
            OpenAIError: The call failed.
        """
        if self._source is not None:
            raise _opened_twice()
        self._source, self._prepared = self._connect()
        self._reader = StreamReader(self._operation, self._source.head, self._prepared.secrets)
        return self

    def __enter__(self) -> Self:
        """
        Make the call, unless the stream is open, and wait for the head of its answer.

        Raises:
            OpenAIError: The call failed.
        """
        if self._is_entered:
            raise _opened_twice()
        self._is_entered = True
        return self.open() if self._source is None else self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def metadata(self) -> ResponseMetadata:
        """The head of the answer; there once the stream was entered."""
        return ResponseMetadata.of(_entered(self._source).head)

    def __iter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __next__(self) -> E:
        """
        Wait for the next chunk.

        Raises:
            StopIteration: The stream is complete.
            OpenAIError: It failed, reported an error, or stopped without saying that it is complete.
            InvalidState: It was closed before its end.
        """
        reader, source = _entered(self._reader), _entered(self._source)
        if self._is_closed and not reader.is_over:
            # what came with the last event is nobody's any more
            raise _closed()
        try:
            while (chunk := reader.take()) is None:
                if reader.is_complete:
                    self._read_to_end(source)
                    source.settle(None, reader.tokens)
                    raise StopIteration
                self._read(source, reader)
        except OpenAIError as error:
            # nobody can read on: the upstream is stopped now, and not when the block is left
            source.settle(as_failure(error))
            self.close()
            raise
        self._is_begun = True
        return chunk

    def text_deltas(self, into: Accumulator[E, object] | None = None) -> TextDeltas[E]:
        """
        Return an iterator over the pieces of text in what is still to come; of several choices the first counts.

        Args:
            into: Sees every event, those without text too, and so has the whole answer at the end.
        """
        return TextDeltas(self, into)

    if not TYPE_CHECKING:

        def collect(self, into: Accumulator[E, Any] | None = None) -> Any:
            """Read to the end and return the whole answer; see `openai_client.collecting.Collects`."""
            try:
                whole = collector(self._operation, into, is_begun=self._is_begun)
                if self._source is None:
                    self.open()
                for event in self:
                    whole.add(event)
            finally:
                self.close()
            return whole.partial()

    def _read(self, source: EventSource, reader: StreamReader[E]) -> None:
        """Wait for events, or the end of the body, and hand them to the reader."""
        try:
            events = source.next_events()
        except HttpFailure as failure:
            if self._is_closed:
                raise _closed() from None
            prepared = _entered(self._prepared)
            ended = prepared.ended_by(failure, self._clock.monotonic())
            raise from_failure(ended, prepared.secrets, prepared.quotes) from without_frames(failure)
        if events:
            reader.feed(events)
        else:
            self._body_ended = True
            reader.end(source.tail)

    def close(self) -> None:
        """Close the answer, whatever of it is unread. Safe to call twice."""
        if self._source is not None:
            self._is_closed = True
            self._source.close()

    def _read_to_end(self, source: EventSource) -> None:
        """Take the end of a complete answer off the connection, so that it can be used again."""
        if not self._body_ended:
            self._body_ended = True
            # the answer is complete: whatever its connection does now is nobody's failure
            with suppress(HttpFailure):
                source.next_events(timer="idle_timeout", at=self._clock.monotonic() + LINGER)


class AsyncStream(AsyncCollects[E], AbstractAsyncContextManager["AsyncStream[E]"], PointsOn):
    """
    A streamed answer on an event loop. Entering makes the call, iterating yields chunks as they come, leaving closes.

    For one task. Iteration ends when the stream says that it is complete, and raises when it ends otherwise.
    """

    _moved = moved_names.STREAM

    def __init__(
        self,
        operation: StreamOperation[E],
        connect: Callable[[], Awaitable[tuple[AsyncEventSource, PreparedCall]]],
        clock: Clock,
    ) -> None:
        """
        Prepare the call; nothing is sent yet.

        Args:
            operation: The call.
            connect: Makes it and returns the open answer together with what was sent.
            clock: Tells the time.
        """
        self._operation = operation
        self._connect = connect
        self._clock = clock
        self._prepared: PreparedCall | None = None
        self._source: AsyncEventSource | None = None
        self._reader: StreamReader[E] | None = None
        self._body_ended = False
        self._is_entered = False
        self._is_begun = False
        self._is_closed = False

    def __del__(self) -> None:
        """Stop the upstream of a stream that is dropped open, and give its connection's place back."""
        _drop(self)

    async def open(self) -> Self:
        """
        Make the call and wait for the head of its answer, outside of a block. Who calls this closes the stream.

        Raises:
            OpenAIError: The call failed.
        """
        if self._source is not None:
            raise _opened_twice()
        self._source, self._prepared = await self._connect()
        self._reader = StreamReader(self._operation, self._source.head, self._prepared.secrets)
        return self

    async def __aenter__(self) -> Self:
        """
        Make the call, unless the stream is open, and wait for the head of its answer.

        Raises:
            OpenAIError: The call failed.
        """
        if self._is_entered:
            raise _opened_twice()
        self._is_entered = True
        return await self.open() if self._source is None else self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    @property
    def metadata(self) -> ResponseMetadata:
        """The head of the answer; there once the stream was entered."""
        return ResponseMetadata.of(_entered(self._source).head)

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> E:
        """
        Wait for the next chunk.

        Raises:
            StopAsyncIteration: The stream is complete.
            OpenAIError: It failed, reported an error, or stopped without saying that it is complete.
            InvalidState: It was closed before its end.
        """
        reader, source = _entered(self._reader), _entered(self._source)
        if self._is_closed and not reader.is_over:
            # what came with the last event is nobody's any more
            raise _closed()
        try:
            while (chunk := reader.take()) is None:
                if reader.is_complete:
                    await self._read_to_end(source)
                    source.settle(None, reader.tokens)
                    raise StopAsyncIteration
                await self._read(source, reader)
        except OpenAIError as error:
            # nobody can read on: the upstream is stopped now, and not when the block is left
            source.settle(as_failure(error))
            await self.aclose()
            raise
        self._is_begun = True
        return chunk

    def text_deltas(self, into: Accumulator[E, object] | None = None) -> AsyncTextDeltas[E]:
        """
        Return an iterator over the pieces of text in what is still to come; of several choices the first counts.

        Args:
            into: Sees every event, those without text too, and so has the whole answer at the end.
        """
        return AsyncTextDeltas(self, into)

    if not TYPE_CHECKING:

        async def collect(self, into: Accumulator[E, Any] | None = None) -> Any:
            """Read to the end and return the whole answer; see `openai_client.collecting.AsyncCollects`."""
            try:
                whole = collector(self._operation, into, is_begun=self._is_begun)
                if self._source is None:
                    await self.open()
                async for event in self:
                    whole.add(event)
            finally:
                await self.aclose()
            return whole.partial()

    async def _read(self, source: AsyncEventSource, reader: StreamReader[E]) -> None:
        """Wait for events, or the end of the body, and hand them to the reader."""
        try:
            events = await source.next_events()
        except HttpFailure as failure:
            if self._is_closed:
                raise _closed() from None
            prepared = _entered(self._prepared)
            ended = prepared.ended_by(failure, self._clock.monotonic())
            raise from_failure(ended, prepared.secrets, prepared.quotes) from without_frames(failure)
        if events:
            reader.feed(events)
        else:
            self._body_ended = True
            reader.end(source.tail)

    async def aclose(self) -> None:
        """Close the answer, whatever of it is unread. Safe to call twice."""
        if self._source is not None:
            self._is_closed = True
            await self._source.aclose()

    async def _read_to_end(self, source: AsyncEventSource) -> None:
        """Take the end of a complete answer off the connection, so that it can be used again."""
        if not self._body_ended:
            self._body_ended = True
            # the answer is complete: whatever its connection does now is nobody's failure
            with suppress(HttpFailure):
                await source.next_events(timer="idle_timeout", at=self._clock.monotonic() + LINGER)


T = TypeVar("T")


def _closed() -> InvalidState:
    # what this side did is nobody else's failure
    return InvalidState("the stream was closed before its end", reason="closed")


def _drop(stream: Stream[Any] | AsyncStream[Any]) -> None:
    """Abandon what is left of *stream*, without waiting; whatever thread Python frees it in."""
    # what was never made has no attributes
    source = getattr(stream, "_source", None)
    if source is not None and not stream._is_closed and (drop := getattr(source, "drop", None)) is not None:  # noqa: SLF001 - a part of both
        drop()


def _opened_twice() -> InvalidState:
    return InvalidState("a stream can be entered once; make the call again for another one")


def _entered(part: T | None) -> T:
    """Return what entering has made, or say that it must come first."""
    if part is None:
        raise InvalidState("the stream is not open: use it in a with block")
    return part
