"""What a run has found, as it is kept in a file; and the ratios that are read out of it."""

from __future__ import annotations

import json
import platform
import statistics
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Self

from benchmarks.ratios import ratio

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("httpx", "h2", "httpx2", "httpx-aiohttp", "aiohttp", "openai", "litellm", "uvloop")


class UnreadableResults(Exception):
    """A file holds no results. One line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one client showed in one scenario over one wire."""

    scenario: str
    wire: str
    client: str
    values: list[float]
    """One for each round; empty when it failed."""
    notes: dict[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)


@dataclass(slots=True, kw_only=True)
class Results:
    """All figures of one run."""

    about: dict[str, Any]
    """Where and with what it was measured."""
    figures: list[Figure] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Clients that could not be measured, with the reason."""

    @property
    def is_quick(self) -> bool:
        """Whether the loads were smaller: for a look, not for the record."""
        return bool(self.about.get("quick"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """
        Read what `save` has written.

        Raises:
            UnreadableResults: It cannot be read, or something else has written it.
        """
        try:
            kept = json.loads(path.read_text())
            figures = [Figure(**figure) for figure in kept["figures"]]
            return cls(about=dict(kept["about"]), figures=figures, left_out=dict(kept["left_out"]))
        except OSError as error:
            raise UnreadableResults(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, KeyError):
            raise UnreadableResults(f"{path} is no file that `python -m benchmarks --json FILE` has written") from None

    def save(self, path: Path) -> None:
        """Write everything to *path*."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def get(self, scenario: str, wire: str, client: str) -> Figure | None:
        """The figure, if there is one with values."""
        for figure in self.figures:
            if (figure.scenario, figure.wire, figure.client) == (scenario, wire, client) and figure.values:
                return figure
        return None

    def has_failed(self, scenario: str, wire: str, client: str) -> bool:
        """Whether the client gave a wrong answer there, an error, or none."""
        return any(
            figure.error
            for figure in self.figures
            if (figure.scenario, figure.wire, figure.client) == (scenario, wire, client)
        )

    def ratio(self, scenario: str, wire: str, client: str, base: str) -> float | None:
        """How many times *base* *client* is, inside rounds; None where one of them is missing."""
        above, below = self.get(scenario, wire, client), self.get(scenario, wire, base)
        if above is None or below is None or not all(below.values):
            return None
        return ratio(above.values, below.values)


def about(rounds: int, *, quick: bool) -> dict[str, Any]:
    """What a reader wants to know of the machine, the versions and the run."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "rounds": rounds,
        "quick": quick,
        "versions": versions,
    }
