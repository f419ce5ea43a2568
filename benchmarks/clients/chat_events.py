"""The decoder of clients that bring none: bytes of a chat stream to a `Reading`, one split and one partial decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from benchmarks.readings import Reading

DONE: Final = b"data: [DONE]"


class Delta(msgspec.Struct):
    """What the token path needs of a delta."""

    content: str | None = None


class Choice(msgspec.Struct):
    """What it needs of a choice."""

    delta: Delta
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """The count of tokens at the end."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Chunk(msgspec.Struct):
    """What it needs of a chunk."""

    choices: list[Choice] = []
    usage: Usage | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode


class ChatEvents:
    """Decodes one stream, however its bytes are cut."""

    __slots__ = ("_reading", "_rest", "is_done")

    def __init__(self, reading: Reading) -> None:
        """Hand everything to *reading*."""
        self._reading = reading
        self._rest = b""
        self.is_done = False
        """Whether `[DONE]` has come."""

    def feed(self, data: bytes) -> None:
        """Take in one piece."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        reading = self._reading
        for event in events:
            if event == DONE:
                self.is_done = True
                return
            chunk = decode_chunk(event[6:])
            for choice in chunk.choices:
                if choice.delta.content:
                    reading.take(choice.delta.content)
                if choice.finish_reason:
                    reading.finish_reason = choice.finish_reason
            if (usage := chunk.usage) is not None:
                reading.usage = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
