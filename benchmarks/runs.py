"""Runs scenarios: clients in turn, round by round, so that a slow minute of the machine meets them all."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from benchmarks import event_cost, import_time
from benchmarks.results import Figure, Results, about
from benchmarks.scenarios import HELD, RATE
from benchmarks.upstream import running
from benchmarks.workers import ClientFailed, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.clients import Kind, Wire
    from benchmarks.scenarios import Load, Scenario
    from benchmarks.upstream import Upstream

LATEST: Final = 50.0
"""Milliseconds that the 99th percentile of paced tokens may be late."""
BEHIND: Final = 20.0
"""Milliseconds that the upstream itself may have been late before a figure says nothing about the client."""
HELD_FROM: Final = 100
"""Streams that are tried first."""


def run(
    scenarios: Iterable[Scenario], names: Sequence[str], *, wires: Sequence[Wire] = (), rounds: int, quick: bool
) -> Results:
    """
    Measure.

    Args:
        scenarios: What.
        names: Which clients; those that a scenario does not know, or that are not installed, are left out.
        wires: Over what, in place of what the scenarios name.
        rounds: How often, beside the warm-up.
        quick: With smaller loads, for a look.
    """
    results = Results(about=about(rounds, quick=quick))
    for scenario in scenarios:
        for wire in (wires or scenario.wires) if scenario.is_wired else scenario.wires:
            kinds = [kind for kind in scenario.kinds(wire) if kind.name in names]
            kinds = [kind for kind in kinds if not _leave_out(kind, results)]
            if kinds:
                say(f"{scenario.name} {wire}: {', '.join(kind.name for kind in kinds)}")
                results.figures += _measure(scenario, wire, kinds, rounds=rounds, quick=quick)
    return results


def say(text: str) -> None:
    """Tell the person who waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _leave_out(kind: Kind, results: Results) -> bool:
    """Whether *kind* cannot be measured here; the first time it is said."""
    if kind.missing and kind.name not in results.left_out:
        reason = f"not installed: {', '.join(kind.missing)} (pip install -r benchmarks/peers.txt)"
        results.left_out[kind.name] = reason
        say(f"{kind.name} is left out: {reason}")
    return bool(kind.missing)


def _measure(scenario: Scenario, wire: Wire, kinds: list[Kind], *, rounds: int, quick: bool) -> list[Figure]:
    if scenario.measure == "import_cost":
        return _import_cost(scenario, wire, kinds, rounds)
    if scenario.measure == "event_cost":
        return _event_cost(scenario, wire, kinds, rounds)
    with running() as upstream:
        if scenario.measure == "held_streams":
            return [_held(scenario, wire, kind, upstream, quick=quick) for kind in kinds]
        return _interleaved(scenario, wire, kinds, upstream, rounds=rounds, quick=quick)


def _interleaved(
    scenario: Scenario, wire: Wire, kinds: list[Kind], upstream: Upstream, *, rounds: int, quick: bool
) -> list[Figure]:
    """Every round all clients, each time another one first."""
    values: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    notes: dict[str, dict[str, float]] = {}
    errors: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for number in range(rounds):
            first = number % len(kinds)
            for kind in kinds[first:] + kinds[:first]:
                if kind.name in errors:
                    continue
                load = scenario.load_for(kind, wire, quick=quick)
                try:
                    if scenario.fresh:
                        with Worker(kind, wire, upstream, load) as worker:
                            measured = worker.measure(scenario.measure, load)
                    else:
                        if kind.name not in workers:
                            workers[kind.name] = stack.enter_context(Worker(kind, wire, upstream, load))
                        measured = workers[kind.name].measure(scenario.measure, load)
                except ClientFailed as failure:
                    errors[kind.name] = str(failure)
                    say(f"FAILED {failure}")
                    continue
                values[kind.name].append(measured.value)
                notes[kind.name] = measured.notes
    return [
        Figure(
            scenario=scenario.name,
            wire=wire,
            client=kind.name,
            values=[] if kind.name in errors else values[kind.name],
            notes=notes.get(kind.name, {}),
            error=errors.get(kind.name, ""),
        )
        for kind in kinds
    ]


def _held(scenario: Scenario, wire: Wire, kind: Kind, upstream: Upstream, *, quick: bool) -> Figure:
    """The largest number of paced streams that *kind* holds; each number is tried in a process of its own."""
    load = scenario.load_for(kind, wire, quick=quick)
    tried: dict[int, bool] = {}
    notes: dict[str, float] = {}

    def holds(streams: int) -> bool:
        if streams not in tried:
            # a neighbour may spoil one try, hardly two
            seen = _held_once(scenario, wire, kind, upstream, replace(load, streams=streams))
            if seen is None:
                seen = _held_once(scenario, wire, kind, upstream, replace(load, streams=streams))
            tried[streams] = seen is not None
            notes.update({f"{name}_at_{streams}": value for name, value in (seen or {}).items()})
        return tried[streams]

    most = search([number for number in HELD if number <= load.streams], holds, HELD_FROM)
    return Figure(scenario=scenario.name, wire=wire, client=kind.name, values=[float(most)], notes=notes)


def _held_once(scenario: Scenario, wire: Wire, kind: Kind, upstream: Upstream, load: Load) -> dict[str, float] | None:
    """What was seen, if so many streams are held."""
    with Worker(kind, wire, upstream, load) as worker:
        try:
            measured = worker.measure(scenario.measure, load, patience=2 * load.tokens / RATE + 20)
        except ClientFailed as failure:
            if "WrongAnswer" in str(failure):
                raise
            say(f"  {load.streams}: {failure}")
            return None
    is_held = measured.value < LATEST
    if not is_held and measured.notes["behind_ms"] > BEHIND:
        say(f"  {load.streams}: the upstream itself was {measured.notes['behind_ms']} ms late")
    say(f"  {kind.name} {load.streams}: p99 {measured.value:.1f} ms, load {measured.notes['load']}")
    return {"p99_ms": round(measured.value, 1), **measured.notes} if is_held else None


def search(ladder: Sequence[int], holds: Callable[[int], bool], start: int) -> int:
    """
    The highest rung that holds, where all rungs below one that holds do as well; 0 when none does.

    Args:
        ladder: Rising numbers.
        holds: Tells whether a number holds; called as seldom as may be.
        start: Where to begin: up from there while it holds, else down.
    """
    at = max((index for index, number in enumerate(ladder) if number <= start), default=0)
    if holds(ladder[at]):
        while at + 1 < len(ladder) and holds(ladder[at + 1]):
            at += 1
        return ladder[at]
    while at > 0:
        at -= 1
        if holds(ladder[at]):
            return ladder[at]
    return 0


def _import_cost(scenario: Scenario, wire: Wire, kinds: list[Kind], rounds: int) -> list[Figure]:
    """CPU of an interpreter that imports, over that of one that does not."""
    statements = {"": "pass"} | {kind.name: kind.imports for kind in kinds}
    costs = import_time.costs(statements, rounds)
    return [
        Figure(
            scenario=scenario.name,
            wire=wire,
            client=kind.name,
            values=[with_it[1] / bare[1] for with_it, bare in zip(costs[kind.name], costs[""], strict=True)],
        )
        for kind in kinds
    ]


def _event_cost(scenario: Scenario, wire: Wire, kinds: list[Kind], rounds: int) -> list[Figure]:
    """CPU microseconds for making one event and checking its place."""
    values = [event_cost.event_and_guard() for _ in range(rounds)]
    return [Figure(scenario=scenario.name, wire=wire, client=kind.name, values=values) for kind in kinds]
