"""
Ports at which nobody listens, now and until this process ends.

They are taken and never listened at: a port that is only looked up and given back may be another process's a moment
later, when tests run side by side.
"""

from __future__ import annotations

import socket
from itertools import cycle


def _taken() -> int:
    """Take a port for as long as this process lives."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
        taken.detach()
        return port


_PORTS = cycle([_taken(), _taken()])


def unused_port() -> int:
    """Return a port at which nobody listens; two calls in a row return two."""
    return next(_PORTS)
