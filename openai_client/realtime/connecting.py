"""
The methods that begin a realtime session: what `client.realtime` has besides its operations.

They return a session that is opened when its block is entered; until then nothing is loaded or sent.

Spec: RT-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from openai_client.calling import call_options
from openai_client.errors import InvalidFieldValue
from openai_client.operation import query
from openai_client.resource_methods import shows_fields

if TYPE_CHECKING:
    from openai_client.calling import CallKeywords
    from openai_client.realtime.connection import (
        AsyncRealtimeConnection,
        AsyncTranslationConnection,
        RealtimeConnection,
        TranslationConnection,
    )
    from openai_client.realtime.opening import SessionLimits, SessionRequest


class RealtimeConnecting:
    """What the blocking `client.realtime` has besides its operations."""

    _client: Any

    @shows_fields
    def connect(
        self,
        *,
        model: str | None = None,
        call_id: str | None = None,
        limits: SessionLimits | None = None,
        **call: Unpack[CallKeywords],
    ) -> RealtimeConnection:
        """
        Return a realtime session; entering its block opens it.

        Args:
            model: Which model to talk to. May be left out for a transcription, or where the server has only one.
            call_id: Joins the session of a running call instead, to watch and steer it.
            limits: How much it takes and how long it waits.
            call: `timeout` bounds the opening, `extra_headers` and `extra_query` are added.

        Raises:
            InvalidFieldValue: *model* and *call_id* are given both, or one is empty.

        Spec: RT-01
        """
        from openai_client.realtime.connection import RealtimeConnection

        return RealtimeConnection(self._client, _request(model, call_id, limits, call))


class AsyncRealtimeConnecting:
    """What the awaited `client.realtime` has besides its operations."""

    _client: Any

    @shows_fields
    def connect(
        self,
        *,
        model: str | None = None,
        call_id: str | None = None,
        limits: SessionLimits | None = None,
        **call: Unpack[CallKeywords],
    ) -> AsyncRealtimeConnection:
        """Return a realtime session; entering its block opens it. As `RealtimeConnecting.connect`."""
        from openai_client.realtime.connection import AsyncRealtimeConnection

        return AsyncRealtimeConnection(self._client, _request(model, call_id, limits, call))


class TranslationConnecting:
    """What the blocking `client.realtime.translations` has besides its operations."""

    _client: Any

    @shows_fields
    def connect(
        self, *, model: str, limits: SessionLimits | None = None, **call: Unpack[CallKeywords]
    ) -> TranslationConnection:
        """Return a translation session; entering its block opens it. Arguments as `RealtimeConnecting.connect`."""
        from openai_client.realtime.connection import TranslationConnection

        return TranslationConnection(self._client, _translation(model, limits, call))


class AsyncTranslationConnecting:
    """What the awaited `client.realtime.translations` has besides its operations."""

    _client: Any

    @shows_fields
    def connect(
        self, *, model: str, limits: SessionLimits | None = None, **call: Unpack[CallKeywords]
    ) -> AsyncTranslationConnection:
        """Return a translation session; entering its block opens it. Arguments as `RealtimeConnecting.connect`."""
        from openai_client.realtime.connection import AsyncTranslationConnection

        return AsyncTranslationConnection(self._client, _translation(model, limits, call))


def _request(
    model: str | None, call_id: str | None, limits: SessionLimits | None, call: CallKeywords
) -> SessionRequest:
    """Return the realtime session that is asked for."""
    if model is not None and call_id is not None:
        raise InvalidFieldValue("call_id: a call has its model already; leave out one of model and call_id")
    return _session("", {"model": model, "call_id": call_id}, limits, call)


def _translation(model: str, limits: SessionLimits | None, call: CallKeywords) -> SessionRequest:
    """Return the translation session that is asked for."""
    return _session("/translations", {"model": model}, limits, call)


def _session(
    path: str, about: dict[str, str | None], limits: SessionLimits | None, call: CallKeywords
) -> SessionRequest:
    from openai_client.realtime.opening import SessionLimits, SessionRequest

    for name, value in about.items():
        if value is not None and not (isinstance(value, str) and value.strip()):
            shown = repr(value) if isinstance(value, str) else type(value).__name__
            raise InvalidFieldValue(f"{name}: must be a str that is not empty, not {shown}", param=name)
    if not isinstance(limits, SessionLimits | None):
        raise InvalidFieldValue(f"limits: must be SessionLimits, not {type(limits).__name__}", param="limits")
    return SessionRequest(
        path=path,
        parameters=query({}, **about),
        options=call_options(call),
        limits=limits or SessionLimits(),
    )
