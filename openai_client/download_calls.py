"""
How a client makes calls whose answer is read piece by piece: the part of it that both clients inherit.

Loads nothing before it is called.

Spec: CLI-17
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from http_util.call import HttpCall
    from http_util.clock import Clock, SyncClock
    from openai_client.downloads import AsyncDownload, Download
    from openai_client.operation import Call, CallOptions, Operation
    from openai_client.request_writing import PreparedCall
    from openai_client.transport import AsyncByteSource, AsyncTransport, ByteSource, Transport


class Downloads(ABC):
    """What a blocking client does for downloads."""

    _clock: SyncClock
    _transport: Transport

    @abstractmethod
    def _prepared(self, operation: Call, *, downloads: bool = False) -> PreparedCall:
        """Return the call as it is sent."""

    @abstractmethod
    def _opened(self, prepared: PreparedCall, ask: Callable[[HttpCall], ByteSource]) -> tuple[ByteSource, PreparedCall]:
        """Have the transport make the call, and return its open answer with what was sent."""

    def open_download(self, operation: Operation[Any], options: CallOptions | None = None) -> Download:
        """
        Return a call whose answer is read piece by piece, as a context manager. Entering makes the call.

        Args:
            operation: The call; any that is answered by one document, whatever its parser makes of it.
            options: Used instead of the operation's own.

        Spec: CLI-17
        """
        from openai_client.downloads import Download

        wanted = operation.with_options(options)
        return Download(
            lambda: self._opened(self._prepared(wanted, downloads=True), self._transport.download),
            self._clock,
            wanted.options.on_progress,
        )


class AsyncDownloads(ABC):
    """What a client on an event loop does for downloads."""

    _clock: Clock
    _transport: AsyncTransport

    @abstractmethod
    async def _prepared(self, operation: Call, *, downloads: bool = False) -> PreparedCall:
        """Return the call as it is sent."""

    @abstractmethod
    async def _opened(
        self, preparing: Awaitable[PreparedCall], ask: Callable[[HttpCall], Awaitable[AsyncByteSource]]
    ) -> tuple[AsyncByteSource, PreparedCall]:
        """Have the transport make the call, and return its open answer with what was sent."""

    def open_download(self, operation: Operation[Any], options: CallOptions | None = None) -> AsyncDownload:
        """
        Return a call whose answer is read piece by piece; arguments as `Downloads.open_download`.

        Spec: CLI-17
        """
        from openai_client.downloads import AsyncDownload

        wanted = operation.with_options(options)
        return AsyncDownload(
            lambda: self._opened(self._prepared(wanted, downloads=True), self._transport.download),
            self._clock,
            wanted.options.on_progress,
        )
