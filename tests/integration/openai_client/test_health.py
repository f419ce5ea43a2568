"""Health checks over real sockets: what they find, and that stopping leaves nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from http_util import RetryPolicy
from http_util.health_check import Health, HealthChanged, HealthPolicy
from openai_client import AsyncClient, Client, errors
from openai_client.health import AsyncHealthCheck, HealthCheck
from tests.integration.openai_client.conftest import KEY
from tests.lateness import in_time, late_only_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

QUICK = HealthPolicy(interval=0.02, timeout=1.0, unhealthy_after=2)


class Listener:
    """A hook that says when a verdict has come."""

    def __init__(self) -> None:
        self.told: list[Health] = []
        self._changed = threading.Condition()

    def on_health_change(self, record: HealthChanged) -> None:
        with self._changed:
            self.told.append(record.new)
            self._changed.notify_all()

    def wait_for(self, *verdicts: Health) -> None:
        """Wait until these verdicts were told, in order."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.told == list(verdicts), 10.0), self.told


def checks_of(caller: Caller, policy: HealthPolicy | None = None, hooks: tuple[object, ...] = ()) -> Any:
    """Return the health check of the client's colour."""
    kind: Any = AsyncHealthCheck if caller.is_async else HealthCheck
    return kind(caller.client, policy, hooks=hooks)


async def done(made: Any) -> Any:
    """Wait for what has to be awaited."""
    return await made if asyncio.iscoroutine(made) else made


def checking_threads() -> list[str]:
    """Return the names of threads that check, or serve one that does."""
    return [thread.name for thread in threading.enumerate() if thread.name in {"health-check", "http-engine"}]


@pytest.mark.requirement("HC-01")
async def test_a_check_asks_the_upstream_once(callers: Callable[..., Caller], simulator: Simulator) -> None:
    """Also where the client itself would retry."""
    checks = checks_of(callers(retry=RetryPolicy(name="eager", base=0.001, retries_unknown=True)))
    assert (await done(checks.check())).health is Health.HEALTHY
    simulator.script("path=/v1/models;status=503")
    result = await done(checks.check())
    assert (result.passed, type(result.error)) == (False, errors.Overloaded)
    assert [line.path for line in simulator.log(settle=1.0)] == ["/v1/models"] * 2


@pytest.mark.requirement("HC-01")
async def test_the_loop_follows_the_upstream_down_and_up_again(caller: Caller, simulator: Simulator) -> None:
    """Its own connection is used again and again, and closed at the end."""
    hook = Listener()
    checks = checks_of(caller, QUICK, (hook,))
    await done(checks.start())
    await asyncio.to_thread(hook.wait_for, Health.HEALTHY)
    simulator.script("path=/v1/models;status=503;times=2")
    await asyncio.to_thread(hook.wait_for, Health.HEALTHY, Health.UNHEALTHY, Health.HEALTHY)
    await done(checks.stop())
    assert len({line.connection for line in simulator.log(settle=1.0)}) == 1
    assert simulator.seen().open_connections == 0
    assert checking_threads() == []


@pytest.mark.requirement("HC-01")
@late_only_once
async def test_stopping_during_a_check_that_hangs_is_prompt_and_leaves_nothing(
    caller: Caller, simulator: Simulator
) -> None:
    """The upstream sees the check go; no task, no thread, no connection."""
    tasks = asyncio.all_tasks()
    checks = checks_of(caller)
    simulator.script("path=/v1/models;stall=30")
    await done(checks.start())
    while not simulator.log():
        await asyncio.sleep(0.01)
    began = time.monotonic()
    await done(checks.stop())
    in_time(time.monotonic() - began, 0.5, "stopping")
    assert checks.stats.checks == 0
    (line,) = simulator.log(settle=2.0)
    assert line.left in {"disconnected", "reset"}
    assert simulator.seen().open_connections == 0
    assert checking_threads() == []
    assert asyncio.all_tasks() == tasks


@pytest.mark.requirement("HC-01")
@late_only_once
async def test_a_check_that_hangs_is_bounded(caller: Caller, simulator: Simulator) -> None:
    """By the policy's timeout, not by the client's."""
    simulator.script("path=/v1/models;stall=30")
    began = time.monotonic()
    result = await done(checks_of(caller, HealthPolicy(timeout=0.2)).check())
    took = time.monotonic() - began
    assert took >= 0.2
    in_time(took, 0.7, "the timeout")
    assert (result.passed, type(result.error)) == (False, errors.Timeout)


def retrieve_in_vain(client: Client) -> None:
    """Wait for an answer until the client is closed."""
    with pytest.raises(errors.OpenAIError):
        client.models.retrieve("simulated-small")


@pytest.mark.requirement("HC-01")
async def test_a_client_that_is_busy_to_its_limit_is_not_taken_for_a_sick_upstream(
    callers: Callable[..., Caller], simulator: Simulator
) -> None:
    """The loop has a connection of its own; a check on demand says that it could not ask."""
    caller = callers(base_url=simulator.base_url, http={"max_connections": 1, "pool_timeout": 0.05})
    simulator.script("path=/v1/models/simulated-small;stall=30")
    if caller.is_async:
        busy: Any = asyncio.ensure_future(caller.client.models.retrieve("simulated-small"))
    else:
        busy = threading.Thread(target=retrieve_in_vain, args=(caller.client,))
        busy.start()
    while not simulator.log():
        await asyncio.sleep(0.01)
    checks = checks_of(caller, QUICK)
    result = await done(checks.check())
    assert (result.passed, result.health) == (None, Health.UNKNOWN)
    hook = Listener()
    loop = checks_of(caller, QUICK, (hook,))
    await done(loop.start())
    await asyncio.to_thread(hook.wait_for, Health.HEALTHY)
    await done(loop.stop())
    if caller.is_async:
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
    else:
        caller.client.close()
        busy.join(5.0)


@pytest.mark.requirement("HC-01")
async def test_nobody_there_is_unhealthy() -> None:
    """A port that is closed, in both colours."""
    async with AsyncClient(base_url="http://127.0.0.1:9/v1", api_key=KEY) as client:
        checks = AsyncHealthCheck(client)
        assert [(await checks.check()).health for _ in range(3)][-1] is Health.UNHEALTHY
    with Client(base_url="http://127.0.0.1:9/v1", api_key=KEY) as sync_client:
        assert isinstance(HealthCheck(sync_client).check().error, errors.ConnectionFailed)
