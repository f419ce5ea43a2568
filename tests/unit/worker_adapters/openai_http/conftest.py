"""Adapters over an upstream that does what its script says, at a time that moves when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from adapter_api.testing import make_task
from http_util.testing import Answer, FakeClock, FixedRandom, ScriptedUpstream
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from adapter_api import TaskRequest


class TellingUpstream(ScriptedUpstream):
    """A scripted upstream that says, as the engine does, when a request goes out."""

    is_reached = True
    """False: every request stays in the connecting phase."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_reached:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
        return await super().handle_async_request(request)


class Rig(NamedTuple):
    """An adapter, what it talks to, and its time."""

    adapter: OpenAIHttpAdapter
    upstream: TellingUpstream
    clock: FakeClock


@pytest.fixture
def rig() -> Callable[..., Rig]:
    """Make an adapter: `rig(answer, answer, max_slots=2)`; pauses end at once with `auto=True`."""

    def make(*answers: Answer, auto: bool = False, jitter: float = 0.5, hooks: Any = None, **settings: Any) -> Rig:
        clock = FakeClock(now=1000.0, auto=auto)
        upstream = TellingUpstream(*answers, clock=clock)
        config = OpenAIHttpConfig(**{"base_url": "http://127.0.0.1:8000/v1", "model": "m", **settings})
        adapter = OpenAIHttpAdapter(config, clock=clock, rng=FixedRandom(jitter), transport=upstream, hooks=hooks)
        return Rig(adapter, upstream, clock)

    return make


@pytest.fixture
def task() -> Callable[..., TaskRequest]:
    """Make a task: `task("t-2", max_tokens=3)`."""

    def make(task_id: str = "t-1", **fields: Any) -> TaskRequest:
        prompt = None if {"messages", "inputs"} & fields.keys() else "Tell me of the sea."
        return make_task(task_id, **{"max_tokens": 8, "deadline_ms": 60_000, "prompt": prompt, **fields})

    return make
