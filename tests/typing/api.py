"""The public API as type checkers see it: never run, only read, so that a changed type shows in review."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

import adapter_host
import http_util
import openai_client
import providers
from adapter_api import (
    Attempt,
    Completion,
    Outcome,
    TaskRequest,
    TokenEvent,
    TokenStream,
    WorkerAdapter,
    WorkerError,
    WorkerHealth,
    WorkerProps,
)
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig


async def contract(adapter: WorkerAdapter, task: TaskRequest) -> None:
    """Every verb of the contract, and what it gives."""
    assert_type(await adapter.health(), WorkerHealth)
    assert_type(await adapter.props(), WorkerProps)
    assert_type(await adapter.engine_version(), str)
    stream = await adapter.submit(task)
    assert_type(stream, TokenStream)
    async with stream as entered:
        assert_type(entered, TokenStream)
        async for event in stream:
            assert_type(event, TokenEvent)
            assert_type(event.text, str)
            assert_type(event.index, int)
            assert_type(event.data, Mapping[str, Any])
    assert_type(await stream.next_batch(), list[TokenEvent])
    assert_type(await stream.collect(), Completion)
    assert_type(stream.terminal, TokenEvent | None)


async def openai_http(task: TaskRequest) -> None:
    """The adapter is a WorkerAdapter, built from its settings alone."""
    adapter = OpenAIHttpAdapter(
        OpenAIHttpConfig(
            base_url="https://127.0.0.1:8443/v1",
            api_key="...",
            model="m",
            api="chat",
            dialect="generic",
            ca_file=None,
            http2=True,
            retry="billing_safe",
            connect_timeout=5.0,
            first_byte_timeout=30.0,
            idle_timeout=30.0,
            content_timeout=120.0,
            pool_timeout=5.0,
            max_slots=64,
        )
    )
    await contract(adapter, task)
    assert_type(await adapter.cancel("t-1"), None)
    assert_type(await adapter.aclose(), None)


def failure(error: WorkerError) -> None:
    """The facts of a failure are fields."""
    assert_type(error.retriable, bool)
    assert_type(error.retry_after_ms, int | None)
    assert_type(error.outcome, Outcome | None)
    assert_type(error.http_status, int | None)
    assert_type(error.attempts, tuple[Attempt, ...])


def public_names() -> list[object]:
    """A name that a package does not have is an error, although names are found only when they are asked for."""
    return [
        adapter_host.Nothing,  # type: ignore[attr-defined] # what is shown here
        http_util.Nothing,  # type: ignore[attr-defined] # the same
        openai_client.Nothing,  # type: ignore[attr-defined] # the same
        providers.Nothing,  # type: ignore[attr-defined] # the same
    ]
