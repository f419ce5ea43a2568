"""
Paced streams through one adapter for many minutes, some cancelled at random; nothing may be lost, mixed or left.

    python -m benchmarks.soak [--minutes 10] [--streams 300] [--cancel 5%] [--http1 | --http2]

Prints a line every 30 seconds. Ends with status 1 and the reason at the first violation:

- a token out of order, of another stream, missing, or behind a cancel; a wrong finish reason or usage;
- a cancel that the upstream has not seen within 100 ms (`--bound`);
- more descriptors, tasks or memory than at the end of the warm-up; a slot, a stream or a connection left at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Final

from benchmarks.board import Board
from benchmarks.clients import Target
from benchmarks.clients.adapter import make_adapter
from benchmarks.cores import descriptors, pin, raise_descriptor_limit, settle_malloc
from benchmarks.soak.streams import Streams, Violation
from benchmarks.soak.watch import Watch, until_settled
from benchmarks.upstream import running

MAX_STREAMS: Final = 128
"""Streams that the upstream allows on one connection, as nginx does."""


async def soak(target: Target, board: Board, options: argparse.Namespace) -> None:
    """Run everything; raises `Violation`."""
    files, tasks = descriptors(), len(asyncio.all_tasks())
    adapter = make_adapter(target)
    streams = Streams(adapter, board, share=options.cancel, bound=options.bound, seed=options.seed)
    seconds = options.minutes * 60
    try:
        async with asyncio.TaskGroup() as group:
            for slot in range(options.streams):
                group.create_task(streams.keep_busy(slot))
            await Watch(streams, board, min(60.0, seconds / 5)).run(seconds)
            streams.is_stopping = True
        await until_settled("streams at the upstream", lambda: board.open_streams == 0)
        props = await adapter.props()
        if props.slots_free != props.slots_total:
            raise Violation(f"left at the end: {props.slots_total - props.slots_free} slots")
    finally:
        await adapter.aclose()
    await until_settled("connections at the upstream", lambda: board.connections == 0)
    await until_settled("tasks", lambda: len(asyncio.all_tasks()) <= tasks)
    await until_settled("descriptors", lambda: descriptors() <= files + 1)


def share(text: str) -> float:
    """*text* as a share: `5%` or `0.05`."""
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0% to 100%, got {text}")
    return value


def reasons(error: BaseException) -> list[str]:
    """What went wrong, out of the groups that tasks make of it."""
    if isinstance(error, BaseExceptionGroup):
        return [reason for inner in error.exceptions for reason in reasons(inner)]
    return [f"{type(error).__name__}: {error}"]


def main() -> None:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    parser.add_argument("--streams", type=int, default=300, help="streams at once (default 300)")
    parser.add_argument("--cancel", type=share, default="5%", help="share of streams that are cancelled (default 5%%)")
    parser.add_argument("--bound", type=float, default=0.1, help="seconds for a cancel to be seen (default 0.1)")
    parser.add_argument("--seed", type=int, default=1, help="of all random choices (default 1)")
    wire = parser.add_mutually_exclusive_group()
    wire.add_argument("--http2", dest="wire", action="store_const", const="http2", help="TLS, HTTP/2 (default)")
    wire.add_argument("--http1", dest="wire", action="store_const", const="http1", help="clear, HTTP/1.1")
    parser.add_argument("--uvloop", action="store_true", help="on uvloop")
    options = parser.parse_args()
    pin(0)
    raise_descriptor_limit()
    settle_malloc()
    loop_factory = None
    if options.uvloop:
        import uvloop

        loop_factory = uvloop.new_event_loop
    http2 = options.wire != "http1"
    with running(max_streams=MAX_STREAMS) as upstream, Board(upstream.board) as board:
        target = Target(
            base_url=upstream.https if http2 else upstream.http,
            ca_file=upstream.ca_file,
            wire="http2" if http2 else "http1",
            streams=options.streams,
        )
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(soak(target, board, options))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and fails
            for reason in sorted(set(reasons(error))):
                print(f"FAILED {reason}")
            sys.exit(1)
    print("passed: nothing lost, nothing mixed up, nothing left")


if __name__ == "__main__":
    main()
