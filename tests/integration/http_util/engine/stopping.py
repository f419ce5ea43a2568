"""The ways in which asyncio and anyio stop what is running, each of which a request must survive."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    Work = Coroutine[Any, Any, object]
    Moment = Callable[[], Awaitable[object]]


class Failure(Exception):
    """What a sibling in a task group fails with."""


async def task_cancel(work: Work, moment: Moment) -> None:
    """Cancel the task, as a supervisor does."""
    task = asyncio.ensure_future(work)
    await moment()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def asyncio_timeout(work: Work, moment: Moment) -> None:
    """Let `asyncio.timeout` run out."""
    scopes: list[asyncio.Timeout] = []

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as scope:
                scopes.append(scope)
                await work

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    await moment()
    if not task.done():
        scopes[0].reschedule(asyncio.get_running_loop().time())
    await task


async def anyio_scope(work: Work, moment: Moment) -> None:
    """Cancel the scope that the work runs in."""
    scope = anyio.CancelScope()

    async def run() -> None:
        with scope:
            await work

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    await moment()
    scope.cancel()
    await task


async def anyio_deadline(work: Work, moment: Moment) -> None:
    """Let `anyio.move_on_after` run out."""
    scopes: list[anyio.CancelScope] = []

    async def run() -> None:
        with anyio.move_on_after(60) as scope:
            scopes.append(scope)
            await work

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    await moment()
    scopes[0].deadline = anyio.current_time()
    await task


async def failing_sibling(work: Work, moment: Moment) -> None:
    """Have a sibling fail in the same `asyncio.TaskGroup`."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work)
            await moment()
            raise Failure
    except* Failure:
        pass


async def failing_anyio_sibling(work: Work, moment: Moment) -> None:
    """Have a sibling fail in the same anyio task group."""

    async def run() -> None:
        await work

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await asyncio.sleep(0)
            await moment()
            raise Failure
    except* Failure:
        pass


WAYS: Final = (task_cancel, asyncio_timeout, anyio_scope, anyio_deadline, failing_sibling, failing_anyio_sibling)
