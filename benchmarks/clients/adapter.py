"""Our adapter, as an orchestrator uses it: `submit`, then event by event. Records below a warning are not written."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from adapter_api import TaskRequest
from benchmarks.answers import API_KEY, MODEL, Ask
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from benchmarks.clients import Target
    from benchmarks.readings import Reading

DEADLINE_MS = 3_600_000


class Adapter:
    """A client over one adapter."""

    def __init__(self, adapter: OpenAIHttpAdapter) -> None:
        """Read through *adapter*, which is closed with the client."""
        self._adapter = adapter
        self._numbers = itertools.count()

    async def read(self, ask: Ask, reading: Reading) -> None:
        """See `Client`."""
        async with await self._adapter.submit(task_for(ask, f"task-{next(self._numbers)}")) as stream:
            async for event in stream:
                if event.kind == "token":
                    reading.take(event.text)
            stream.raise_for_error()
            end = stream.terminal.data
        reading.finish_reason = end["finish_reason"]
        usage = end["usage"]
        reading.usage = (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"])

    async def aclose(self) -> None:
        """See `Client`."""
        await self._adapter.aclose()


def task_for(ask: Ask, task_id: str) -> TaskRequest:
    """The task that asks for *ask*."""
    return TaskRequest(
        task_id=task_id,
        session_id="benchmark",
        workload="completion",
        model_ref=MODEL,
        engine="openai",
        ctx=10_000_000,
        priority="batch",
        max_tokens=ask.tokens,
        deadline_ms=DEADLINE_MS,
        prompt=ask.prompt,
    )


def make_adapter(target: Target) -> OpenAIHttpAdapter:
    """An adapter with the settings that everybody has, but as many slots as there are streams."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return OpenAIHttpAdapter(
        OpenAIHttpConfig(
            base_url=target.base_url,
            api_key=API_KEY,
            model=MODEL,
            http2=target.is_http2,
            ca_file=Path(target.ca_file) if target.is_tls else None,
            max_slots=target.streams,
            pool_timeout=60,
            connect_timeout=60,
            first_byte_timeout=120,
        )
    )


def connect(target: Target, engine: str) -> Adapter:  # noqa: ARG001 - the adapter has only one
    """A client over an adapter of its own."""
    return Adapter(make_adapter(target))
