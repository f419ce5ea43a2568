"""What a test measures of its own process, as Linux tells it."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def open_files() -> int:
    """Return how many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def open_places() -> list[str]:
    """Return what these files and sockets are: paths, or words such as `socket:[4711]`."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        # the folder itself is among what was listed, and closed by now
        with contextlib.suppress(OSError):
            found.append(str(link.readlink()))
    return found


def open_sockets() -> int:
    """Return how many sockets this process has open."""
    return sum(place.startswith("socket:") for place in open_places())
