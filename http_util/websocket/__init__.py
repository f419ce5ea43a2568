"""
WebSocket sessions, kept to the rules of every other call: egress, TLS, proxies, timers, limits and redaction.

- `opening`: what a session is opened with, as a value. Pure.
- `endings`: what the end of a session, or a handshake that failed, means. Pure.
- `connection`: one session on an event loop. The only room that drives the WebSocket library.
- `sockets`: the sessions of one client, in both colours; for threads, over an event loop in a thread of its own.

The library comes with the extra `realtime`, and is loaded when the first session is opened.

Spec: RT-01, RT-02, RT-03
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs_websockets() -> Iterator[None]:
    """
    Stand around the import of `sockets`.

    Raises:
        PolicyFailure: *configuration*: the library is not installed; the text names the extra.

    Spec: RT-03
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "websockets":
            raise
        raise PolicyFailure(
            "realtime sessions need the package websockets: install worker-adapters[realtime]",
            reason="configuration",
            outcome=Outcome.NOT_SENT,
        ) from None
