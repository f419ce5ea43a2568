"""The floor, by the wire that is asked for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from benchmarks.clients.raw_http1 import RawHttp1
from benchmarks.clients.raw_http2 import RawHttp2

if TYPE_CHECKING:
    from benchmarks.clients import Client, Target


def connect(target: Target, engine: str) -> Client:  # noqa: ARG001 - there is only one
    """A client of bare protocols."""
    context = None
    if target.is_tls:
        context = ssl.create_default_context(cafile=target.ca_file)
        context.set_alpn_protocols(["h2" if target.is_http2 else "http/1.1"])
    return (RawHttp2 if target.is_http2 else RawHttp1)(target.base_url, context)
