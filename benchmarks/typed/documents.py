"""What the upstream answers, in the shape that the official service gives it; and what a reader has to find in it."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MODEL: Final = "gpt-4o-mini"
CHUNKS: Final = 2000
"""Of a streamed answer, before the one with the finish reason."""
APART: Final = 300
"""Of one whose chunks are written one by one."""
FILES: Final = 1000
"""Of a list."""
VECTORS: Final = 100
FLOATS: Final = 1536
WORD: Final = " word"
PER_WRITE: Final = 32
"""Chunks that a server which has fallen behind writes at once."""


class Task(StrEnum):
    """What a client is asked for; the value is also the model that tells the upstream what to answer."""

    COALESCED = "stream-coalesced"
    OWN_WRITES = "stream-own-writes"
    LIST = "list"
    COMPLETION = "completion"
    FLOATS = "embeddings-float"
    BASE64 = "embeddings-base64"


@dataclass(frozen=True, slots=True)
class Measure:
    """How a task is measured."""

    title: str
    calls: int
    """In one round."""
    units: int
    """What one call is divided by."""
    unit: str
    goal: float | None
    """The share of the official SDK's CPU that is aimed for."""


MEASURES: Final = {
    Task.COALESCED: Measure("streamed chat chunk, 32 a write", 3, CHUNKS, "us/chunk", 0.1),
    Task.OWN_WRITES: Measure("streamed chat chunk, one a write", 2, APART, "us/chunk", None),
    Task.LIST: Measure("list of 1,000 files", 10, 1000, "ms/list", 0.1),
    Task.COMPLETION: Measure("small chat completion", 150, 1000, "ms/call", None),
    Task.FLOATS: Measure("100 embeddings of 1,536, as numbers", 4, 1000, "ms/call", None),
    Task.BASE64: Measure("100 embeddings of 1,536, as base64", 10, 1000, "ms/call", None),
}


def _chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    document = {
        "id": "chatcmpl-BenchmarkAnswer0001",
        "object": "chat.completion.chunk",
        "created": 1_756_000_000,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "Zm9vYmFyYg",
    }
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def stream(chunks: int) -> list[bytes]:
    """The events of a streamed answer with so many words."""
    words = [_chunk({"content": WORD}) for _ in range(chunks)]
    return [_chunk({"role": "assistant", "content": ""}), *words, _chunk({}, "stop"), b"data: [DONE]\n\n"]


def files() -> bytes:
    """A list."""
    items = [
        {
            "id": f"file-{number:024}",
            "object": "file",
            "bytes": 1000 + number,
            "created_at": 1_756_000_000 + number,
            "expires_at": None,
            "filename": f"records-{number}.jsonl",
            "purpose": "fine-tune",
            "status": "processed",
            "status_details": None,
        }
        for number in range(FILES)
    ]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"], "has_more": False}
    return json.dumps({"object": "list", "data": items, **ends}).encode()


LIST_READS: Final = sum(1000 + number for number in range(FILES))
"""Bytes of all files together."""


def completion() -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": "Hello, how can I help?", "refusal": None, "annotations": []}
    details = {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0}
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16, "completion_tokens_details": details}
    return json.dumps(
        {
            "id": "chatcmpl-BenchmarkAnswer0001",
            "object": "chat.completion",
            "created": 1_756_000_000,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": usage,
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        }
    ).encode()


COMPLETION_READS: Final = len("Hello, how can I help?") + 16
"""Characters and tokens of the answer."""


def embeddings(*, as_base64: bool) -> bytes:
    """Vectors, as numbers or as base64 of little-endian float32."""
    values = [((place * 37) % 1000) / 1000 - 0.5 + 1 / 7 for place in range(FLOATS)]
    packed = struct.pack(f"<{FLOATS}f", *values)
    vector: object = base64.b64encode(packed).decode() if as_base64 else list(struct.unpack(f"<{FLOATS}f", packed))
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(VECTORS)]
    usage = {"prompt_tokens": 800, "total_tokens": 800}
    return json.dumps({"object": "list", "data": data, "model": MODEL, "usage": usage}).encode()


EXPECTED: Final = {
    Task.COALESCED: CHUNKS * len(WORD),
    Task.OWN_WRITES: APART * len(WORD),
    Task.LIST: LIST_READS,
    Task.COMPLETION: COMPLETION_READS,
    Task.FLOATS: VECTORS * FLOATS,
    Task.BASE64: VECTORS * len(base64.b64encode(bytes(4 * FLOATS))),
}
"""What the reader of one call must come to."""
