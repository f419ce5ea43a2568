"""
Events of spoken text into its audio.

Spec: CLI-10
"""

from __future__ import annotations

from openai_client._generated.models.audio import (
    CreateSpeechResponseStreamEvent,
    SpeechAudioDeltaEvent,
    SpeechAudioDoneEvent,
    SpeechAudioDoneEventUsage,
)
from openai_client.streaming.accumulator import Accumulator
from openai_client.streaming.merging import decoded


class SpeechAccumulator(Accumulator[CreateSpeechResponseStreamEvent, bytes]):
    """
    Collects the audio of one speech stream.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._audio = bytearray()
        self._is_done = False
        self.usage: SpeechAudioDoneEventUsage | None = None
        """What the call cost, once the last event came."""

    def add(self, event: CreateSpeechResponseStreamEvent) -> None:
        """
        Add the next event.

        Raises:
            DeserializationError: Its audio is no base64.
        """
        if isinstance(event, SpeechAudioDeltaEvent):
            self._audio += decoded(event.audio or "", "audio")
        elif isinstance(event, SpeechAudioDoneEvent):
            self._is_done, self.usage = True, event.usage

    def missing(self) -> str | None:
        """Return what has to come before the audio is whole; None when its last event came."""
        return None if self._is_done else "no event came that says that the audio is done"

    def partial(self) -> bytes:
        """Return the audio so far, in the format that was asked for."""
        return bytes(self._audio)
