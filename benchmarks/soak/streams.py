"""The streams of a soak: each is planned, read, checked, and perhaps cancelled."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.answers import FINISH_REASON, STAMP_INDEX, Ask
from benchmarks.clients.adapter import task_for
from benchmarks.scenarios import RATE

if TYPE_CHECKING:
    from adapter_api import TokenEvent, TokenStream
    from benchmarks.board import Board
    from worker_adapters.openai_http import OpenAIHttpAdapter

TOKENS: Final = (50, 500)
"""Shortest and longest answer."""
MARGIN: Final = RATE
"""Tokens that are still to come when a stream is cancelled, so that it cannot have ended."""
WAYS: Final = ("adapter.cancel", "leaving the block", "task.cancel")


class Violation(Exception):
    """What must not happen has happened."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of one stream."""

    ask: Ask
    way: str | None
    """How it is cancelled; None lets it come to its end."""
    after: int
    """Tokens, or for `task.cancel` the time that so many take, before it is."""


def plan(slot: int, serial: int, share: float, rng: random.Random) -> Plan:
    """The next stream of *slot*."""
    ask = Ask(slot=slot, serial=serial, tokens=rng.randint(*TOKENS), rate=RATE)
    way = rng.choice(WAYS) if rng.random() < share else None
    return Plan(ask, way, rng.randint(0, max(0, ask.tokens - MARGIN)))


class OrderedText:
    """Checks that the tokens of one stream are its own, in order, and none behind a cancel."""

    def __init__(self, ask: Ask) -> None:
        """Before the first token."""
        self.count = 0
        self.is_over = False
        self._ask = ask
        self._mine = f"{ask.slot:05d} "

    def take(self, text: str) -> None:
        """
        Take the next token.

        Raises:
            Violation: It is another one than the next of this stream.
        """
        if self.is_over:
            raise Violation(f"slot {self._ask.slot}: a token came behind a cancel")
        if not text.startswith(self._mine) or int(text[STAMP_INDEX]) != self.count:
            raise Violation(f"slot {self._ask.slot}: expected token {self.count}, got {text!r}")
        self.count += 1

    def check_end(self, terminal: TokenEvent | None) -> None:
        """
        Compare the end of a stream that was not cancelled.

        Raises:
            Violation: It is not complete.
        """
        ask = self._ask
        if terminal is None or terminal.kind != "end":
            raise Violation(f"slot {ask.slot}: expected an end, got {terminal}")
        usage = terminal.data["usage"]
        seen = self.count, terminal.data["finish_reason"], usage["completion_tokens"]
        if seen != (ask.tokens, FINISH_REASON, ask.tokens):
            raise Violation(f"slot {ask.slot}: expected {ask.tokens} tokens and {FINISH_REASON}, got {seen}")


def check_cancelled(ask: Ask, terminal: TokenEvent | None) -> None:
    """
    Look at the end of a stream that was cancelled by its id.

    Raises:
        Violation: It does not say so.
    """
    if terminal is None or terminal.kind != "end" or terminal.data["finish_reason"] != "cancelled":
        raise Violation(f"slot {ask.slot}: expected an end that says cancelled, got {terminal}")


class Streams:
    """All streams, and what is counted of them."""

    def __init__(self, adapter: OpenAIHttpAdapter, board: Board, *, share: float, bound: float, seed: int) -> None:
        """
        Get ready.

        Args:
            adapter: What is soaked.
            board: The upstream's.
            share: Of streams that are cancelled, 0 to 1.
            bound: Seconds within which the upstream must have seen a cancel.
            seed: Of all choices.
        """
        self.counts: Counter[str] = Counter()
        self.cancel_seconds: deque[float] = deque(maxlen=1000)
        self.is_stopping = False
        self._adapter = adapter
        self._board = board
        self._share = share
        self._bound = bound
        self._rng = random.Random(seed)
        self._serials = itertools.count(1)

    async def keep_busy(self, slot: int) -> None:
        """One stream after the other, until it is time to stop."""
        await asyncio.sleep(self._rng.random())  # not all at once
        while not self.is_stopping:
            await self._run(plan(slot, next(self._serials), self._share, self._rng))

    async def _run(self, planned: Plan) -> None:
        text = OrderedText(planned.ask)
        reading = asyncio.ensure_future(self._read(planned, text))
        try:
            await (self._cancel_task(planned, reading) if planned.way == "task.cancel" else reading)
        finally:
            reading.cancel()
        self.counts["tokens"] += text.count
        self.counts[planned.way or "whole"] += 1

    async def _cancel_task(self, planned: Plan, reading: asyncio.Future[None]) -> None:
        """Cancel the reading task wherever it is by then, also while it submits."""
        await asyncio.wait([reading], timeout=planned.after / RATE)
        began = time.monotonic()
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()
            raise Violation(f"slot {planned.ask.slot}: a cancelled task came to its end")
        await self._see_cut(planned.ask, began)

    async def _read(self, planned: Plan, text: OrderedText) -> None:
        ask, way = planned.ask, planned.way
        task = task_for(ask, f"{ask.slot}-{ask.serial}")
        async with await self._adapter.submit(task) as stream:
            await _take(stream, text, ask.tokens if way in (None, "task.cancel") else planned.after)
            if way == "adapter.cancel":
                cancelling = asyncio.ensure_future(self._cancel(ask, task.task_id, text))
                await _take(stream, text)
                await cancelling
                check_cancelled(ask, stream.terminal)
            elif way != "leaving the block":
                await _take(stream, text)
                text.check_end(stream.terminal)
            left_at = time.monotonic()
        if way == "leaving the block":
            await self._see_cut(ask, left_at)

    async def _cancel(self, ask: Ask, task_id: str, text: OrderedText) -> None:
        began = time.monotonic()
        await self._adapter.cancel(task_id)
        text.is_over = True
        await self._see_cut(ask, began)

    async def _see_cut(self, ask: Ask, began: float) -> None:
        """Wait until the upstream has seen that the stream is not wanted any more, if it ever saw the stream."""
        while self._board.cut[ask.slot] != ask.serial:
            if time.monotonic() - began > self._bound:
                if self._board.begun[ask.slot] != ask.serial:
                    return  # it was cancelled before it was sent
                if self._board.ended[ask.slot] == ask.serial:
                    return  # it was cancelled when everything was written
                raise Violation(f"slot {ask.slot}: the upstream has not seen a cancel within {self._bound:g} s")
            await asyncio.sleep(0.001)
        self.cancel_seconds.append(time.monotonic() - began)


async def _take(stream: TokenStream, text: OrderedText, most: int | None = None) -> None:
    """Take the stream's tokens, until *text* has *most* of them or there are no more."""
    while text.count != most:
        event = await anext(stream, None)
        if event is None:
            return
        if event.kind == "token":
            text.take(event.text)
