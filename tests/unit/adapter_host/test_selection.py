import pytest

from adapter_api import InvalidTask, Placement
from adapter_host.selection import Candidate, choose, placed_pool


def candidate(replica_id: str, *, ready=True, in_flight=0, free=None, turn=0) -> Candidate:
    """A candidate that is ready and idle but for what is said."""
    return Candidate(replica_id, ready, in_flight, free, turn)


@pytest.mark.requirement("HST-02")
def test_only_ready_replicas_are_chosen():
    """An idle replica that is not ready loses to a busy one that is; nobody ready means nobody."""
    assert choose([candidate("a", ready=False), candidate("b", in_flight=9)]) == "b"
    assert choose([candidate("a", ready=False)]) is None
    assert choose([]) is None


@pytest.mark.requirement("HST-02")
def test_the_most_free_slots_win_when_all_are_known():
    """Free slots say more than our own tasks, for others may use the replica too."""
    assert choose([candidate("a", in_flight=0, free=1), candidate("b", in_flight=5, free=2)]) == "b"


@pytest.mark.requirement("HST-02")
def test_the_fewest_tasks_win_when_slots_are_unknown():
    """One unknown number of slots makes slots incomparable."""
    assert choose([candidate("a", in_flight=3, free=60), candidate("b", in_flight=2)]) == "b"


@pytest.mark.requirement("HST-02")
def test_equals_take_turns():
    """The one chosen longest ago is next."""
    assert choose([candidate("a", turn=2), candidate("b", turn=1)]) == "b"


def test_full_replicas_are_still_chosen():
    """What we know of slots may be old; the replica refuses by itself."""
    assert choose([candidate("a", free=0)]) == "a"


@pytest.mark.requirement("AH-1007")
@pytest.mark.parametrize("placement", [None, Placement(), Placement(mode="prefer", prefer_pools=["b"])])
def test_without_a_pin_the_callers_pool_stands(placement: Placement | None):
    """Preferences are the orchestrator's business."""
    assert placed_pool("a", placement, ["a", "b"], allow_pin=False) == "a"


@pytest.mark.requirement("AH-1007")
def test_a_pin_comes_before_the_callers_pool():
    """It is honoured when pins are allowed."""
    assert placed_pool("a", Placement(mode="pin", pin_pool_id="b"), ["a", "b"], allow_pin=True) == "b"


@pytest.mark.requirement("AH-1007")
@pytest.mark.parametrize(
    ("pin", "allow", "says"),
    [(None, True, "is required"), ("b", False, "expected 'a'"), ("c", True, "expected one of a, b, got 'c'")],
)
def test_a_pin_that_cannot_be_honoured_is_refused(pin: str | None, allow: bool, says: str):
    """Missing, forbidden and unknown pins name the field; there is no silent fallback."""
    with pytest.raises(InvalidTask, match=says) as caught:
        placed_pool("a", Placement(mode="pin", pin_pool_id=pin), ["a", "b"], allow_pin=allow)
    assert caught.value.field == "placement.pin_pool_id"
