"""
Calls that have no method: any path below the base URL, through the same auth, errors and records as all others.

Spec: CLI-19
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

from http_util.frames import shows_no_arguments
from openai_client.raw import raw_operation, raw_stream_operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from openai_client.base_model import Untyped
    from openai_client.metadata import Answer
    from openai_client.operation import CallOptions, Operation, QueryValue, StreamOperation
    from openai_client.streams import AsyncStream, Stream

T = TypeVar("T")
E = TypeVar("E")

_raw_operation = shows_no_arguments(raw_operation)
_raw_stream_operation = shows_no_arguments(raw_stream_operation)


class RawCalls(ABC):
    """
    The raw calls of the blocking client.

    Spec: CLI-19
    """

    @abstractmethod
    def with_metadata(self, operation: Operation[T], options: CallOptions | None = None) -> Answer[T]:
        """Make a call and return its result together with the head of the answer."""

    @abstractmethod
    def open_stream(self, operation: StreamOperation[E], options: CallOptions | None = None) -> Stream[E]:
        """Return a streamed call."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None = None,
        options: CallOptions | None = None,
    ) -> Answer[bytes]:
        """
        Make any call below the base URL; arguments and errors as `raw_operation` and `execute`.

        Spec: CLI-19
        """
        try:
            operation = _raw_operation(method, path, query=query, body=body)
        finally:
            # this frame may be shown in a traceback
            del query, body
        return self.with_metadata(operation, options)

    def request_stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None = None,
        options: CallOptions | None = None,
    ) -> Stream[Untyped]:
        """
        Return any streamed call below the base URL; arguments as `raw_stream_operation`, use as `open_stream`.

        Spec: CLI-19
        """
        try:
            operation = _raw_stream_operation(method, path, query=query, body=body)
        finally:
            # this frame may be shown in a traceback
            del query, body
        return self.open_stream(operation, options)


class AsyncRawCalls(ABC):
    """
    The raw calls of the asynchronous client; each as its namesake of `RawCalls`.

    Spec: CLI-19
    """

    @abstractmethod
    async def with_metadata(self, operation: Operation[T], options: CallOptions | None = None) -> Answer[T]:
        """Make a call and return its result together with the head of the answer."""

    @abstractmethod
    def open_stream(self, operation: StreamOperation[E], options: CallOptions | None = None) -> AsyncStream[E]:
        """Return a streamed call."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None = None,
        options: CallOptions | None = None,
    ) -> Answer[bytes]:
        """
        Make any call below the base URL; arguments and errors as `raw_operation` and `execute`.

        Spec: CLI-19
        """
        try:
            operation = _raw_operation(method, path, query=query, body=body)
        finally:
            # this frame may be shown in a traceback
            del query, body
        return await self.with_metadata(operation, options)

    def request_stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        body: Mapping[str, object] | Sequence[object] | BaseModel | bytes | None = None,
        options: CallOptions | None = None,
    ) -> AsyncStream[Untyped]:
        """
        Return any streamed call below the base URL; arguments as `raw_stream_operation`, use as `open_stream`.

        Spec: CLI-19
        """
        try:
            operation = _raw_stream_operation(method, path, query=query, body=body)
        finally:
            # this frame may be shown in a traceback
            del query, body
        return self.open_stream(operation, options)
