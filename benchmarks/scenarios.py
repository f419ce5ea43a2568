"""The scenarios: what is measured, at which size, over which wires, and for whom. One table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from benchmarks.clients import FLOOR, KINDS, OURS

if TYPE_CHECKING:
    from benchmarks.clients import Kind, Wire

Measure = Literal[
    "cpu_per_token", "cpu_per_task", "first_token", "held_streams", "memory_per_stream", "growth", "long_stream"
]
BOTH: Final = ("http1", "http2")
RATE: Final = 50
"""Tokens a second of a paced stream."""
HELD: Final = (25, 50, 100, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000)
"""Numbers of paced streams that are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The size of one measurement."""

    streams: int = 1
    """Streams at once."""
    tokens: int = 1
    """Tokens of each."""
    burst: int = 1
    """Tokens that one read brings."""
    repeats: int = 1
    """How often it is all done again inside one measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One table of figures."""

    name: str
    title: str
    unit: str
    measure: Measure | Literal["import_cost", "event_cost"]
    load: Load = Load()
    quick: dict[str, Any]
    """What of the load is smaller with `--quick`."""
    wires: tuple[Wire, ...] = BOTH
    everybody: bool = True
    """Whether peers are measured too."""
    fresh: bool = False
    """Whether every round has a process of its own, because a process can show it only once."""
    ratios: bool = True
    """Whether a ratio to another client says anything."""
    more_is_better: bool = False
    quick_says_it: bool = True
    """Whether the smaller load of `--quick` shows the same thing, if with more noise."""
    digits: int = 1

    @property
    def is_wired(self) -> bool:
        """Whether the wire makes a difference."""
        return self.measure not in ("import_cost", "event_cost")

    def load_for(self, kind: Kind, wire: Wire, *, quick: bool) -> Load:
        """The load, as far as *kind* can have so many streams."""
        load = replace(self.load, **self.quick) if quick else self.load
        most = kind.http2_streams if wire == "http2" else load.streams
        return replace(load, streams=min(load.streams, most))

    def kinds(self, wire: Wire) -> list[Kind]:
        """The clients that are measured over *wire*, in the order of the tables."""
        if self.measure == "import_cost":
            return [kind for kind in KINDS if kind.imports]
        if self.measure == "event_cost":
            return [kind for kind in KINDS if kind.name == OURS[0]]
        return [kind for kind in KINDS if wire in kind.wires and (self.everybody or kind.name in (FLOOR, *OURS))]


SCENARIOS: Final = (
    Scenario(
        name="own-reads-64",
        title="CPU per token, 64 streams at once, each token written by itself",
        unit="us",
        measure="cpu_per_token",
        load=Load(streams=64, tokens=200),
        quick={"tokens": 60},
    ),
    Scenario(
        name="own-reads-1",
        title="CPU per token, one stream, each token a read of its own",
        unit="us",
        measure="cpu_per_token",
        load=Load(tokens=3000),
        quick={"tokens": 600},
    ),
    Scenario(
        name="coalesced-1",
        title="CPU per token, one stream, 32 tokens a read",
        unit="us",
        measure="cpu_per_token",
        load=Load(tokens=16_000, burst=32),
        quick={"tokens": 3200},
        digits=2,
    ),
    Scenario(
        name="coalesced-64",
        title="CPU per token, 64 streams at once, 32 tokens a write",
        unit="us",
        measure="cpu_per_token",
        load=Load(streams=64, tokens=320, burst=32),
        quick={"tokens": 96},
        digits=2,
    ),
    Scenario(
        name="first-token",
        title="Time to the first token, warm connection (median)",
        unit="us",
        measure="first_token",
        load=Load(tokens=2, burst=64, repeats=300),
        quick={"repeats": 80},
        digits=0,
    ),
    Scenario(
        name="tiny-tasks",
        title="CPU per task of 8 tokens, 32 at once",
        unit="us",
        measure="cpu_per_task",
        load=Load(streams=32, tokens=8, burst=64, repeats=20),
        quick={"repeats": 5},
        digits=0,
    ),
    Scenario(
        name="held-streams",
        title=f"Streams of {RATE} tokens a second held by one core, p99 lateness under 50 ms",
        unit="streams",
        measure="held_streams",
        load=Load(streams=HELD[-1], tokens=8 * RATE),
        quick={"streams": 400, "tokens": 3 * RATE},
        quick_says_it=False,
        fresh=True,
        more_is_better=True,
        digits=0,
    ),
    Scenario(
        name="memory",
        title="Memory per open stream, 500 open",
        unit="KiB",
        measure="memory_per_stream",
        load=Load(streams=500, tokens=3),
        quick={},
        fresh=True,
    ),
    Scenario(
        name="growth",
        title="CPU per token at 1,000 streams over that at 10",
        unit="x",
        measure="growth",
        load=Load(streams=1000, tokens=40),
        quick={"tokens": 12},
        quick_says_it=False,
        everybody=False,
        ratios=False,
        digits=2,
    ),
    Scenario(
        name="long-stream",
        title="Growth of memory from token 100,000 to token 1,000,000 of one stream",
        unit="MiB",
        measure="long_stream",
        load=Load(tokens=1_000_000, burst=32),
        quick={"tokens": 100_000},
        quick_says_it=False,
        everybody=False,
        fresh=True,
        ratios=False,
        digits=2,
    ),
    Scenario(
        name="import",
        title="Import, CPU x `python -c pass`",
        unit="x",
        measure="import_cost",
        quick={},
        wires=("http1",),
        digits=1,
    ),
    Scenario(
        name="events",
        title="Event object and order guard, per event",
        unit="us",
        measure="event_cost",
        quick={},
        wires=("http1",),
        ratios=False,
        digits=2,
    ),
)
"""In the order of the report."""

BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
