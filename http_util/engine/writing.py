"""
Whether a transport still takes what is written to it.

A transport knows that its connection is dead one or more turns of the event loop before it tells its protocol. What is
written meanwhile is dropped, and asyncio complains in the log from the fifth time on: when a connection dies under many
streams, they would all write in that moment.

`asyncio.Transport.is_closing` tells, but in Python 3.11 not through TLS, where the transport below has to be asked, and
that one is not public. A transport of another make, such as uvloop's, has none to be found, and is asked itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def takes_writes(transport: asyncio.BaseTransport) -> bool:
    """Tell whether what is written to *transport* may still be sent."""
    below: Any = transport
    # TLS may run inside of TLS, behind a proxy
    while below is not None and not below.is_closing():
        tls = getattr(below, "_ssl_protocol", None)
        if tls is None:
            return True
        below = getattr(tls, "_transport", None)
    return False
