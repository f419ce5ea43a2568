"""
Binary answers of any size, in both colours: read piece by piece, or written to a file that appears when it is whole.

An answer that stops before its end raises; it never passes for a short file. `max_response_bytes` bounds `read` alone.

Spec: CLI-17, CLI-16
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, closing
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from http_util.errors import HttpFailure
from http_util.frames import without_frames
from http_util.streamed_body import Progress
from openai_client.binary_content import BinaryContent
from openai_client.error_mapping import from_failure
from openai_client.errors import InvalidState
from openai_client.metadata import ResponseMetadata
from openai_client.saving import NewFile

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from types import TracebackType

    from http_util.clock import Clock, SyncClock
    from openai_client.request_writing import PreparedCall
    from openai_client.transport import AsyncByteSource, ByteSource

    OnProgress = Callable[[int, int | None], object]

T = TypeVar("T")

_WRITE_BYTES: Final = 256 * 1024
"""Bytes that an event loop gathers before a thread is asked to write them."""


class _Transfer:
    """What both colours of a download know."""

    def __init__(self, clock: Clock | SyncClock, on_progress: OnProgress | None) -> None:
        self._clock = clock
        self._on_progress = on_progress
        self._prepared: PreparedCall | None = None
        self._is_read = False
        self._is_closed = False

    def __del__(self) -> None:
        """Stop the upstream of a download that is dropped open, without waiting, in whatever thread Python frees it."""
        # what was never made has no attributes
        source = getattr(self, "_source", None)
        if source is not None and not self._is_closed and (drop := getattr(source, "drop", None)) is not None:
            drop()

    def _begun(self, length: int | None, on_progress: OnProgress | None) -> Progress:
        """Begin to read; an answer is there once."""
        if self._is_read:
            raise InvalidState("a download can be read once; make the call again to read it again")
        self._is_read = True
        return Progress(on_progress or self._on_progress, length)

    def _error(self, failure: HttpFailure) -> Exception:
        """Return the leaf for what broke the answer."""
        if self._is_closed:
            # what this side did is nobody else's failure
            return InvalidState("the download was closed before its end", reason="closed")
        prepared = _entered(self._prepared)
        return from_failure(prepared.ended_by(failure, self._clock.monotonic()), prepared.secrets, prepared.quotes)


class Download(_Transfer, AbstractContextManager["Download"]):
    """
    A binary answer for blocking code. Entering makes the call, leaving closes the answer. For one thread.

    Read it one way: by iterating, by `read`, or by `write_to`.

    Spec: CLI-17
    """

    def __init__(
        self,
        connect: Callable[[], tuple[ByteSource, PreparedCall]],
        clock: SyncClock,
        on_progress: OnProgress | None = None,
    ) -> None:
        """
        Prepare the call; nothing is sent yet.

        Args:
            connect: Makes it and returns the open answer together with what was sent.
            clock: Tells the time.
            on_progress: Told every 64 KiB or so, and at the end, how many bytes came, and of how many (None: nobody
                knows). What it raises ends the download.
        """
        super().__init__(clock, on_progress)
        self._connect = connect
        self._source: ByteSource | None = None

    def __enter__(self) -> Self:
        """
        Make the call and wait for the head of its answer.

        Raises:
            OpenAIError: The call failed.
        """
        if self._source is not None:
            raise InvalidState("a download can be entered once; make the call again for another one")
        self._source, self._prepared = self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def metadata(self) -> ResponseMetadata:
        """The head of the answer; there once the download was entered."""
        return ResponseMetadata.of(_entered(self._source).head)

    @property
    def length(self) -> int | None:
        """Bytes in all, as the upstream says; None when it does not."""
        return _entered(self._source).length

    def __iter__(self) -> Generator[bytes]:
        """
        Yield piece after piece, of any size.

        Raises:
            OpenAIError: The answer broke off or is not whole.
        """
        return self._pieces(None)

    def read(self) -> BinaryContent:
        """
        Return the answer as a whole.

        Raises:
            OpenAIError: It broke off, is not whole, or is larger than `http.max_response_bytes`.
        """
        source, progress = _entered(self._source), self._begun(self.length, None)
        try:
            content = source.read_all(progress.add)
            progress.end()
        except HttpFailure as failure:
            raise self._error(failure) from without_frames(failure)
        finally:
            self.close()
        return BinaryContent(content)

    def write_to(self, path: str | os.PathLike[str], *, on_progress: OnProgress | None = None) -> int:
        """
        Write the answer to the file at *path* and return its size in bytes.

        The file is written beside its place and put there when it is whole; nothing is left behind otherwise.

        Args:
            path: Where to; a file that is there is replaced.
            on_progress: Used instead of that of the call.

        Raises:
            OpenAIError: The answer broke off or is not whole.
            OSError: The file cannot be written.
        """
        file, size = NewFile(path), 0
        try:
            with closing(self._pieces(on_progress)) as pieces:
                for piece in pieces:
                    file.write(piece)
                    size += len(piece)
            file.keep()
        finally:
            # no-op for a file that was kept
            file.discard()
        return size

    def close(self) -> None:
        """Close the answer, whatever of it is unread. Safe to call twice."""
        if self._source is not None:
            self._is_closed = True
            self._source.close()

    def _pieces(self, on_progress: OnProgress | None) -> Generator[bytes]:
        source = _entered(self._source)
        progress = self._begun(source.length, on_progress)
        try:
            while (piece := source.next_piece()) is not None:
                yield piece
                progress.add(len(piece))
            progress.end()
        except HttpFailure as failure:
            raise self._error(failure) from without_frames(failure)
        finally:
            # what is unread is not wanted: the upstream is stopped now, and not when the block is left
            self.close()


class AsyncDownload(_Transfer, AbstractAsyncContextManager["AsyncDownload"]):
    """
    A binary answer on an event loop. Entering makes the call, leaving closes the answer. For one task.

    Read it one way: by iterating, by `read`, or by `write_to`.

    Spec: CLI-17
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[tuple[AsyncByteSource, PreparedCall]]],
        clock: Clock,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Prepare the call; nothing is sent yet. The arguments are those of `Download`."""
        super().__init__(clock, on_progress)
        self._connect = connect
        self._source: AsyncByteSource | None = None

    async def __aenter__(self) -> Self:
        """
        Make the call and wait for the head of its answer.

        Raises:
            OpenAIError: The call failed.
        """
        if self._source is not None:
            raise InvalidState("a download can be entered once; make the call again for another one")
        self._source, self._prepared = await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    @property
    def metadata(self) -> ResponseMetadata:
        """The head of the answer; there once the download was entered."""
        return ResponseMetadata.of(_entered(self._source).head)

    @property
    def length(self) -> int | None:
        """Bytes in all, as the upstream says; None when it does not."""
        return _entered(self._source).length

    def __aiter__(self) -> AsyncGenerator[bytes]:
        """
        Yield piece after piece, of any size.

        Raises:
            OpenAIError: The answer broke off or is not whole.
        """
        return self._pieces(None)

    async def read(self) -> BinaryContent:
        """
        Return the answer as a whole.

        Raises:
            OpenAIError: It broke off, is not whole, or is larger than `http.max_response_bytes`.
        """
        source, progress = _entered(self._source), self._begun(self.length, None)
        try:
            content = await source.read_all(progress.add)
            progress.end()
        except HttpFailure as failure:
            raise self._error(failure) from without_frames(failure)
        finally:
            await self.aclose()
        return BinaryContent(content)

    async def write_to(self, path: str | os.PathLike[str], *, on_progress: OnProgress | None = None) -> int:
        """
        Write the answer to the file at *path* and return its size in bytes; as `Download.write_to`.

        Writing is done in a thread, for a disk may make it wait.

        Raises:
            OpenAIError: The answer broke off or is not whole.
            OSError: The file cannot be written.
        """
        file, size, gathered = await _in_thread(NewFile, path), 0, bytearray()
        try:
            async with aclosing(self._pieces(on_progress)) as pieces:
                async for piece in pieces:
                    gathered += piece
                    if len(gathered) >= _WRITE_BYTES:
                        size += len(gathered)
                        await _in_thread(file.write, bytes(gathered))
                        gathered.clear()
            size += len(gathered)
            await _in_thread(file.write, bytes(gathered))
            await _in_thread(file.keep)
        finally:
            # no-op for a file that was kept; quick enough for a loop, and not to be cancelled
            file.discard()
        return size

    async def aclose(self) -> None:
        """Close the answer, whatever of it is unread. Safe to call twice."""
        if self._source is not None:
            self._is_closed = True
            await self._source.aclose()

    async def _pieces(self, on_progress: OnProgress | None) -> AsyncGenerator[bytes]:
        source = _entered(self._source)
        progress = self._begun(source.length, on_progress)
        try:
            while (piece := await source.next_piece()) is not None:
                yield piece
                progress.add(len(piece))
            progress.end()
        except HttpFailure as failure:
            raise self._error(failure) from without_frames(failure)
        finally:
            await self.aclose()


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """
    Do *work* in a thread. A cancelled caller goes on when the work is over: its file must not be closed under it.

    A piece is written in milliseconds; a disk that takes longer would hold up the closing of the file as well.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait((running,))
            except asyncio.CancelledError:
                continue
        if not running.cancelled() and running.exception() is None and isinstance(made := running.result(), NewFile):
            made.discard()
        raise


def _entered(part: T | None) -> T:
    """Return what entering has made, or say that it must come first."""
    if part is None:
        raise InvalidState("the download is not open: use it in a with block")
    return part
