"""The page for operators says what the code does."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from adapter_api.outcome import Outcome
from adapter_api.reasons import REASONS
from http_util import Secret
from http_util.breaker_policy import COUNTED_REASONS, BreakerPolicy
from http_util.classify import STATUS_TABLE, reason_for_status
from http_util.compression import RequestCompression
from http_util.failover import COOLDOWN, MOVED_NOT_SENT, MOVED_REJECTED, MOVED_UNKNOWN, Endpoint, Failover
from http_util.health_check import HealthPolicy
from http_util.rate_limiter import LONGEST_HOLD, RateLimiter
from http_util.retry import RETRIED_NOT_SENT, RETRIED_REJECTED, RETRIED_UNKNOWN, RetryPolicy
from http_util.retry_budget import CAPACITY, RETRY_COST, TIMEOUT_COST
from http_util.shared_store import StoreSettings
from openai_client.caching import DEFAULT_TTL, STORE_TIMEOUT
from openai_client.config import ClientConfig
from openai_client.embedding_batch import BatchPolicy
from worker_adapters.openai_http import OpenAIHttpConfig

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")

# the name of an event, where a line is written at once
WRITTEN = re.compile(r'\.(?:debug|info|warning|error)\(\s*"([a-z_]+)"')


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


def statuses_in(text: str) -> set[int]:
    """The statuses that a cell lists, ranges included; *every other* is none."""
    spans = re.findall(r"(\d{3})(?: to (\d{3}))?", text)
    return {status for first, last in spans for status in range(int(first), int(last or first) + 1)}


@pytest.mark.requirement("ERR-03", "ERR-06")
def test_the_statuses_on_the_page_are_those_of_the_table() -> None:
    """Each from 300 to 599, the ones that stand there as *every other* included."""
    begin = PAGE.index("### What a status becomes")
    rows = re.findall(r"^\| (\d{3}[^|]*) \| `(\w+)` \| (\w+) \|$", PAGE[begin : PAGE.index("## Numbers")], re.MULTILINE)
    words = {"refused": Outcome.REJECTED, "unknown": Outcome.UNKNOWN}
    told: dict[int, tuple[str, Outcome]] = {}
    for cell, reason, word in rows:
        told |= dict.fromkeys(statuses_in(cell), (reason, words[word]))
        if "every other" in cell:
            hundred = int(cell.split("every other ")[1][0]) * 100
            others = [status for status in range(hundred, hundred + 100) if status not in STATUS_TABLE]
            told |= dict.fromkeys(others, (reason, words[word]))
    assert told == {status: reason_for_status(status) for status in range(300, 600)}


def test_the_numbers_of_the_layers_on_the_page_are_the_defaults() -> None:
    """Those of retries, budget, breaker, failover and limiter."""
    retry = {field.name: field.default for field in fields(RetryPolicy) if field.default is not MISSING}
    breaker, limiter = BreakerPolicy(), RateLimiter()
    store = StoreSettings(url=Secret("redis://localhost"), when_away="closed")
    failover = Failover([Endpoint(base_url=f"https://{name}.example/v1") for name in "ab"])
    for line in (
        f"| attempts | {retry['max_attempts']} |",
        f"| uniform in 0 to min({retry['cap']:g} s, {retry['base']:g} s x {retry['multiplier']:g}^n) |",
        f"| {retry['retry_after_ceiling']:g} s, and never beyond the deadline |",
        f"| {CAPACITY:g} tokens; a retry costs {RETRY_COST:g}, after a timeout {TIMEOUT_COST:g};",
        f"| after {breaker.failure_threshold} failures within {breaker.failure_window:g} s |",
        f"part of at least {breaker.minimum_calls} calls failed too | no rate |",
        f"| after {breaker.recovery_timeout:g} s, one probe at a time, closed after {breaker.success_threshold} ",
        f"| for {COOLDOWN:g} s |",
        f"| calls that may wait in one line of a limiter | {limiter.max_queue_size} |",
        f"| {LONGEST_HOLD:g} s | fixed |",
        f"| {store.timeout:g} s, {store.away_pause:g} s | `StoreSettings.timeout`",
    ):
        assert line in PAGE
    assert (breaker.max_probes, breaker.per_endpoint, breaker.failure_rate) == (1, False, None)
    assert (failover.max_hops, failover.after_unknown) == (2, False)
    assert (limiter.queue_requests, limiter.auto_adjust) == (False, False)


def test_the_other_numbers_on_the_page_are_the_defaults() -> None:
    """Those of timers, connections and the explicit objects."""
    adapter = OpenAIHttpConfig(base_url="https://a.example/v1", model="m")
    client = ClientConfig(base_url="https://a.example/v1", api_key=None)
    http, more = client.http, adapter.http.max_connections - adapter.max_slots
    health, batch, compression = HealthPolicy(), BatchPolicy(), RequestCompression()
    phases = ("connect_timeout", "pool_timeout", "first_byte_timeout", "idle_timeout")
    timers = ", ".join(f"{getattr(http, phase):g} s" for phase in phases)
    for line in (
        f"| connect, pool, first byte, idle | {timers} |",
        f"| write | {http.write_timeout:g} s |",
        f"| content | {adapter.content_timeout:g} s |",
        f"| a whole call of the client; of a stream, until its head | {client.timeout:g} s |",
        f"| tasks that run at once | {adapter.max_slots} |",
        f"| {http.max_connections} in the client, `max_slots` + {more} in the adapter |",
        f"| {http.max_idle_connections} in the client, `max_slots` in the adapter; {http.keepalive_expiry:g} s |",
        f"| {http.http2_ping_interval:g} s, {http.http2_ping_timeout:g} s | `http2_ping_interval`",
        f"| {health.interval:g} s, {health.timeout:g} s, {health.unhealthy_after}, {health.healthy_after} |",
        f"| {batch.max_batch_size} inputs, {batch.max_wait_ms:g} ms |",
        f"| {DEFAULT_TTL:g} s, {STORE_TIMEOUT:g} s |",
        f"asked for, {compression.encoding} from {compression.min_bytes} bytes on |",
    ):
        assert line in PAGE
    shared = (*phases, "write_timeout", "keepalive_expiry", "http2_ping_interval", "http2_ping_timeout")
    assert [name for name in shared if getattr(adapter.http, name) != getattr(http, name)] == []
    assert adapter.http.max_idle_connections == adapter.max_slots


def test_the_lines_on_the_page_are_those_that_are_written() -> None:
    """No event of these packages is left out, and none stands there that no code names; the host has its own page."""
    begin = PAGE.index("## What is logged")
    rows = [line.split(" | ") for line in PAGE[begin : PAGE.index("## What leaves")].splitlines() if " | " in line]
    told = {name for row in rows[1:] if "adapter_host" not in row[0] for name in re.findall(r"`([a-z_]+)`", row[1])}
    packages = ("http_util", "worker_adapters", "openai_client", "providers")
    sources = [path.read_text("utf-8") for package in packages for path in ROOT.glob(f"{package}/**/*.py")]
    written = {name for text in sources if "get_logger(" in text for name in WRITTEN.findall(text)}
    assert written
    assert told >= written
    assert [name for name in told if not any(f'"{name}"' in text for text in sources)] == []
