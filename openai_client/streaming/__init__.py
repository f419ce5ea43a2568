"""
From chunks to the whole answer: one pure accumulator for every streaming endpoint.

Each is fed with `add`, event by event; `result` gives the answer as the endpoint would have given it unstreamed, and
says what is missing when it is not whole; `partial` gives what there is, also after a stream broke.

Spec: CLI-10
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openai_client.streaming.accumulator import Accumulator
    from openai_client.streaming.beta_responses import BetaResponseAccumulator
    from openai_client.streaming.chat import ChatAccumulator
    from openai_client.streaming.completions import CompletionAccumulator
    from openai_client.streaming.images import ImageAccumulator
    from openai_client.streaming.responses import ResponseAccumulator
    from openai_client.streaming.runs import RunAccumulator, RunTranscript
    from openai_client.streaming.speech import SpeechAccumulator
    from openai_client.streaming.transcription import TranscriptionAccumulator

_HOME_OF: Final = {
    "Accumulator": "accumulator",
    "BetaResponseAccumulator": "beta_responses",
    "ChatAccumulator": "chat",
    "CompletionAccumulator": "completions",
    "ImageAccumulator": "images",
    "ResponseAccumulator": "responses",
    "RunAccumulator": "runs",
    "RunTranscript": "runs",
    "SpeechAccumulator": "speech",
    "TranscriptionAccumulator": "transcription",
}

__all__ = [
    "Accumulator",
    "BetaResponseAccumulator",
    "ChatAccumulator",
    "CompletionAccumulator",
    "ImageAccumulator",
    "ResponseAccumulator",
    "RunAccumulator",
    "RunTranscript",
    "SpeechAccumulator",
    "TranscriptionAccumulator",
]


def __getattr__(name: str) -> Any:
    """Load the family that *name* belongs to, and keep what was found."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
