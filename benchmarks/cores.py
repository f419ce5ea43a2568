"""Where a process runs and what it holds: its core, its memory, its descriptors. For Linux."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

_PAGE: Final = resource.getpagesize()


def pin(position: int) -> int | None:
    """
    Keep this process on one core, the first or the last that it may use.

    Args:
        position: 0 for the client's core, -1 for the upstream's.

    Returns:
        The core, or None where there is only one or the system cannot pin.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return None
    os.sched_setaffinity(0, {cores[position]})
    return cores[position]


def settle_malloc() -> None:
    """
    Bring the C allocator into the state that it has in any program that has run for a while.

    asyncio reads a clear socket into a block of 256 KiB. In a young process glibc maps and unmaps such a block for
    every read, which makes reads three times as dear, until the program has freed one block of that size. Which client
    has done that by the time it is measured is chance.
    """
    bytearray(4 << 20)


def raise_descriptor_limit() -> None:
    """Let this process open as many sockets as the system admits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def resident_bytes() -> int:
    """The memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def descriptors() -> int:
    """How many file descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
