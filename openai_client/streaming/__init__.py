"""
From chunks to the whole answer: one pure accumulator for every streaming endpoint.

Each is fed with `add`, chunk by chunk, and gives the answer as the endpoint would have given it unstreamed. What is
accumulated so far can be asked for at any time, also after a stream broke.

Spec: CLI-10
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openai_client.streaming.chat import ChatAccumulator
    from openai_client.streaming.completions import CompletionAccumulator
    from openai_client.streaming.responses import ResponseAccumulator

_HOME_OF: Final = {
    "ChatAccumulator": "chat",
    "CompletionAccumulator": "completions",
    "ResponseAccumulator": "responses",
}

__all__ = ["ChatAccumulator", "CompletionAccumulator", "ResponseAccumulator"]


def __getattr__(name: str) -> Any:
    """Load the family that *name* belongs to, and keep what was found."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
