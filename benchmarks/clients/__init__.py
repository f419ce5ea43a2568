"""
The clients side by side: ours, the floors, the peers. Every one reads the same answers and hands them to a `Reading`.

Peers are no dependencies of the project: `pip install -r benchmarks/peers.txt`. One that is missing is left out.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from benchmarks.answers import Ask
    from benchmarks.readings import Reading

Wire = Literal["http1", "http1-tls", "http2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a client reads, and how."""

    base_url: str
    ca_file: str
    wire: Wire
    streams: int
    """The most streams at once."""

    @property
    def is_http2(self) -> bool:
        """Whether HTTP/2 is wanted; it is always over TLS."""
        return self.wire == "http2"

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.wire != "http1"


class Client(Protocol):
    """What a benchmark asks of a client."""

    async def read(self, ask: Ask, reading: Reading) -> None:
        """Read one whole stream: every token to `reading.take`, then set its finish reason and usage."""

    async def aclose(self) -> None:
        """Close every connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the tables."""

    name: str
    title: str
    module: str
    """Where `connect(target, engine)` stands, in this package."""
    engine: str = ""
    """Which of the engines that the module knows."""
    needs: tuple[str, ...] = ()
    """Modules that must be installed."""
    wires: tuple[Wire, ...] = ("http1", "http1-tls", "http2")
    http2_streams: int = 4096
    """Streams that it can have on HTTP/2, whatever the server allows."""
    uvloop: bool = False
    is_peer: bool = True
    """Neither a floor nor ours."""
    imports: str = ""
    """The statement whose cost is its import; empty where it is that of another row."""

    @property
    def missing(self) -> list[str]:
        """Modules that are needed and not installed."""
        wanted = (*self.needs, "uvloop") if self.uvloop else self.needs
        return [name for name in wanted if find_spec(name) is None]

    def connect(self, target: Target) -> Client:
        """The client, ready to read; to be called where its event loop runs."""
        module = importlib.import_module(f"benchmarks.clients.{self.module}")
        return module.connect(target, self.engine)


KINDS: Final = (
    Kind(
        name="raw",
        title="raw",
        module="raw",
        is_peer=False,
        imports="import asyncio, ssl, json, msgspec",
    ),
    Kind(name="raw-uvloop", title="raw, uvloop", module="raw", uvloop=True, is_peer=False),
    Kind(
        name="adapter",
        title="OpenAIHttpAdapter",
        module="adapter",
        is_peer=False,
        imports="from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig",
    ),
    Kind(name="adapter-uvloop", title="OpenAIHttpAdapter, uvloop", module="adapter", uvloop=True, is_peer=False),
    Kind(
        name="httpx",
        title="httpx 0.28",
        module="httpx_client",
        engine="httpx",
        needs=("httpx",),
        http2_streams=100,
        imports="import httpx",
    ),
    Kind(
        name="httpx-aiohttp",
        title="httpx, aiohttp engine",
        module="httpx_client",
        engine="aiohttp",
        needs=("httpx", "httpx_aiohttp"),
        wires=("http1", "http1-tls"),
        imports="import httpx_aiohttp",
    ),
    Kind(
        name="openai",
        title="official SDK",
        module="openai_sdk",
        engine="httpx",
        needs=("openai",),
        http2_streams=100,
        imports="from openai import AsyncOpenAI",
    ),
    Kind(
        name="openai-aiohttp",
        title="official SDK, aiohttp engine",
        module="openai_sdk",
        engine="aiohttp",
        needs=("openai", "aiohttp"),
        wires=("http1", "http1-tls"),
    ),
    Kind(
        name="litellm",
        title="litellm",
        module="litellm_client",
        needs=("litellm",),
        wires=("http1",),
        # without the setting it fetches its price list when it is imported
        imports="import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; from litellm import acompletion",
    ),
)
"""In the order of the tables: the floor first."""

BY_NAME: Final = {kind.name: kind for kind in KINDS}
FLOOR: Final = "raw"
"""The client that ratios are taken to."""
OFFICIAL: Final = "openai"
"""The peer that ratios are taken to."""
OURS: Final = ("adapter", "adapter-uvloop")
