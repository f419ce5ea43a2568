"""The store in memory: age, bounds, and who goes first."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.testing import FakeSyncClock
from openai_client.memory_store import MemoryStore


@pytest.mark.requirement("CCH-01", "REL-08")
def test_an_answer_is_kept_for_its_time() -> None:
    """To the moment, by the clock that was given."""
    clock = FakeSyncClock()
    store = MemoryStore(clock=clock)
    store.set("a", b"1", 10.0)
    clock.advance(9.9)
    assert store.get("a") == b"1"
    clock.advance(0.1)
    assert store.get("a") is None
    assert len(store) == 0
    assert store.get("b") is None


@pytest.mark.requirement("CCH-01")
def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    """Its time begins anew."""
    clock = FakeSyncClock()
    store = MemoryStore(clock=clock)
    store.set("a", b"1", 10.0)
    clock.advance(9.0)
    store.set("a", b"22", 10.0)
    clock.advance(9.0)
    assert store.get("a") == b"22"
    assert repr(store) == "MemoryStore(1 answers, 2 bytes)"


@pytest.mark.requirement("CCH-01")
def test_the_answer_used_longest_ago_goes_first() -> None:
    """Reading is using."""
    store = MemoryStore(max_entries=2)
    store.set("a", b"1", 10.0)
    store.set("b", b"2", 10.0)
    store.get("a")
    store.set("c", b"3", 10.0)
    assert [store.get(key) for key in "abc"] == [b"1", None, b"3"]


@pytest.mark.requirement("CCH-01")
def test_the_bytes_are_bounded() -> None:
    """As many go as it takes; what is larger than all is not kept, and takes nobody's place."""
    store = MemoryStore(max_bytes=10)
    store.set("a", b"1" * 4, 10.0)
    store.set("b", b"2" * 4, 10.0)
    store.set("c", b"3" * 9, 10.0)
    assert [store.get(key) for key in "abc"] == [None, None, b"3" * 9]
    store.set("d", b"4" * 11, 10.0)
    assert [store.get(key) for key in "cd"] == [b"3" * 9, None]


@pytest.mark.requirement("CCH-01")
@pytest.mark.parametrize("ttl", [0.0, -1.0, float("nan")])
def test_an_answer_without_time_is_not_kept(ttl: float) -> None:
    """And takes the old one away."""
    store = MemoryStore()
    store.set("a", b"1", 10.0)
    store.set("a", b"2", ttl)
    assert (store.get("a"), len(store)) == (None, 0)


def test_a_store_can_be_emptied() -> None:
    """Of answers and of their bytes."""
    store = MemoryStore()
    store.set("a", b"1", 10.0)
    store.clear()
    assert (store.get("a"), repr(store)) == (None, "MemoryStore(0 answers, 0 bytes)")


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 12), st.booleans()), max_size=60))
def test_the_bounds_hold_whatever_is_kept(steps: list[tuple[str, int, bool]]) -> None:
    """And the sum of the bytes is the sum of the answers."""
    store = MemoryStore(max_entries=3, max_bytes=20)
    for key, size, reads in steps:
        if reads:
            store.get(key)
        else:
            store.set(key, b"x" * size, 10.0)
        sizes = [len(value) for value, _ in store._entries.values()]
        assert len(sizes) <= 3
        assert sum(sizes) == store._size <= 20


@pytest.mark.requirement("REL-04")
def test_threads_may_share_a_store() -> None:
    """The bounds hold then too."""
    store = MemoryStore(max_entries=5, max_bytes=100)

    def use(seed: int) -> None:
        for number in range(300):
            store.set(f"{(number * seed) % 9}", b"x" * (number % 40), 10.0)
            store.get(f"{number % 9}")

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) <= 5
    assert store._size == sum(len(value) for value, _ in store._entries.values()) <= 100


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_entries": 0}, "max_entries must be 1 or more answers, not 0"),
        ({"max_bytes": 0}, "max_bytes must be 1 or more bytes, not 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, int], text: str) -> None:
    """The text names the field and what would be accepted."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        MemoryStore(**settings)
