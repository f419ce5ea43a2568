"""
Taking the steps of a plan, in both colours: the thin part that waits.

Spec: CLI-20
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from http_util.clock import SystemClock, SystemSyncClock
from openai_client.errors import OpenAIError
from openai_client.plans.steps import Pause, Seen, Together

if TYPE_CHECKING:
    from http_util.clock import Clock, SyncClock
    from openai_client.binding import AsyncCaller, SyncCaller
    from openai_client.operation import Operation
    from openai_client.plans.steps import Step, Steps

T = TypeVar("T")


def wait_for(client: SyncCaller, steps: Steps[T], *, clock: SyncClock | None = None, rng: Random | None = None) -> T:
    """
    Take the steps of a plan, blocking, and return what it ends with.

    Args:
        client: Makes the calls.
        steps: The plan.
        clock: Source of times and pauses; by default the client's.
        rng: Source of the pauses' random part.

    Raises:
        OpenAIError: The plan or a call failed.

    Spec: CLI-20
    """
    source: SyncClock = getattr(client, "clock", SystemSyncClock()) if clock is None else clock
    rng = rng or Random()
    try:
        step = next(steps)
        while True:
            try:
                result = _taken(client, step, source, rng)
            except OpenAIError as error:
                step = steps.throw(error)
            else:
                step = steps.send(Seen(result, source.monotonic()))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # a generator's value is what its type says
    finally:
        steps.close()


async def wait_for_async(
    client: AsyncCaller, steps: Steps[T], *, clock: Clock | None = None, rng: Random | None = None
) -> T:
    """Take the steps of a plan on an event loop; the rest is as for `wait_for`."""
    source: Clock = getattr(client, "clock", SystemClock()) if clock is None else clock
    rng = rng or Random()
    try:
        step = next(steps)
        while True:
            try:
                result = await _taken_async(client, step, source, rng)
            except OpenAIError as error:
                step = steps.throw(error)
            else:
                step = steps.send(Seen(result, source.monotonic()))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # a generator's value is what its type says
    finally:
        steps.close()


def _taken(client: SyncCaller, step: Step, clock: SyncClock, rng: Random) -> Any:
    """Return what comes of one step."""
    if isinstance(step, Pause):
        clock.sleep(step.seconds + step.spread * rng.random())
        return None
    if isinstance(step, Together):
        return [_executed(client, operation, keeps_errors=step.keeps_errors) for operation in step.operations]
    return client.execute(step, step.options)


def _executed(client: SyncCaller, operation: Operation[Any], *, keeps_errors: bool) -> Any:
    try:
        return client.execute(operation, operation.options)
    except OpenAIError as error:
        if not keeps_errors:
            raise
        return error


async def _taken_async(client: AsyncCaller, step: Step, clock: Clock, rng: Random) -> Any:
    """Return what comes of one step."""
    if isinstance(step, Pause):
        await clock.sleep(step.seconds + step.spread * rng.random())
        return None
    if isinstance(step, Together):
        return await _together(client, step)
    return await client.execute(step, step.options)


async def _together(client: AsyncCaller, step: Together) -> list[Any]:
    """Return what comes of several calls; the first that fails ends the others."""
    places = asyncio.Semaphore(step.at_once)

    async def one(operation: Operation[Any]) -> Any:
        async with places:
            try:
                return await client.execute(operation, operation.options)
            except OpenAIError as error:
                if not step.keeps_errors:
                    raise
                return error

    tasks = [asyncio.ensure_future(one(operation)) for operation in step.operations]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        # none of them outlives the call
        await asyncio.gather(*tasks, return_exceptions=True)
