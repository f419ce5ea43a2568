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

from http_util.lazy_names import lazy_names

# every client imports this package, and few open a session
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "connection": (
            "AsyncConnection",
            "AsyncRealtimeConnection",
            "AsyncTranslationConnection",
            "Connection",
            "RealtimeConnection",
            "TranslationConnection",
        ),
        "opening": ("SessionLimits",),
    },
)
