"""What a host takes of the value that clients and adapters take too."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_api import WorkerError
from adapter_api.testing import ScriptedAdapter, make_task
from adapter_host import AdapterHost
from http_util import BILLING_SAFE, BreakerPolicy, Breakers
from http_util.resilience import Resilience


@pytest.mark.requirement("REL-01", "CB-02")
async def test_the_breaker_of_each_pool_follows_the_policy_and_tells_the_hooks() -> None:
    """Pools do not share one; a refusal has the task's id."""
    seen: list[Any] = []

    class Hook:
        def on_state_change(self, record: Any) -> None:
            seen.append((record.endpoint, record.new.value))

        def on_rejected(self, record: Any) -> None:
            seen.append((record.endpoint, record.request_id))

    resilience = Resilience(breaker=Breakers(BreakerPolicy(failure_threshold=1)), hooks=(Hook(),))
    async with AdapterHost(resilience=resilience) as host:
        for pool in ("chat", "other"):
            host.bind(pool, "0", ScriptedAdapter([WorkerError("server_error", "no")]))
        for task_id in ("t-1", "t-2"):
            with pytest.raises(WorkerError) as caught:
                await host.submit("chat", make_task(task_id=task_id))
        assert caught.value.reason == "circuit_open"
        assert host.breaker_state("other") == "closed"
    assert seen == [("chat", "open"), ("chat", "t-2")]


@pytest.mark.requirement("REL-01")
def test_what_belongs_to_the_adapters_is_refused() -> None:
    """One owner for retries: a host that repeated what an adapter repeats would multiply."""
    with pytest.raises(ValueError, match="resilience: the host keeps a breaker only; give retry to the adapters"):
        AdapterHost(resilience=Resilience(retry=BILLING_SAFE))
