"""
What `submit` returns: one consumer's view of a running task.

A source (the adapter's side) gives events in batches, as many as one network read brought. The stream hands them out
one by one without returning to the event loop, guards their order, and turns whatever a source does wrong into one
`error`.

Spec: ADP-02, ADP-20, ADP-30, ADP-31, OC-CTRL-2028, OC-CTRL-2029
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from adapter_api.errors import TaskCancelled, WorkerError
from adapter_api.fault import Fault
from adapter_api.token_event import TokenEvent
from adapter_api.token_order import OrderGuard, OrderState, OrderViolation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType


class TokenSource(Protocol):
    """
    The adapter's side of a stream: what an adapter author writes.

    One task reads; `cancel` and `aclose` may come from any task, at any time, more than once.
    """

    async def next_events(self) -> list[TokenEvent]:
        """
        The next events, at least one; the last batch ends in `end` or `error`, and it is not called after that.

        A failure is an `error` event; an exception, or a batch that is empty, becomes one, and the source is closed.
        When the reading task itself is cancelled, the upstream is closed before `asyncio.CancelledError` goes on.
        """

    async def cancel(self) -> None:
        """
        Stop the upstream; return when its connection is closed or its stream is reset.

        A read that waits, or else the next one, then gives `end` with finish_reason `cancelled`, after `started` where
        that is still to come.
        """

    async def aclose(self) -> None:
        """Release everything, as `cancel`; nobody reads any more."""

    # A source may also have `dropped()`, a plain function: the stream was collected before it was closed, and nobody
    # is left to close it. It is called by the garbage collector, in any thread, and must neither wait nor raise.


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer, as `TokenStream.collect` gives it. Its repr shows no text."""

    text: str = field(repr=False)
    """The text channel, joined."""
    channels: Mapping[str, str] = field(repr=False)
    """Every channel's text, joined, by its name."""
    tokens: int
    """How many token events there were."""
    finish_reason: str | None
    end: Mapping[str, Any]
    """The payload of the `end` event: evidence, usage, attempts and the rest."""


