"""An upstream of its own process, and adapters for it over real sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import upstream_simulator
from adapter_api import TaskRequest, testing
from tests.measuring import unmeasured_children
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from upstream_simulator import Simulator

    Adapters = Callable[..., AbstractAsyncContextManager[OpenAIHttpAdapter]]


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    """One upstream for the whole run: HTTP/1.1 in the clear, HTTP/2 over TLS."""
    with unmeasured_children():
        simulator = upstream_simulator.start(tls_port=0)
    with simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    """The upstream with a clean memory."""
    shared_simulator.reset()
    return shared_simulator


@pytest.fixture(params=["http/1.1", "h2"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Both protocols, one after the other."""
    return str(request.param)


@pytest.fixture
def adapters(simulator: Simulator) -> Adapters:
    """Make an adapter for the upstream, closed at the end of the block."""

    @asynccontextmanager
    async def make(protocol: str = "http/1.1", **settings: Any) -> AsyncIterator[OpenAIHttpAdapter]:
        where: dict[str, Any] = {"base_url": simulator.base_url}
        if protocol == "h2":
            where = {"base_url": simulator.tls_base_url, "ca_file": simulator.ca_file}
        adapter = OpenAIHttpAdapter(OpenAIHttpConfig(**where, **{"model": "m", **settings}))
        try:
            yield adapter
        finally:
            await adapter.aclose()

    return make


def make_task(task_id: str = "t-1", **fields: Any) -> TaskRequest:
    """A small completion task."""
    prompt = None if {"messages", "inputs"} & fields.keys() else "Tell me of the sea."
    return testing.make_task(task_id, **{"max_tokens": 8, "deadline_ms": 20_000, "prompt": prompt, **fields})


@pytest.fixture
def task() -> Callable[..., TaskRequest]:
    """Make a task: `task("t-2", max_tokens=3)`."""
    return make_task
