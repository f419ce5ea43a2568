"""
The desk: takes every ask, and says when which stream may write what. It knows nothing of HTTP.

Two ways to write. *By burst*: a write of every stream, and again when the client has taken them all. *Paced*: a token
each 1/rate seconds, streams spread over the period, each token with the time when it was written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from benchmarks.answers import MIDDLE, OPENING, closing, paced_parts, word_events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from benchmarks.answers import Ask
    from benchmarks.board import Board

TICK: Final = 0.001
"""Seconds between two looks at the paced streams that are due; what the event loop's clock resolves."""
STALL: Final = 0.05
"""Seconds without any progress after which the next round is written although the last has not been taken.

A client may hold back tokens that it has read until more bytes come: httpcore does, when streams share a connection.
"""


class Outlet(Protocol):
    """The way to the client of one stream: an HTTP/1.1 answer, or an HTTP/2 stream."""

    def write(self, events: Sequence[bytes], *, is_last: bool = False) -> None:
        """Send *events*, in one write of their own; before the first ones the head."""

    def paced(self, before: bytes, after: bytes) -> Callable[[bytes], None]:
        """A quick way to write one event after the other that differ in their middle only, behind the head."""


class Stream:
    """One answer that is being told."""

    __slots__ = ("_ended", "_write_middle", "ask", "is_over", "outlet", "written")

    def __init__(self, ask: Ask, outlet: Outlet, ended: Callable[[Stream], None]) -> None:
        """Begin at the first token; *ended* is told when the last byte has been written."""
        self.ask = ask
        self.outlet = outlet
        self.written = 0
        self.is_over = False
        self._ended = ended
        self._write_middle = outlet.paced(*paced_parts(ask.slot)) if ask.rate else None

    def write_burst(self) -> None:
        """Write the next tokens; the role stands before the first."""
        count = min(self.ask.burst, self.ask.tokens - self.written)
        events = word_events(self.written, count)
        if not self.written:
            events.insert(0, OPENING)
        self.written += count
        if self.is_told and self.ask.burst > 1:
            # what follows the last token comes with it, as from a quick server
            self._end(events)
        else:
            self.outlet.write(events)

    def write_stamped(self, micros: int) -> None:
        """Write the next token of a paced stream."""
        self._write_middle(MIDDLE % (self.written, micros))
        self.written += 1

    def write_end(self) -> None:
        """Write what follows the last token."""
        self._end([])

    def _end(self, events: list[bytes]) -> None:
        self.is_over = True
        self.outlet.write([*events, *closing(self.ask)], is_last=True)
        self._ended(self)

    @property
    def is_told(self) -> bool:
        """Whether all tokens have been written."""
        return self.written == self.ask.tokens


class Rounds:
    """
    The streams that write by burst: a round is one burst of each, and the next round waits until all have been taken.

    The client waits as well, until the whole round is there, and only then reads. So it always has a round to read and
    never goes to sleep in between, whatever its speed and the machine's. On HTTP/1.1 each burst is a read of its own;
    on HTTP/2 a round comes together, as the step of an engine that computes a batch.
    """

    def __init__(self, board: Board, loop: asyncio.AbstractEventLoop) -> None:
        """Without streams."""
        self._board = board
        self._loop = loop
        self._streams: dict[Stream, None] = {}
        self._awaited: list[Stream] = []
        self._moved_at = 0.0
        self._is_turning = False

    def add(self, streams: Sequence[Stream]) -> None:
        """Let *streams* take part from the next round on."""
        self._streams.update(dict.fromkeys(streams))
        if not self._is_turning:
            self._turn()

    def drop(self, stream: Stream) -> None:
        """Forget a stream that was cut."""
        self._streams.pop(stream, None)
        if stream in self._awaited:
            self._awaited.remove(stream)

    def _turn(self) -> None:
        """Write a round when it is time, and look again as long as there are streams."""
        if self._is_taken():
            self._write_round()
        self._is_turning = bool(self._streams)
        if self._is_turning:
            self._loop.call_soon(self._turn)

    def _is_taken(self) -> bool:
        """Whether the client has taken the last round, or does not get on with it."""
        taken = self._board.taken
        awaited = [stream for stream in self._awaited if taken[stream.ask.slot] < stream.written]
        if not awaited:
            return True
        if len(awaited) < len(self._awaited):
            self._awaited = awaited
            self._moved_at = self._loop.time()
        elif self._loop.time() > self._moved_at + STALL:
            self._board.stalls += 1
            return True
        return False

    def _write_round(self) -> None:
        """Write a burst of every stream, then say so."""
        for stream in list(self._streams):
            if stream.is_told:
                stream.write_end()
            else:
                stream.write_burst()
            if stream.is_over:
                del self._streams[stream]
        self._awaited = list(self._streams)
        self._moved_at = self._loop.time()
        self._loop.call_soon(self._tell)  # behind what sends the frames of this turn

    def _tell(self) -> None:
        self._board.rounds += 1