class TokenStream:
    """
    An ordered stream of events: `started (token | metrics)* (end | error)`, for one consumer.

    Iterate it inside `async with`: leaving the block early stops the work upstream. A failure after `started` is one
    `error` event, after which iteration stops without raising; `raise_for_error` is for those who want an exception.

    Spec: ADP-02
    """

    __slots__ = (
        "__weakref__",  # who cancels by id finds a stream that still holds tokens, and does not keep it alive
        "_closed",
        "_end",
        "_fault",
        "_guard",
        "_origin",
        "_reading",
        "_ready",
        "_source",
        "_stopping",
        "_terminal",
        "task_id",
    )

    def __init__(self, source: TokenSource, *, task_id: str, origin: str) -> None:
        """
        Make the stream of a task that has been accepted.

        Args:
            source: Where the events come from. The stream owns it and closes it.
            task_id: The task's id.
            origin: The adapter's name, for the message when it breaks the order.
        """
        self.task_id = task_id
        """The id of the task that streams."""
        self._source = source
        self._origin = origin
        self._guard = OrderGuard(origin)
        # what the last read brought and nobody has fetched yet, and the terminal event if that is among it
        self._ready: Iterator[TokenEvent] = iter(())
        self._end: TokenEvent | None = None
        self._terminal: TokenEvent | None = None
        self._fault: Fault | None = None
        self._reading = False
        self._stopping = False
        self._closed = False

    def __del__(self) -> None:
        """
        Tell the source that the stream is gone, if nobody closed it: a `return` inside a loop must not cost a slot.

        Spec: ADP-31
        """
        guard = getattr(self, "_guard", None)
        if guard is None or self._closed or guard.state is _ENDED:
            return
        dropped = getattr(self._source, "dropped", None)
        if dropped is not None:
            dropped()

    def __repr__(self) -> str:
        """The task, the adapter and the state; no content."""
        state = "closed" if self._closed else self._guard.state.value
        return f"<TokenStream {self.task_id!r} of {self._origin}: {state}, {self._guard.tokens} tokens>"

    @property
    def terminal(self) -> TokenEvent | None:
        """The `end` or `error` event, once it has been handed out; None before."""
        return self._terminal

    @property
    def fault(self) -> Fault | None:
        """What a source raised that no source may, for whoever debugs it; the `error` event does not tell it."""
        return self._fault

    @property
    def origin(self) -> str:
        """The name of the adapter that makes the stream."""
        return self._origin

    def __aiter__(self) -> Self:
        """The stream itself."""
        return self

    async def __anext__(self) -> TokenEvent:
        """The next event; stops after the terminal one."""
        while True:
            # a loop that ends with its first event: the cheapest way to take one from an iterator
            for event in self._ready:
                if event is self._end:
                    self._terminal = event
                return event
            if self._closed or self._guard.state is _ENDED:
                raise StopAsyncIteration
            if self._reading:
                raise RuntimeError(f"{self!r} has one consumer, and a read of it is under way")
            self._reading = True
            try:
                events = await self._source.next_events()
                if not events:
                    raise OrderViolation(f"{self._origin}: the stream stopped without end or error")
                self._guard.check(events)
            except Exception as error:  # noqa: BLE001 - a source is foreign code, and whatever it does becomes one event
                events = await self._fail(error)
            finally:
                self._reading = False
            if self._stopping:
                events = [] if self._closed else _without_tokens(events)
            self._put(events)

    async def next_batch(self) -> list[TokenEvent]:
        """
        Every event that is there, waiting for at least one; empty once the stream is over.

        For those who pass a stream on: one call per network read instead of one per token.
        """
        try:
            batch = [await anext(self), *self._ready]
        except StopAsyncIteration:
            return []
        if batch[-1] is self._end:
            self._terminal = self._end
        return batch

    async def cancel(self) -> None:
        """
        Stop the task, as `WorkerAdapter.cancel` does for its id.

        When it returns, no token follows and the upstream has been told. What still comes is the terminal event: `end`
        with finish_reason `cancelled`, unless the stream was over already.

        Spec: WA-INT-3002, AH-1004
        """
        self.stop_delivery()
        await self._source.cancel()

    def stop_delivery(self) -> None:
        """
        Let no further token out, though the source may still hold some; the terminal event still comes.

        For an adapter that cancels by the task's id: it owns the source, and the consumer holds this stream.
        """
        self._stopping = True
        self._put(_without_tokens(list(self._ready)))

    async def aclose(self) -> None:
        """
        Stop the task and drop what is left of its stream. Safe to call twice, early and late.

        Spec: ADP-31
        """
        self._stopping = True
        self._closed = True
        self._put([])
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        """The stream; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, whatever happened inside."""
        await self.aclose()

    async def collect(self) -> Completion:
        """
        The whole answer, read to its end; the stream is closed afterwards.

        Raises:
            WorkerError: The stream ended in an `error`.
            TaskCancelled: The stream was closed before its end.
            RuntimeError: The end was handed out already.
        """
        if self._terminal is not None:
            raise RuntimeError(f"{self!r} has been read already")
        channels: dict[str, list[str]] = {"text": []}
        tokens = 0
        last: TokenEvent | None = None
        async with self:
            async for event in self:
                last = event
                if event.kind == "token":
                    channels.setdefault(event.channel, []).append(event.text)
                    tokens += 1
        self.raise_for_error()
        if last is None or not last.is_terminal:
            raise TaskCancelled("the stream was closed before its end")
        joined = {name: "".join(parts) for name, parts in channels.items()}
        return Completion(
            text=joined["text"],
            channels=joined,
            tokens=tokens,
            finish_reason=last.data.get("finish_reason"),
            end=last.data,
        )

    def raise_for_error(self) -> None:
        """
        Do nothing unless the stream has ended in an `error`.

        Raises:
            WorkerError: With the facts of the `error` event.
        """
        if self._terminal is not None and self._terminal.kind == "error":
            raise WorkerError.from_payload(self._terminal.data)

    def _put(self, events: list[TokenEvent]) -> None:
        """Let *events* be fetched, in place of what was there."""
        self._ready = iter(events)
        self._end = events[-1] if self._guard.state is _ENDED and events else None

    async def _fail(self, error: Exception) -> list[TokenEvent]:
        """Close a source that broke the contract; one `error` is all that follows."""
        if isinstance(error, OrderViolation):
            error = WorkerError("order_violation", str(error), streaming=True)
        elif not isinstance(error, WorkerError):
            # its text may hold secrets, so none of it is shown
            self._fault = Fault.of(error)
            error = WorkerError("internal", f"{self._origin} failed inside a stream", streaming=True)
        self._guard = OrderGuard.ended(self._origin, tokens=self._guard.tokens)
        # What it says while closing is of no use any more: the error is the stream's last word.
        with suppress(Exception):
            await self._source.aclose()
        return [TokenEvent("error", error.payload())]


# a name of its own: this is asked with every read
_ENDED: Final = OrderState.ENDED


def _without_tokens(events: list[TokenEvent]) -> list[TokenEvent]:
    """What a cancelled consumer still gets: `started` and the terminal event; an `end` says `cancelled`."""
    kept = [event for event in events if event.kind not in ("token", "metrics")]
    if kept and kept[-1].kind == "end":
        kept[-1] = TokenEvent("end", {**kept[-1].data, "finish_reason": "cancelled"})
    return kept
