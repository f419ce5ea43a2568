from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from upstream_simulator.player import Player
from upstream_simulator.steps import Break, Finish, Head, Send, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Callable


class Loop:
    """A loop whose time is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        return self.call_at(self.now, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        timer = (when, callback)
        self.timers.append(timer)
        return Handle(self, timer)

    def run(self) -> list[float]:
        """Run everything due or not, in order; the times at which something ran."""
        times = []
        while self.timers:
            timer = min(self.timers, key=lambda entry: entry[0])
            self.timers.remove(timer)
            self.now = max(self.now, timer[0])
            times.append(round(self.now, 3))
            timer[1]()
        return times


class Handle:
    """What call_at gives."""

    def __init__(self, loop: Loop, timer: tuple[float, Callable[[], None]]) -> None:
        self._loop, self._timer = loop, timer

    def cancel(self) -> None:
        if self._timer in self._loop.timers:
            self._loop.timers.remove(self._timer)


class Wire:
    """A wire that remembers."""

    def __init__(self) -> None:
        self.is_full = False
        self.steps: list[Step] = []

    def head(self, step: Head) -> None:
        self.steps.append(step)

    def send(self, step: Send) -> None:
        self.steps.append(step)

    def finish(self, step: Finish) -> None:
        self.steps.append(step)

    def break_off(self, step: Break) -> None:
        self.steps.append(step)


def player(steps: list[Step]) -> tuple[Any, Wire, Loop]:
    """A player of some steps, its wire and its loop."""
    loop, wire = Loop(), Wire()
    # The doubles have what the player uses, and no more.
    return Player(iter(steps), wire, loop), wire, loop  # type: ignore[arg-type]


A, B = Send(b"a", 1), Send(b"b", 1)


@pytest.mark.requirement("SIM-03")
def test_a_pace_does_not_drift_and_a_stall_counts_from_now() -> None:
    """Late steps are caught up by the pace; a stall lasts as long as it says."""
    subject, wire, loop = player([Wait(1, is_pace=True), A, Wait(1, is_pace=True), B, Wait(5), A, Finish()])
    subject.start()
    loop.now = 1.7
    assert loop.run() == [1.7, 2.0, 7.0]
    assert wire.steps == [A, B, A, Finish()]


@pytest.mark.requirement("SIM-03")
def test_a_burst_gives_way_after_each_write() -> None:
    """Other replies have their turn between two writes."""
    subject, wire, loop = player([Head(200, []), A, B, Finish()])
    subject.start()
    assert wire.steps == [Head(200, []), A]
    assert loop.run() == [0.0, 0.0]
    assert wire.steps[1:] == [A, B, Finish()]


@pytest.mark.requirement("SIM-08")
def test_nothing_is_played_after_the_client_has_gone() -> None:
    """Stop ends it at once; the timer is gone, and stopping again changes nothing."""
    subject, wire, loop = player([A, Wait(1), B])
    subject.start()
    loop.run()
    subject, wire, loop = player([A, Wait(1), B])
    subject.start()
    loop.timers.pop(0)[1]()
    subject.stop("reset")
    subject.stop("disconnected")
    subject.resume()
    assert loop.timers == []
    assert wire.steps == [A]


@pytest.mark.requirement("SIM-08")
def test_a_full_wire_holds_the_steps_until_it_is_resumed() -> None:
    """Backpressure reaches the generation."""
    subject, wire, loop = player([A, B, Break("close")])
    wire.is_full = True
    subject.start()
    assert (wire.steps, loop.timers) == ([A], [])
    wire.is_full = False
    subject.resume()
    subject.resume()
    loop.run()
    assert wire.steps == [A, B, Break("close")]
