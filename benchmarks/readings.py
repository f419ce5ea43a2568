"""
Takers: what every client hands its tokens to. Each notes what its scenario wants and checks that the answer is right.

All clients call `take` once a token and set `finish_reason` and `usage` at the end, so what the notes cost is the same
for all (about 0.1 us a token) and stands in every figure.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from typing import TYPE_CHECKING

from benchmarks.answers import FINISH_REASON, STAMP_INDEX, STAMP_MICROS, WORDS, Ask, WrongAnswer, words
from benchmarks.cores import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.board import Board


class Reading:
    """Takes one stream, token by token, and keeps its text."""

    def __init__(self, ask: Ask, board: Board) -> None:
        """Get ready for the answer to *ask*; make it before the request is sent, for it clears the slot."""
        self.ask = ask
        self.texts: list[str] = []
        self.finish_reason: str | None = None
        self.usage: tuple[int, int, int] | None = None
        self._taken = board.taken
        self._slot = ask.slot
        board.taken[ask.slot] = 0

    def take(self, text: str) -> None:
        """Note one token."""
        texts = self.texts
        texts.append(text)
        self._taken[self._slot] = len(texts)

    def check(self) -> None:
        """
        Compare the answer with what was sent.

        Raises:
            WrongAnswer: It differs.
        """
        self._check_tokens()
        if self.finish_reason != FINISH_REASON:
            raise WrongAnswer(f"finish_reason: expected {FINISH_REASON!r}, got {self.finish_reason!r}")
        if self.usage != self.ask.usage:
            raise WrongAnswer(f"usage: expected {self.ask.usage}, got {self.usage}")

    def _check_tokens(self) -> None:
        if len(self.texts) != self.ask.tokens:
            raise WrongAnswer(f"tokens: expected {self.ask.tokens}, got {len(self.texts)}")
        if self.texts != words(self.ask.tokens):
            raise WrongAnswer("text: differs from what was sent")


class Steps:
    """
    Keeps client and upstream in step: no token is read before the whole round is there.

    The client waits inside `take`, at the last token of a round, without going to sleep and without running its event
    loop. What that costs is counted, so that it can be taken off: it is no work of the client.
    """

    def __init__(self, board: Board, ask: Ask, streams: int) -> None:
        """Get ready for *streams* streams of the size of *ask*."""
        self.left = self._per_round = streams * ask.burst
        """Tokens of this round that have still to be taken."""
        self.waited = 0.0
        """CPU seconds spent waiting."""
        self.on_taken: Callable[[], None] | None = None
        """Called before each wait: first when all requests have been sent, then when a round has been taken."""
        self._streams = streams
        self._board = board
        self._next = board.rounds + 1
        self._last = board.rounds + ask.rounds

    async def begin(self) -> None:
        """Wait until all requests have arrived, then for the first round."""
        while self._board.arrived < self._streams:  # noqa: ASYNC110 - what another process does is awaited by looking
            await asyncio.sleep(0.001)
        self._board.go = True
        self.wait()

    def wait(self) -> None:
        """Wait for the next round, if there is one."""
        if self.on_taken is not None:
            self.on_taken()
        if self._next > self._last:
            return
        began = time.process_time()
        board, due = self._board, self._next
        while board.rounds < due:
            pass
        self._next = due + 1
        self.left = self._per_round
        self.waited += time.process_time() - began


class InStep(Reading):
    """A reading that keeps in step with others."""

    def __init__(self, ask: Ask, board: Board, steps: Steps) -> None:
        """See `Reading`."""
        super().__init__(ask, board)
        self._steps = steps

    def take(self, text: str) -> None:
        """Note one token; behind the last of a round wait for the next."""
        texts = self.texts
        texts.append(text)
        self._taken[self._slot] = len(texts)
        steps = self._steps
        steps.left -= 1
        if not steps.left:
            steps.wait()


class FirstToken(Reading):
    """Notes when the first token was there."""

    def __init__(self, ask: Ask, board: Board) -> None:
        """See `Reading`."""
        super().__init__(ask, board)
        self.first_at = 0.0

    def take(self, text: str) -> None:
        """Note one token."""
        if not self.texts:
            self.first_at = time.perf_counter()
        super().take(text)


class Counted(Reading):
    """Keeps no text, for a stream that is too long to be kept; watches the memory of the process."""

    def __init__(self, ask: Ask, board: Board) -> None:
        """See `Reading`."""
        super().__init__(ask, board)
        self.resident: dict[int, int] = {}
        """Resident bytes of the process, by the number of tokens taken."""
        self._count = 0
        self._step = max(1, ask.tokens // 20)

    def take(self, text: str) -> None:
        """Note one token."""
        count = self._count
        if text != WORDS[count % len(WORDS)]:
            raise WrongAnswer(f"text: token {count} differs from what was sent")
        self._count = count = count + 1
        self._taken[self._slot] = count
        if count % self._step == 0:
            self.resident[count] = resident_bytes()

    def _check_tokens(self) -> None:
        if self._count != self.ask.tokens:
            raise WrongAnswer(f"tokens: expected {self.ask.tokens}, got {self._count}")


class Paced(Reading):
    """Notes how late each token of a paced stream came: now, less the time that stands in it."""

    def __init__(self, ask: Ask, board: Board) -> None:
        """See `Reading`."""
        super().__init__(ask, board)
        self._mine = f"{ask.slot:05d} "
        self.lateness = array("d")
        """Seconds, in the order of the tokens."""

    def take(self, text: str) -> None:
        """Note one token; the clock is the machine's, the same in both processes."""
        lateness = self.lateness
        if not text.startswith(self._mine) or int(text[STAMP_INDEX]) != len(lateness):
            raise WrongAnswer(f"text: expected token {len(lateness)} of {self._mine}, got {text!r}")
        lateness.append(time.monotonic() - int(text[STAMP_MICROS]) / 1e6)

    def _check_tokens(self) -> None:
        if len(self.lateness) != self.ask.tokens:
            raise WrongAnswer(f"tokens: expected {self.ask.tokens}, got {len(self.lateness)}")
