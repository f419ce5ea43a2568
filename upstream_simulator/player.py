"""
Performs a reply: the steps in their time, for as long as somebody listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from upstream_simulator.steps import Break, Finish, Head, Send, Wait

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from upstream_simulator.exchange_log import Exchange, ExchangeLog
    from upstream_simulator.steps import Step


class Wire(Protocol):
    """
    One reply's way out, over whichever protocol.
    """

    @property
    def is_full(self) -> bool:
        """
        Bytes wait for the client to take them; `Player.resume` is called when it has.
        """

    def head(self, step: Head) -> None:
        """
        Send status and headers.
        """

    def send(self, step: Send) -> None:
        """
        Send a piece of the body.
        """

    def finish(self, step: Finish) -> None:
        """
        End the reply in order.
        """

    def break_off(self, step: Break) -> None:
        """
        End the reply in disorder.
        """


class Player:
    """
    Plays one reply by callbacks of the loop; no task per request, one timer at most.

    Spec: SIM-03, SIM-08
    """

    def __init__(self, steps: Iterator[Step], wire: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self._steps = steps
        self._wire = wire
        self._loop = loop
        self._handle: asyncio.Handle | None = None
        self._due = loop.time()
        self._exchange: Exchange | None = None
        self._log: ExchangeLog | None = None
        self._is_over = False
        self._is_paced = False

    def record(self, exchange: Exchange, log: ExchangeLog) -> None:
        """
        Keep an exchange of the log up to date from now on; without this nothing is recorded.
        """
        self._exchange = exchange
        self._log = log

    def start(self) -> None:
        """
        Play until the first pause.
        """
        self._play()

    def resume(self) -> None:
        """
        Go on after the client has taken what waited for it.
        """
        if self._handle is None and not self._is_over:
            self._play()

    def stop(self, left: str) -> None:
        """
        Generate nothing more: the client has gone.

        Args:
            left: How, as the log names it. Ignored if the reply is over.
        """
        if not self._is_over:
            self._end(left)

    def _play(self) -> None:
        self._handle = None
        wire = self._wire
        for step in self._steps:
            # The most frequent first: this runs for every token.
            if isinstance(step, Send):
                self._count(step)
                wire.send(step)
                if wire.is_full:
                    return
                if not self._is_paced:
                    # Let the other replies have their turn, and the loop notice who has left.
                    self._handle = self._loop.call_soon(self._play)
                    return
            elif isinstance(step, Wait):
                self._wait(step)
                return
            elif isinstance(step, Head):
                self._note_head(step)
                wire.head(step)
            else:
                self._close(step)
                return

    def _wait(self, step: Wait) -> None:
        now = self._loop.time()
        self._is_paced = self._is_paced or step.is_pace
        self._due = (self._due if step.is_pace else now) + step.seconds
        self._handle = self._loop.call_at(self._due, self._play)

    def _close(self, step: Finish | Break) -> None:
        if isinstance(step, Finish):
            self._end("completed")
            self._wire.finish(step)
        else:
            self._end("cut")
            self._wire.break_off(step)

    def _count(self, step: Send) -> None:
        exchange = self._exchange
        if exchange is not None:
            exchange.bytes_sent += len(step.data)
            if step.tokens:
                exchange.tokens += step.tokens
                if exchange.first_token_at is None:
                    exchange.first_token_at = self._loop.time()

    def _note_head(self, step: Head) -> None:
        if self._exchange is not None:
            self._exchange.status = step.status
            self._exchange.head_at = self._loop.time()

    def _end(self, left: str) -> None:
        self._is_over = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._exchange is not None and self._log is not None:
            self._log.end(self._exchange, left, self._loop.time())
