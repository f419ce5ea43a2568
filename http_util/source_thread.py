"""
A thread for what a body is read from, where an event loop sends it.

A read may block for as long as it likes, a pipe's for ever, and no thread can be made to leave one. So the thread that
reads is that source's alone, and none of an executor: behind those an event loop resolves names and an application does
its work, and the end of a loop and of a program wait for them. It is a daemon and ends with its source, or, where that
hangs for good, with the program.

Spec: HTU-18, HTU-19
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Order = tuple[contextvars.Context, asyncio.AbstractEventLoop, asyncio.Future["bytes | None"]]


class SourceThread:
    """Draws from one blocking iterator. Whoever made it closes it; the thread begins with the first piece."""

    __slots__ = ("_is_begun", "_orders", "_pieces")

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Draw from *pieces*, which nobody else does."""
        self._pieces: Iterator[bytes] | None = pieces
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._is_begun = False

    async def next_piece(self) -> bytes | None:
        """
        Return the next piece; None at the end, and after `close` or a failure. One call at a time.

        Whoever is cancelled here goes on at once; what the source then gives is dropped, and that is its end.

        Raises:
            RuntimeError: The source raised what would end the coroutine that waits, and not the call.
            BaseException: Whatever else the source raises.
        """
        if self._pieces is None:
            return None
        loop = asyncio.get_running_loop()
        drawn: asyncio.Future[bytes | None] = loop.create_future()
        self._orders.put((contextvars.copy_context(), loop, drawn))
        if not self._is_begun:
            self._is_begun = True
            work = threading.Thread(target=_draw, args=(self._pieces, self._orders), name="http-body", daemon=True)
            work.start()
        try:
            piece = await drawn
        except BaseException:
            self.close()
            raise
        if piece is None:
            self._pieces = None
        return piece

    def close(self) -> None:
        """Let go of the source, when it has given what it was asked for. Does not wait; safe to call twice."""
        self._pieces = None
        self._orders.put(None)

    def __del__(self) -> None:
        """End the thread of a source that was dropped."""
        self._orders.put(None)


# no method: the thread must not keep alive whose end it waits for
def _draw(pieces: Iterator[bytes], orders: SimpleQueue[Order | None]) -> None:
    """Draw a piece for each order, until one is None or nothing is left."""
    while (order := orders.get()) is not None:
        context, loop, drawn = order
        piece, error = None, None
        try:
            piece = context.run(next, pieces, None)
        except BaseException as raised:  # noqa: BLE001 - it is raised where the piece is awaited
            error = _raisable(raised)
        # the loop may be closed meanwhile
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, drawn, piece, error)
        if piece is None:
            return
        # while it waits for the next order the thread keeps nobody's bytes
        del order, context, loop, drawn, piece


def _settle(drawn: asyncio.Future[bytes | None], piece: bytes | None, error: BaseException | None) -> None:
    """Hand over what was drawn, if somebody still waits for it."""
    if drawn.done():
        return
    if error is not None:
        drawn.set_exception(error)
    else:
        drawn.set_result(piece)


def _raisable(error: BaseException) -> BaseException:
    """Return *error*, or what is raised for one that a coroutine would take for its own end."""
    if not isinstance(error, GeneratorExit | asyncio.CancelledError):
        return error
    told = RuntimeError(f"the source of the body raised {type(error).__name__}")
    told.__cause__ = error
    return told
