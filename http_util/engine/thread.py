"""
The seam for threads: the same engine, on an event loop in a thread of its own.

Blocking code gets the engine and not a copy of it. Many threads share its connections, an HTTP/2 ping is answered while
none of them is in a call, a timer ends a wait at its moment, and a stream is reset in the moment its reader leaves:
none of which a blocking socket can do.

The thread starts with the first request and ends with `close`. It is a daemon, so a program that forgets to close still
ends. A process that was forked starts with a new one; answers that came before are its parent's alone: it cannot read
them, and to close them does nothing.

Spec: HTU-1001, HTU-PERF-1301
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import httpcore
import httpx

from http_util.engine import BODY_EXTENSION
from http_util.engine.errors import Elsewhere
from http_util.engine.pieces import Pieces
from http_util.source_thread import SourceThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from http_util.engine.answer import Answer
    from http_util.engine.pool import Pool

T = TypeVar("T")

_AHEAD_BYTES: Final = 64 * 1024
"""Bytes that the engine fetches before the reader asks for them."""


class EngineThread:
    """An event loop in a thread, for one transport."""

    def __init__(self) -> None:
        """Start."""
        self.process = os.getpid()
        """The process in which the thread runs."""
        self._loop = asyncio.new_event_loop()
        # Python may free a dropped body while its own thread holds the lock
        self._lock = threading.RLock()
        self._is_stopping = False
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name="http-engine", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """
        Run *work* in the event loop and return its result; an interrupted caller cancels it.

        Raises:
            httpx.StreamClosed: The thread was told to stop, or runs in the process that this one was forked from.
        """
        if self.is_elsewhere:
            work.close()
            raise httpx.StreamClosed
        with self._lock:
            if self._is_stopping:
                work.close()
                raise httpx.StreamClosed
            running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except CancelledError:
            raise httpx.StreamClosed from None
        except BaseException:
            running.cancel()
            raise

    @property
    def is_elsewhere(self) -> bool:
        """
        Whether this process was forked from the one in which the thread runs.

        Then nothing here must be waited for, and no lock be taken: another thread may have held it in that moment.
        """
        return self.process != os.getpid()

    def tell(self, callback: Callable[[], object]) -> None:
        """Run *callback* in the event loop, soon; nothing when the thread was told to stop, or runs elsewhere."""
        if self.is_elsewhere:
            return
        with self._lock:
            if not self._is_stopping:
                self._loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """End the thread; what still runs in it is cancelled."""
        with self._lock:
            self._is_stopping = True
            self._loop.call_soon_threadsafe(self._end)
        self._thread.join()

    def _end(self) -> None:
        self._has_ended = True
        self._loop.stop()

    def _run(self) -> None:
        """Run the loop until it is stopped, and clean up behind it."""
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            while not self._has_ended:
                # a caller's code that runs here may exit or be interrupted: its call has that, and all others go on
                with suppress(KeyboardInterrupt, SystemExit):
                    loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            # the executor is not waited for: a name may be resolved in it, which takes what the resolver takes
        finally:
            loop.close()


class BlockingPool:
    """A pool for threads. An `httpcore` pool to httpx."""

    def __init__(self, build: Callable[[], Pool]) -> None:
        """Make a pool whose engine is made by *build* when the first request comes."""
        self._build = build
        self._lock = threading.Lock()
        self._thread: EngineThread | None = None
        self._pool: Pool | None = None

    def __repr__(self) -> str:
        """The pool of the engine."""
        return f"<BlockingPool {self._pool!r}>"

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """
        Send *request* and return the head of its answer, with the body still to be read.

        Raises:
            httpx.TransportError: As httpx documents for each phase.
        """
        thread, pool = self._engine()
        return thread.call(_answer(thread, pool, _asynchronous(request)))

    def close(self) -> None:
        """Close every connection and end the thread. Safe to call twice."""
        with self._lock:
            thread, pool = self._thread, self._pool
            self._thread = self._pool = None
        if thread is not None and pool is not None and not thread.is_elsewhere:
            thread.call(pool.aclose())
            thread.stop()

    def _engine(self) -> tuple[EngineThread, Pool]:
        """Return the engine of this process."""
        with self._lock:
            if self._thread is None or self._pool is None or self._thread.is_elsewhere:
                self._thread, self._pool = EngineThread(), self._build()
            return self._thread, self._pool


class BlockingTransport(httpx.HTTPTransport):
    """An httpx transport for threads over one of our pools; `http_util.engine.transport` tells why it looks so."""

    # as there
    def __init__(self, pool: Any) -> None:
        """Send over *pool*, which is closed together with the transport."""
        self._pool = pool

    def __repr__(self) -> str:
        """The pool."""
        return f"<BlockingTransport {self._pool!r}>"

    def __enter__(self) -> Self:
        """Return the transport; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


