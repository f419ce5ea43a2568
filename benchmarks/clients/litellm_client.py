"""litellm with its own settings, asked to call an OpenAI-compatible server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its price list when it is imported

import litellm

from benchmarks.answers import API_KEY, MODEL, Ask

if TYPE_CHECKING:
    from benchmarks.clients import Target
    from benchmarks.readings import Reading


class Litellm:
    """A client over litellm's module."""

    def __init__(self, base_url: str) -> None:
        """Call *base_url*."""
        self._base_url = base_url

    async def read(self, ask: Ask, reading: Reading) -> None:
        """See `Client`."""
        stream = await litellm.acompletion(
            model=f"openai/{MODEL}",
            api_base=self._base_url,
            api_key=API_KEY,
            messages=[{"role": "user", "content": ask.prompt}],
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=ask.tokens,
        )
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    reading.take(choice.delta.content)
                if choice.finish_reason:
                    reading.finish_reason = choice.finish_reason
            if (usage := getattr(chunk, "usage", None)) is not None:
                reading.usage = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)

    async def aclose(self) -> None:
        """Nothing of ours is open."""


def connect(target: Target, engine: str) -> Litellm:  # noqa: ARG001 - it chooses its engine itself
    """A client."""
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    return Litellm(target.base_url)
