"""The goals, each a bound on one figure or on one ratio; and whether a run meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.clients import BY_NAME, FLOOR, OFFICIAL, OURS

if TYPE_CHECKING:
    from benchmarks.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound on what our adapter shows."""

    scenario: str
    wire: str
    bound: float
    base: str = ""
    """The client that the ratio is taken to; empty for the figure itself."""
    at_least: bool = False

    @property
    def text(self) -> str:
        """The bound in words."""
        word = "at least" if self.at_least else "at most"
        return f"{word} {self.bound:g}{f' x {BY_NAME[self.base].title}' if self.base else ''}"

    def measured(self, results: Results) -> float | None:
        """What *results* say to it; None where they say nothing."""
        if self.base:
            return results.ratio(self.scenario, self.wire, OURS[0], self.base)
        figure = results.get(self.scenario, self.wire, OURS[0])
        return None if figure is None else figure.median

    def is_met(self, measured: float) -> bool:
        """Whether *measured* keeps within the bound."""
        return measured >= self.bound if self.at_least else measured <= self.bound


GOALS: Final = (
    Goal(scenario="own-reads-64", wire="http1", bound=2.0, base=FLOOR),
    Goal(scenario="own-reads-64", wire="http1", bound=0.09, base=OFFICIAL),
    Goal(scenario="own-reads-64", wire="http2", bound=2.0, base=FLOOR),
    Goal(scenario="own-reads-64", wire="http2", bound=0.10, base=OFFICIAL),
    Goal(scenario="coalesced-1", wire="http1", bound=2.0, base=FLOOR),
    Goal(scenario="coalesced-1", wire="http1", bound=0.03, base=OFFICIAL),
    Goal(scenario="coalesced-1", wire="http2", bound=2.0, base=FLOOR),
    Goal(scenario="coalesced-1", wire="http2", bound=0.03, base=OFFICIAL),
    Goal(scenario="first-token", wire="http1", bound=3.5, base=FLOOR),
    Goal(scenario="first-token", wire="http2", bound=3.5, base=FLOOR),
    Goal(scenario="tiny-tasks", wire="http1", bound=5.0, base=FLOOR),
    Goal(scenario="tiny-tasks", wire="http2", bound=5.0, base=FLOOR),
    Goal(scenario="held-streams", wire="http1", bound=1000, at_least=True),
    Goal(scenario="held-streams", wire="http1", bound=10, base=OFFICIAL, at_least=True),
    Goal(scenario="held-streams", wire="http2", bound=1000, at_least=True),
    Goal(scenario="held-streams", wire="http2", bound=10, base=OFFICIAL, at_least=True),
    Goal(scenario="memory", wire="http1", bound=20),
    Goal(scenario="memory", wire="http2", bound=20),
    Goal(scenario="growth", wire="http1", bound=1.2),
    Goal(scenario="growth", wire="http2", bound=1.2),
    Goal(scenario="long-stream", wire="http1", bound=1.0),
    Goal(scenario="long-stream", wire="http2", bound=1.0),
    Goal(scenario="events", wire="http1", bound=1.0),
)
