"""The one value that holds what stands around a call."""

from __future__ import annotations

import pickle

import pytest

from http_util import BILLING_SAFE, RetryBudget
from http_util.breaker import BreakerPolicy, Breakers
from http_util.failover import Endpoint, Failover
from http_util.resilience import NOTHING, Layer, Resilience


@pytest.mark.requirement("REL-01")
def test_nothing_is_there_unless_it_is_given() -> None:
    """A budget and hooks alone are no layer."""
    assert NOTHING.layers == frozenset()
    assert Resilience(budget=RetryBudget(), hooks=(object(),)).layers == frozenset()
    assert Resilience(retry=BILLING_SAFE).layers == {Layer.RETRY}
    assert Resilience(breaker=Breakers(), failover=Failover([Endpoint(base_url="https://b")])).layers == {
        Layer.CIRCUIT_BREAKER,
        Layer.FAILOVER,
    }


@pytest.mark.requirement("REL-01")
def test_what_is_there_can_be_seen() -> None:
    """By name, with its settings; what is not there is left out."""
    told = Resilience(retry=BILLING_SAFE, breaker=Breakers(BreakerPolicy(failure_threshold=7))).describe()
    assert sorted(told) == ["circuit_breaker", "retry"]
    assert "failure_threshold=7" in told["circuit_breaker"]
    assert "billing_safe" in told["retry"]


def test_a_value_of_policies_survives_pickling() -> None:
    """What holds no lock travels between processes."""
    resilience = Resilience(retry=BILLING_SAFE)
    assert pickle.loads(pickle.dumps(resilience)) == resilience
