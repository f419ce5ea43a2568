"""
Events of a transcription into its text.

Spec: CLI-10
"""

from __future__ import annotations

from typing import Any

from openai_client._generated.models.audio import (
    CreateTranscriptionResponseDiarizedJson,
    CreateTranscriptionResponseJson,
    CreateTranscriptionResponseStreamEvent,
    TranscriptTextDeltaEvent,
    TranscriptTextDoneEvent,
    TranscriptTextSegmentEvent,
)
from openai_client.streaming.accumulator import Accumulator, built
from openai_client.streaming.merging import Text, said


class TranscriptionAccumulator(
    Accumulator[
        CreateTranscriptionResponseStreamEvent,
        CreateTranscriptionResponseJson | CreateTranscriptionResponseDiarizedJson,
    ]
):
    """
    Collects one transcription: its text with logprobs, or with segments when speakers are told apart.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._text = Text()
        self._logprobs: list[Any] = []
        self._segments: list[dict[str, Any]] = []
        self._done: dict[str, Any] | None = None

    def add(self, event: CreateTranscriptionResponseStreamEvent) -> None:
        """Add the next event."""
        if isinstance(event, TranscriptTextDeltaEvent):
            self._text.add(event.delta)
            self._logprobs += said(event).get("logprobs") or ()
        elif isinstance(event, TranscriptTextSegmentEvent):
            self._segments.append(said(event))
        elif isinstance(event, TranscriptTextDoneEvent):
            self._done = {name: value for name, value in said(event).items() if name != "type"}

    @property
    def text(self) -> str:
        """The text so far."""
        return str(self._text) if self._done is None else self._done["text"]

    def missing(self) -> str | None:
        """Return what has to come before the text is whole; None when its last event came."""
        return "no event came that says that the text is done" if self._done is None else None

    def partial(self) -> CreateTranscriptionResponseJson | CreateTranscriptionResponseDiarizedJson:
        """Return the transcription so far: the diarized one when there are segments, and else the plain one."""
        fields: dict[str, Any] = {"text": self.text}
        if self._logprobs:
            fields["logprobs"] = self._logprobs
        fields |= self._done or {}
        if self._segments:
            segments = [{"id": str(place), **segment} for place, segment in enumerate(self._segments)]
            return built(
                CreateTranscriptionResponseDiarizedJson, {"task": "transcribe", **fields, "segments": segments}
            )
        return built(CreateTranscriptionResponseJson, fields)
