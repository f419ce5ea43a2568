"""
What one token costs in the contract: the event object, the order guard, the way through a `TokenStream`.

    python -m benchmarks.event_cost [--tokens 200000] [--batch 32]

Goal: event object and guard together under 1 us per event.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Final

from adapter_api import OrderGuard, TokenEvent, TokenStream, token
from benchmarks.table import show, show_goal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOAL_US: Final = 1.0
ROUNDS: Final = 5
STARTED: Final = TokenEvent("started", {"engine_version": "e"})
END: Final = TokenEvent(
    "end",
    {
        "tokens_out": 0,
        "decode_ms": 0,
        "finish_reason": "stop",
        "evidence": "finish_reason",
        "usage": {"source": "none"},
    },
)


class ReadyBatches:
    """A source that has all its batches already."""

    def __init__(self, batches: list[list[TokenEvent]]) -> None:
        self._batches: Iterator[list[TokenEvent]] = iter(batches)

    async def next_events(self) -> list[TokenEvent]:
        """The next batch, at once."""
        return next(self._batches)

    async def cancel(self) -> None:
        """Nothing to stop."""

    async def aclose(self) -> None:
        """Nothing to close."""


def batches_of(tokens: int, size: int) -> list[list[TokenEvent]]:
    """A whole stream of *tokens* tokens, *size* to a batch."""
    batches = [[token("tok", index) for index in range(at, min(at + size, tokens))] for at in range(0, tokens, size)]
    return [[STARTED], *batches, [END]]


def make_mappings(tokens: int, size: int) -> float:
    """The payloads alone: what any stream of mappings has to make."""
    began = time.process_time()
    for at in range(0, tokens, size):
        _ = [{"t": "tok", "i": index} for index in range(at, min(at + size, tokens))]
    return time.process_time() - began


def make_events(tokens: int, size: int) -> float:
    """The events: payload and object."""
    began = time.process_time()
    for at in range(0, tokens, size):
        _ = [token("tok", index) for index in range(at, min(at + size, tokens))]
    return time.process_time() - began


def guard_events(tokens: int, size: int) -> float:
    """The guard over events that are there."""
    batches, guard = batches_of(tokens, size), OrderGuard("benchmark")
    began = time.process_time()
    for batch in batches:
        guard.check(batch)
    return time.process_time() - began


def event_and_guard(tokens: int = 200_000, size: int = 32) -> float:
    """CPU microseconds for making one event and checking its place in the order."""
    return (make_events(tokens, size) + guard_events(tokens, size)) / tokens * 1e6


def iterate_stream(tokens: int, size: int) -> float:
    """`async for` over a stream: guard, hand-over, and one read per batch."""

    async def read() -> float:
        stream = TokenStream(ReadyBatches(batches_of(tokens, size)), task_id="t", origin="benchmark")
        began = time.process_time()
        async for _ in stream:
            pass
        return time.process_time() - began

    return asyncio.run(read())


def read_batches(tokens: int, size: int) -> float:
    """`next_batch` over a stream: what a host or a proxy does."""

    async def read() -> float:
        stream = TokenStream(ReadyBatches(batches_of(tokens, size)), task_id="t", origin="benchmark")
        began = time.process_time()
        while await stream.next_batch():
            pass
        return time.process_time() - began

    return asyncio.run(read())


PARTS: Final[dict[str, Callable[[int, int], float]]] = {
    "payload mapping alone": make_mappings,
    "event object": make_events,
    "order guard": guard_events,
    "stream, async for": iterate_stream,
    "stream, next_batch": read_batches,
}


def main() -> None:
    """Measure each part in turn, several rounds, and print medians in microseconds of CPU per token."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=200_000, help="tokens per round (default 200000)")
    parser.add_argument("--batch", type=int, default=32, help="tokens that one read brings (default 32)")
    options = parser.parse_args()
    seen: dict[str, list[float]] = {name: [] for name in PARTS}
    for _ in range(ROUNDS):
        for name, part in PARTS.items():
            seen[name].append(part(options.tokens, options.batch) / options.tokens * 1e6)
    cost = {name: statistics.median(costs) for name, costs in seen.items()}
    show(
        [f"median of {ROUNDS}, {options.batch} tokens a batch", "CPU us/token"],
        [[name, f"{value:.3f}"] for name, value in cost.items()],
    )
    show_goal(
        "event object and order guard", measured=cost["event object"] + cost["order guard"], goal=GOAL_US, unit="us"
    )


if __name__ == "__main__":
    main()
