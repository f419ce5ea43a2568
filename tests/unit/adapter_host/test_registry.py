import pytest

from adapter_api import WorkerError, WorkerProps
from adapter_api.testing import ScriptedAdapter
from adapter_host.registry import Registry
from http_util.breaker import BreakerPolicy


def test_a_bound_adapter_is_found_by_pool_and_replica():
    """bind puts it there and pool finds it."""
    registry = Registry(BreakerPolicy())
    adapter = ScriptedAdapter()
    replica = registry.bind("chat", "0", adapter, adapter_name="scripted")
    assert registry.pool("chat").replicas == {"0": replica}
    assert replica.adapter is adapter
    assert registry.uses(adapter)
    assert registry.pool_ids == ("chat",)
    assert repr(registry) == "Registry({'chat': 1})"


@pytest.mark.requirement("HST-01")
@pytest.mark.parametrize("pool_id", ["nowhere", "", "a\nb"])
def test_an_unknown_pool_is_a_typed_error(pool_id: str):
    """The reason is pool_unknown, the message names what is bound and is one line."""
    registry = Registry()
    registry.bind("chat", "0", ScriptedAdapter(), adapter_name="scripted")
    with pytest.raises(WorkerError, match="bound: chat") as caught:
        registry.pool(pool_id)
    assert caught.value.reason == "pool_unknown"
    assert caught.value.code == "POOL_UNAVAILABLE"
    assert "\n" not in caught.value.message


def test_a_taken_place_is_not_bound_again():
    """bind refuses and says what to use instead."""
    registry = Registry()
    registry.bind("chat", "0", ScriptedAdapter(), adapter_name="scripted")
    with pytest.raises(ValueError, match="use rebind"):
        registry.bind("chat", "0", ScriptedAdapter(), adapter_name="scripted")


@pytest.mark.requirement("AH-1001")
def test_rebind_gives_the_new_and_the_old():
    """The place is never empty, and the old replica is handed to whoever sees it out."""
    registry = Registry()
    first = registry.bind("chat", "0", ScriptedAdapter(), adapter_name="one")
    second, old = registry.rebind("chat", "0", ScriptedAdapter(), adapter_name="two")
    assert old is first
    assert registry.pool("chat").replicas["0"] is second
    assert not registry.uses(first.adapter)


@pytest.mark.requirement("HST-01")
def test_unbind_twice_is_harmless():
    """The second finds nothing; the last replica takes its pool along."""
    registry = Registry()
    registry.bind("chat", "0", ScriptedAdapter(), adapter_name="scripted")
    registry.bind("chat", "1", ScriptedAdapter(), adapter_name="scripted")
    assert [one.replica_id for one in registry.unbind("chat", "0")] == ["0"]
    assert registry.unbind("chat", "0") == []
    assert registry.has("chat")
    assert [one.replica_id for one in registry.unbind("chat")] == ["1"]
    assert not registry.has("chat")
    assert registry.unbind("chat") == []


@pytest.mark.parametrize("bad", ["", "a" * 129, "a\nb", None])
def test_ids_are_printable_and_short(bad: str):
    """The error names the field."""
    registry = Registry()
    with pytest.raises(ValueError, match="pool_id: expected a printable string"):
        registry.bind(bad, "0", ScriptedAdapter(), adapter_name="scripted")
    with pytest.raises(ValueError, match="replica_id: expected a printable string"):
        registry.bind("chat", bad, ScriptedAdapter(), adapter_name="scripted")


def test_only_adapters_are_bound():
    """Something else is a TypeError that says what came."""
    with pytest.raises(TypeError, match="expected a WorkerAdapter, got str"):
        Registry().bind("chat", "0", "adapter", adapter_name="scripted")


def test_free_slots_are_reckoned_from_the_last_answer():
    """Tasks given since the answer count, tasks that were there already do not."""
    replica = Registry().bind("chat", "0", ScriptedAdapter(), adapter_name="scripted")
    assert replica.slots_free is None
    replica.acquire()
    replica.props, replica.in_flight_at_check = WorkerProps(slots_total=4, slots_free=3), 1
    assert replica.slots_free == 3
    replica.acquire()
    assert replica.slots_free == 2
    assert not replica.idle.is_set()
    replica.release()
    replica.release()
    assert replica.slots_free == 4
    assert replica.idle.is_set()