class Pace:
    """All streams of one rate, spread over the ticks of its period."""

    def __init__(self, rate: int, desk: Desk) -> None:
        """Begin to tick."""
        self._desk = desk
        self._phases: list[dict[Stream, None]] = [{} for _ in range(round(1 / rate / TICK))]
        self._tick = 0
        self._due = desk.loop.time()
        self._timer = desk.loop.call_at(self._due, self._run)

    def add(self, stream: Stream) -> None:
        """Put *stream* where the fewest are."""
        min(self._phases, key=len)[stream] = None

    def drop(self, stream: Stream) -> None:
        """Forget *stream*."""
        for phase in self._phases:
            phase.pop(stream, None)

    def close(self) -> None:
        """Tick no more."""
        self._timer.cancel()

    def _run(self) -> None:
        """Serve every phase that is due, also those that should have been served already."""
        now = self._desk.loop.time()
        board = self._desk.board
        if any(self._phases) and (behind := round((now - self._due) * 1e6)) > board.behind_us:
            board.behind_us = behind
        while self._due <= now:
            self._serve(self._phases[self._tick])
            self._tick = (self._tick + 1) % len(self._phases)
            self._due += TICK
        self._timer = self._desk.loop.call_at(self._due, self._run)

    def _serve(self, phase: dict[Stream, None]) -> None:
        told = []
        for stream in phase:
            stream.write_stamped(time.monotonic_ns() // 1000)
            if stream.is_told:
                told.append(stream)
        for stream in told:
            stream.write_end()
            del phase[stream]


class Desk:
    """All streams of the upstream."""

    def __init__(self, board: Board, loop: asyncio.AbstractEventLoop) -> None:
        """Without streams."""
        self.board = board
        self.loop = loop
        self._open: dict[Outlet, Stream] = {}
        self._rounds = Rounds(board, loop)
        self._paces: dict[int, Pace] = {}
        self._gated: list[Stream] = []

    def begin(self, ask: Ask, outlet: Outlet) -> None:
        """Tell the answer to *ask* through *outlet*."""
        stream = self._open[outlet] = Stream(ask, outlet, self._ended)
        self.board.open_streams = len(self._open)
        self.board.begun[ask.slot] = ask.serial
        if ask.rate:
            outlet.write([OPENING])
            self._pace(stream)
            return
        if not ask.gate:
            self._rounds.add([stream])
            return
        self._gated.append(stream)
        self.board.arrived = len(self._gated)
        if len(self._gated) == ask.gate:
            self._await_go()

    def cut(self, outlet: Outlet) -> None:
        """Forget a stream that the client does not want any more; fine when it has ended."""
        stream = self._open.pop(outlet, None)
        if stream is None:
            return
        ask = stream.ask
        self.board.open_streams = len(self._open)
        self.board.cuts += 1
        self.board.cut[ask.slot] = ask.serial
        if stream in self._gated:
            self._gated.remove(stream)
            self.board.arrived = len(self._gated)
        elif not ask.rate:
            self._rounds.drop(stream)
        elif ask.rate in self._paces:
            self._paces[ask.rate].drop(stream)

    def close(self) -> None:
        """Write nothing any more."""
        for pace in self._paces.values():
            pace.close()

    def _await_go(self) -> None:
        """Begin with the gated streams as soon as the client says so."""
        if self.board.go:
            self.board.go = False
            self._rounds.add(self._open_gate())
        elif self._gated:
            self.loop.call_soon(self._await_go)

    def _open_gate(self) -> list[Stream]:
        waiting, self._gated = self._gated, []
        self.board.arrived = 0
        return waiting

    def _pace(self, stream: Stream) -> None:
        """Pace *stream*, together with the others of its gate."""
        waiting = [stream]
        if stream.ask.gate:
            self._gated.append(stream)
            if len(self._gated) < stream.ask.gate:
                return
            waiting = self._open_gate()
        for each in waiting:
            rate = each.ask.rate
            if rate not in self._paces:
                self._paces[rate] = Pace(rate, self)
            self._paces[rate].add(each)

    def _ended(self, stream: Stream) -> None:
        """Forget a stream that has been told to its end."""
        del self._open[stream.outlet]
        self.board.open_streams = len(self._open)
        self.board.ended[stream.ask.slot] = stream.ask.serial