class BlockingBody(httpx.SyncByteStream):
    """
    The body of an answer, for one thread.

    A task in the engine fetches it a little ahead; the two sides meet in a queue that is bounded in bytes.
    """

    def __init__(self, thread: EngineThread, answer: Answer) -> None:
        """Begin to fetch *answer*; call in the event loop."""
        self._thread = thread
        self._answer = answer
        self._read_timeout, answer.read_timeout = answer.read_timeout, None
        self._news = threading.Condition()
        self._pieces = Pieces()
        self._waiting_bytes = 0
        self._is_over = False
        self._failure: BaseException | None = None
        self._room = asyncio.Event()
        self._pump = asyncio.ensure_future(self._fetch())

    def next_piece(self) -> bytes | None:
        """
        Everything that came since the last read, as one piece; None at the end. Never empty.

        Raises:
            httpx.TransportError: The answer broke off, or nothing came in time.
            Elsewhere: It came before the process was forked.
        """
        # the time between two reads is the reader's own; only what it waits counts
        if not self.news(self._read_timeout):
            self._thread.tell(self._pump.cancel)
            self._thread.tell(self._answer.leave)
            raise httpx.ReadTimeout("nothing of the answer came within the read timeout")
        return self.take()

    def news(self, seconds: float | None) -> bool:
        """Wait until something has come or the body is over, at most *seconds* (None: for ever); whether it has."""
        self._check_process()
        with self._news:
            return self._news.wait_for(lambda: bool(self._pieces) or self._is_over, seconds)

    def take(self) -> bytes | None:
        """
        Everything that came since the last read, as one piece, without waiting. Empty for nothing, None at the end.

        Raises:
            httpx.TransportError: The answer broke off.
            Elsewhere: It came before the process was forked.
        """
        self._check_process()
        with self._news:
            is_over = self._is_over
            piece = self._pieces.take()
            is_full, self._waiting_bytes = self._waiting_bytes > _AHEAD_BYTES, 0
        if is_full:
            self._thread.tell(self._room.set)
        if piece or not is_over:
            return piece
        if self._failure is not None:
            raise self._failure
        return None

    def __iter__(self) -> Iterator[bytes]:
        """Piece after piece, until the end."""
        yield from iter(self.next_piece, None)

    def leave(self) -> None:
        """Abandon what is left, soon; does not wait."""
        self._thread.tell(self._answer.leave)

    def drop(self) -> None:
        """Abandon what is left, soon; nobody reads any more, and nothing is left behind in the event loop."""
        self._thread.tell(self._pump.cancel)
        self._thread.tell(self._answer.leave)

    def close(self) -> None:
        """Abandon what is left; return when the upstream has been told. Safe to call twice."""
        with suppress(httpx.StreamClosed):
            self._thread.call(self._leave())

    def _check_process(self) -> None:
        """See to it that somebody fetches: after a fork, the parent does, and nobody here."""
        if self._thread.is_elsewhere:
            raise Elsewhere("the answer came before this process was forked: only the parent can read it")

    async def _fetch(self) -> None:
        """Hand pieces over until there are no more."""
        try:
            # no local holds a piece: this frame is shown with whatever breaks the answer off
            while self._hand_over(await self._answer.next_piece()):
                if self._waiting_bytes > _AHEAD_BYTES:
                    self._room.clear()
                    # the reader may have taken it all before the flag was down
                    if self._waiting_bytes > _AHEAD_BYTES:
                        await self._room.wait()
        except BaseException as failure:
            self._failure = failure if isinstance(failure, Exception) else httpx.StreamClosed()
            if not isinstance(failure, Exception):
                raise
        finally:
            with self._news:
                self._is_over = True
                self._news.notify()

    def _hand_over(self, piece: bytes | None) -> bool:
        """Put *piece* where the reader finds it; whether there is one, and not the end."""
        if piece is None:
            return False
        with self._news:
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)
            self._news.notify()
        return True

    async def _leave(self) -> None:
        """Stop fetching and abandon the answer."""
        self._pump.cancel()
        await self._answer.aclose()
        await asyncio.wait((self._pump,))


async def _answer(thread: EngineThread, pool: Pool, request: httpcore.Request) -> httpcore.Response:
    """
    Send *request*, in the event loop; the body of the response is for the calling thread.

    Raises:
        TimeoutError: The timer `total`, which only requests with a streamed body have, ran out.
    """
    total = request.extensions.get("timeout", {}).get("total")
    if total is None:
        response = await pool.handle_async_request(request)
    else:
        async with asyncio.timeout(total):
            response = await pool.handle_async_request(request)
    body = BlockingBody(thread, response.extensions[BODY_EXTENSION])
    extensions = {**response.extensions, BODY_EXTENSION: body}
    return httpcore.Response(response.status, headers=response.headers, content=body, extensions=extensions)


def _asynchronous(request: httpcore.Request) -> httpcore.Request:
    """Return *request* with its body and its trace in the event loop's colour."""
    stream: Any = request.stream
    if not isinstance(stream, httpx.ByteStream):
        stream = _OtherThread(stream)
    extensions = dict(request.extensions)
    if "trace" in extensions:
        extensions["trace"] = _traced(extensions["trace"])
    return httpcore.Request(request.method, request.url, headers=request.headers, content=stream, extensions=extensions)


def _traced(trace: Callable[[str, dict[str, Any]], object]) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return a trace to be awaited, that calls *trace*."""

    async def call(name: str, info: dict[str, Any]) -> None:
        trace(name, info)

    return call


class _OtherThread:
    """A blocking iterator, drawn from in another thread so that the event loop goes on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def can_begin(self) -> bool:
        return bool(getattr(self._stream, "can_begin", False))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        source = SourceThread(iter(self._stream))
        try:
            while (piece := await source.next_piece()) is not None:
                yield piece
        finally:
            source.close()
