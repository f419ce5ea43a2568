"""What a task's end says of its pool."""

from __future__ import annotations

import pytest

from adapter_api import WorkerError
from adapter_api.reasons import REASONS
from adapter_api.testing import ScriptedAdapter, make_task
from adapter_host.dispatch import AGAINST_THE_POOL
from http_util.breaker import BreakerPolicy, State
from http_util.breaker_policy import COUNTED_REASONS


@pytest.mark.requirement("ORCH-3602", "CB-04")
def test_what_counts_against_a_pool_is_what_counts_against_an_upstream_and_what_an_adapter_breaks():
    """One list, and two reasons that a call of HTTP does not have."""
    assert {"internal", "order_violation"} == AGAINST_THE_POOL - COUNTED_REASONS
    assert AGAINST_THE_POOL >= COUNTED_REASONS
    assert set(REASONS) >= AGAINST_THE_POOL


@pytest.mark.requirement("ORCH-3602", "CB-04")
@pytest.mark.parametrize("reason", sorted(set(REASONS) - {"cancelled"}))
async def test_a_task_that_fails_opens_the_breaker_only_with_a_reason_against_the_pool(make_host, reason):
    """Also `circuit_open` of a breaker further in, a full queue or a spent quota leave it closed."""
    host = make_host(breaker=BreakerPolicy(failure_threshold=1))
    host.bind("chat", "0", ScriptedAdapter([WorkerError(reason, "no")]))
    with pytest.raises(WorkerError) as caught:
        await host.submit("chat", make_task())
    assert caught.value.reason == reason
    assert (host.breaker_state("chat") is State.OPEN) is (reason in AGAINST_THE_POOL)


@pytest.mark.requirement("ORCH-3602", "CB-07", "REL-05")
async def test_a_refusal_of_the_breaker_names_what_the_pool_failed_with(make_host):
    """The caller learns what is behind it."""
    host = make_host(breaker=BreakerPolicy(failure_threshold=1))
    host.bind("chat", "0", ScriptedAdapter([WorkerError("bad_gateway", "502")]))
    for reason in ("bad_gateway", "circuit_open"):
        with pytest.raises(WorkerError) as caught:
            await host.submit("chat", make_task())
        assert caught.value.reason == reason
    assert "the last time with bad_gateway" in caught.value.message
