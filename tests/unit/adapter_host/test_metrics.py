import pytest

from adapter_host.metrics import BUCKETS, NAMES, InMemoryMetrics, NoMetrics, ShieldedMetrics


@pytest.mark.requirement("MET-20", "MET-21", "ADAPT-3004")
def test_names_and_labels_are_a_contract():
    """Dashboards depend on exactly these; a change is made here and there together."""
    assert {name: " ".join(labels) for name, labels in NAMES.items()} == {
        "tasks_started_total": "engine engine_version pool_id replica_id priority",
        "tasks_canceled_total": "engine engine_version pool_id replica_id reason",
        "tasks_rejected_total": "engine reason",
        "tokens_in_total": "engine engine_version pool_id replica_id",
        "tokens_out_total": "engine engine_version pool_id replica_id",
        "latency_first_token_ms": "engine engine_version pool_id priority",
        "latency_decode_ms": "engine engine_version pool_id priority",
        "adapter_dispatch_total": "adapter outcome",
        "adapter_dispatch_latency_ms": "adapter",
        "adapter_health_checks_total": "adapter outcome",
    }
    assert set(BUCKETS) <= set(NAMES)


@pytest.mark.requirement("MET-25")
def test_the_recorder_sums_over_labels_not_named():
    """total and values take any part of the labels."""
    metrics = InMemoryMetrics()
    metrics.count("adapter_dispatch_total", {"adapter": "a", "outcome": "started"})
    metrics.count("adapter_dispatch_total", {"adapter": "a", "outcome": "reset"}, 2)
    metrics.observe("adapter_dispatch_latency_ms", {"adapter": "a"}, 1.5)
    assert metrics.total("adapter_dispatch_total", adapter="a") == 3
    assert metrics.total("adapter_dispatch_total", outcome="reset") == 2
    assert metrics.values("adapter_dispatch_latency_ms") == [1.5]
    assert metrics.values("adapter_dispatch_latency_ms", adapter="b") == []


@pytest.mark.requirement("MET-25")
def test_the_default_keeps_nothing():
    """It takes everything and has no state."""
    metrics = NoMetrics()
    metrics.count("x", {})
    metrics.observe("x", {}, 1.0)
    assert vars(metrics) == {}


def test_a_hook_that_raises_is_survived():
    """Watching does not break what is watched."""

    class Broken:
        def count(self, name, labels, amount=1):
            raise RuntimeError

        def observe(self, name, labels, value):
            raise RuntimeError

    shielded = ShieldedMetrics(Broken())
    shielded.count("x", {})
    shielded.observe("x", {}, 1.0)
