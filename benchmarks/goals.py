"""The goals, each a bound on one figure or on one ratio; and whether a run meets them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from benchmarks.clients import BY_NAME, FLOOR, OFFICIAL, OURS
from benchmarks.scenarios import BY_NAME as SCENARIO_BY_NAME

if TYPE_CHECKING:
    from benchmarks.results import Results


class Verdict(StrEnum):
    """What a run says to a goal."""

    MET = "met"
    MISSED = "MISSED"
    FAILED = "FAILED"
    """A client that it takes gave a wrong answer, an error, or none."""
    NOT_MEASURED = "not measured"
    NOT_BY_A_QUICK_RUN = "not measured by a quick run"
    """A smaller load can neither meet nor miss it."""


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
        return f"{word} {self.bound:g} {self.unit}{f' {BY_NAME[self.base].title}' if self.base else ''}"

    def measured(self, results: Results) -> float | None:
        """What *results* say to it; None where they say nothing."""
        if self.base:
            return results.ratio(self.scenario, self.wire, OURS[0], self.base)
        figure = results.get(self.scenario, self.wire, OURS[0])
        return None if figure is None else figure.median

    @property
    def what(self) -> str:
        """What is bounded, in words."""
        return SCENARIO_BY_NAME[self.scenario].title

    @property
    def unit(self) -> str:
        """Of what is measured."""
        return "x" if self.base else SCENARIO_BY_NAME[self.scenario].unit

    def verdict(self, results: Results) -> Verdict:
        """What *results* say to it."""
        if results.is_quick and not SCENARIO_BY_NAME[self.scenario].quick_says_it:
            return Verdict.NOT_BY_A_QUICK_RUN
        if any(results.has_failed(self.scenario, self.wire, client) for client in (OURS[0], self.base)):
            return Verdict.FAILED
        measured = self.measured(results)
        if measured is None:
            return Verdict.NOT_MEASURED
        return Verdict.MET if self.is_met(measured) else Verdict.MISSED

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
