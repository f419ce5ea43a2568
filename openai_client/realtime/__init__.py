"""
Realtime sessions over WebSocket, in both colours.

Use `client.realtime.connect(...)` and `client.realtime.translations.connect(...)`; what they return is here. The
WebSocket library comes with the extra `realtime` (`pip install 'worker-adapters[realtime]'`) and is loaded when the
first session is opened.

- `opening`: from the client's settings to what a session is opened with. Pure.
- `messages`: from events to messages and back. Pure.
- `commands`: descriptors for `connection.response.create()` and its like, which are generated.
- `connection`: the open session. Thin: it waits and decides nothing.
- `connecting`: the methods that begin one; `sockets`: what a client does for them.

Spec: RT-01, RT-02, RT-03, RT-04
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openai_client.realtime.connection import (
        AsyncConnection,
        AsyncRealtimeConnection,
        AsyncTranslationConnection,
        Connection,
        RealtimeConnection,
        TranslationConnection,
    )
    from openai_client.realtime.opening import SessionLimits

__all__ = [
    "AsyncConnection",
    "AsyncRealtimeConnection",
    "AsyncTranslationConnection",
    "Connection",
    "RealtimeConnection",
    "SessionLimits",
    "TranslationConnection",
]

_HOME_OF: Final = {name: "opening" if name == "SessionLimits" else "connection" for name in __all__}


def __getattr__(name: str) -> Any:
    """Load the module that *name* lives in: every client imports this package, and few open a session."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
