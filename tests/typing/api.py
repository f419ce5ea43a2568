"""The public API as type checkers see it: never run, only read, so that a changed type shows in review."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

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


def failure(error: WorkerError) -> None:
    """The facts of a failure are fields."""
    assert_type(error.retriable, bool)
    assert_type(error.retry_after_ms, int | None)
    assert_type(error.outcome, Outcome | None)
    assert_type(error.http_status, int | None)
    assert_type(error.attempts, tuple[Attempt, ...])
