"""
Middleware: objects that look like a client and stand in front of one.

A middleware has the client's families and its `execute`, `open_stream`, `open_download` and `fetch_page`; what it does
not care about it hands on. So they stack, and code that takes a client need not know:

    client = CachingClient(SingleFlightClient(Client(...)), MemoryStore(), tenant="acme")
    client.models.list()

Who made the client closes it; a middleware owns nothing that would have to be closed.

Spec: REL-01, REL-03, REL-08
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from http_util.clock import SystemClock, SystemSyncClock
from http_util.deadline import Deadline
from http_util.errors import HttpFailure
from http_util.frames import without_frames
from http_util.watch import AsyncWatch
from openai_client._generated.families import AsyncFamilies, SyncFamilies
from openai_client.binding import AsyncCaller, SyncCaller
from openai_client.error_mapping import from_failure
from openai_client.webhooks import ReadsWebhooks

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from http_util.clock import Clock, SyncClock
    from openai_client.config import ClientConfig
    from openai_client.downloads import AsyncDownload, Download
    from openai_client.operation import CallOptions, Operation, PageOperation, StreamOperation
    from openai_client.pagination import AsyncPage, Page
    from openai_client.realtime.opening import SessionRequest
    from openai_client.realtime.sockets import AsyncOpenSocket, OpenSocket
    from openai_client.streams import AsyncStream, Stream

T = TypeVar("T")
E = TypeVar("E")

# a request that ends by the same deadline does so by itself, and its error says more
_GRACE: Final = 0.01


class CallsNext(SyncCaller, Protocol):
    """What a blocking middleware stands in front of: a `Client`, or another middleware."""

    @property
    def config(self) -> ClientConfig:
        """The settings of the client at the end of the row."""


class AsyncCallsNext(AsyncCaller, Protocol):
    """What an awaited middleware stands in front of: an `AsyncClient`, or another middleware."""

    @property
    def config(self) -> ClientConfig:
        """The settings of the client at the end of the row."""


class Middleware(SyncFamilies, ReadsWebhooks):
    """What all blocking middleware has in common: everything but `execute`."""

    def __init__(self, client: CallsNext, *, clock: SyncClock | None = None) -> None:
        """Stand in front of *client*; *clock* is the same as the client's, by default the system's."""
        self.client = client
        """What stands behind."""
        self._clock: SyncClock = clock or SystemSyncClock()

    @property
    def config(self) -> ClientConfig:
        """The settings of the client at the end of the row."""
        return self.client.config

    @property
    def clock(self) -> SyncClock:
        """Where its times come from."""
        return self._clock

    @abstractmethod
    def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call and return its result; see `Client.execute`."""

    def open_stream(self, operation: StreamOperation[E], options: CallOptions | None = None) -> Stream[E]:
        """Return a streamed call of the client behind; see `Client.open_stream`."""
        return self.client.open_stream(operation, options or operation.options)

    def open_download(self, operation: Operation[Any], options: CallOptions | None = None) -> Download:
        """Return a download of the client behind; see `Client.open_download`."""
        return self.client.open_download(operation, options or operation.options)

    def fetch_page(self, operation: PageOperation[T], options: CallOptions | None = None) -> Page[T]:
        """Fetch one page through the client behind; see `Client.fetch_page`."""
        return self.client.fetch_page(operation, options or operation.options)

    def open_socket(self, request: SessionRequest) -> OpenSocket:
        """Open a realtime session of the client behind; see `Client.open_socket`."""
        return self.client.open_socket(request)

    def __repr__(self) -> str:
        """Return the row."""
        return f"{type(self).__name__}({self.client!r})"


class AsyncMiddleware(AsyncFamilies, ReadsWebhooks):
    """What all awaited middleware has in common: everything but `execute`. For one event loop."""

    def __init__(self, client: AsyncCallsNext, *, clock: Clock | None = None) -> None:
        """Stand in front of *client*; *clock* is the same as the client's, by default the system's."""
        self.client = client
        """What stands behind."""
        self._clock: Clock = clock or SystemClock()

    @property
    def config(self) -> ClientConfig:
        """The settings of the client at the end of the row."""
        return self.client.config

    @property
    def clock(self) -> Clock:
        """Where its times come from."""
        return self._clock

    @abstractmethod
    async def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call and return its result; see `AsyncClient.execute`."""

    def open_stream(self, operation: StreamOperation[E], options: CallOptions | None = None) -> AsyncStream[E]:
        """Return a streamed call of the client behind; see `AsyncClient.open_stream`."""
        return self.client.open_stream(operation, options or operation.options)

    def open_download(self, operation: Operation[Any], options: CallOptions | None = None) -> AsyncDownload:
        """Return a download of the client behind; see `AsyncClient.open_download`."""
        return self.client.open_download(operation, options or operation.options)

    async def fetch_page(self, operation: PageOperation[T], options: CallOptions | None = None) -> AsyncPage[T]:
        """Fetch one page through the client behind; see `AsyncClient.fetch_page`."""
        return await self.client.fetch_page(operation, options or operation.options)

    async def open_socket(self, request: SessionRequest) -> AsyncOpenSocket:
        """Open a realtime session of the client behind; see `AsyncClient.open_socket`."""
        return await self.client.open_socket(request)

    async def _within(self, deadline: Deadline, awaitable: Awaitable[T]) -> T:
        """
        Wait for what a shared request brings, until *deadline*.

        Raises:
            Timeout: The deadline passed.
        """
        watch = AsyncWatch(self._clock, Deadline(deadline.at + _GRACE))
        try:
            return await watch.guard(awaitable)
        except HttpFailure as failure:
            raise from_failure(failure) from without_frames(failure)
        finally:
            watch.stop()

    def __repr__(self) -> str:
        """Return the row."""
        return f"{type(self).__name__}({self.client!r})"
