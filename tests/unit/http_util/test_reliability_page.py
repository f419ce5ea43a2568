"""The page for operators says what the code does."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from adapter_api.reasons import REASONS
from http_util.breaker_policy import COUNTED_REASONS, BreakerPolicy
from http_util.failover import COOLDOWN, MOVED_NOT_SENT, MOVED_REJECTED, MOVED_UNKNOWN
from http_util.retry import RETRIED_NOT_SENT, RETRIED_REJECTED, RETRIED_UNKNOWN, RetryPolicy
from http_util.retry_budget import CAPACITY, RETRY_COST, TIMEOUT_COST

PAGE = (Path(__file__).parents[3] / "docs" / "reliability.md").read_text("utf-8")


def told(name: str, *columns: tuple[str, frozenset[str]]) -> str:
    """A cell: the outcomes with which the reason is acted on."""
    return ", ".join(word for word, names in columns if name in names) or "no"


@pytest.mark.requirement("ERR-01", "RTY-04", "FO-01", "CB-04")
@pytest.mark.parametrize("name", sorted(REASONS))
def test_every_reason_stands_on_the_page_with_what_the_layers_do(name: str) -> None:
    """And with something to do about it."""
    safe = ("not sent", RETRIED_NOT_SENT), ("refused", RETRIED_REJECTED)
    moves = ("not sent", MOVED_NOT_SENT), ("refused", MOVED_REJECTED), ("unknown\\*", MOVED_UNKNOWN)
    cells = [
        f"`{name}`",
        told(name, *safe),
        told(name, *safe, ("unknown", RETRIED_UNKNOWN)),
        told(name, *moves),
        "yes" if name in COUNTED_REASONS else "no",
    ]
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    *shown, advice = line.strip("| ").split(" | ")
    assert shown == cells
    assert len(advice) > 10


def test_the_numbers_on_the_page_are_the_defaults() -> None:
    """Those of retries, budget, breaker and failover."""
    retry = {field.name: field.default for field in fields(RetryPolicy) if field.default is not MISSING}
    breaker = BreakerPolicy()
    for line in (
        f"| attempts | {retry['max_attempts']} |",
        f"| uniform in 0 to min({retry['cap']:g} s, {retry['base']:g} s x {retry['multiplier']:g}^n) |",
        f"| {retry['retry_after_ceiling']:g} s, and never beyond the deadline |",
        f"| {CAPACITY:g} tokens; a retry costs {RETRY_COST:g}, after a timeout {TIMEOUT_COST:g};",
        f"| after {breaker.failure_threshold} failures within {breaker.failure_window:g} s |",
        f"| after {breaker.recovery_timeout:g} s, one probe at a time, closed after {breaker.success_threshold} ",
        f"| for {COOLDOWN:g} s |",
    ):
        assert line in PAGE
    assert breaker.max_probes == 1
