"""The reporter of one call: what it tells, whom it disturbs, and that for nobody nothing is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from http_util.testing import FakeClock
from worker_adapters.openai_http import call_report
from worker_adapters.openai_http.call_report import CallReport
from worker_adapters.openai_http.service_hooks import ServiceRecord, SilentHooks

if TYPE_CHECKING:
    from collections.abc import Mapping


class Noting(SilentHooks):
    """Hooks that keep what they are told."""

    def __init__(self) -> None:
        self.records: list[ServiceRecord] = []
        self.measured: dict[str, tuple[float, dict[str, str]]] = {}

    def record(self, record: ServiceRecord) -> None:
        self.records.append(record)

    def measure(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        self.measured[name] = (value, dict(labels))


def report(hooks: Any, clock: FakeClock) -> CallReport:
    """The reporter of a call that begins now."""
    return CallReport(hooks, clock, trace_id="c-1", request_id="t-1", bytes_sent=3)


def tell(told: CallReport, clock: FakeClock) -> None:
    """A call from its head to a truncated end."""
    clock.advance(0.5)
    told.opened(200)
    told.started(200)
    clock.advance(0.5)
    told.ended(status=200, reason="truncated", bytes_received=7, surplus=2)


@pytest.mark.requirement("SVC-18", "SVC-19")
def test_stages_and_measurements_are_told_with_their_times() -> None:
    """Three records and the measurements of the end, a surplus among them where there is one."""
    hooks, clock = Noting(), FakeClock()
    tell(report(hooks, clock), clock)
    assert [(record.stage, record.elapsed_ms, record.error_class) for record in hooks.records] == [
        ("opened", 500, None),
        ("started", 500, None),
        ("ended", 1000, "DecodeError"),
    ]
    labels = {"status": "200", "error_class": "DecodeError"}
    assert hooks.measured == {
        "request_count": (1, labels),
        "request_latency_ms": (1000.0, labels),
        "bytes_sent": (3, labels),
        "bytes_received": (7, labels),
        "surplus_increments": (2, labels),
    }


@pytest.mark.requirement("ERR-21", "SVC-09")
@pytest.mark.parametrize(("status", "kind"), [(429, "HttpError"), (None, "Rejected")])
def test_a_limit_of_this_side_is_told_from_the_upstreams(status: int | None, kind: str) -> None:
    """By whether there was an answer; in the record and in the labels."""
    hooks = Noting()
    report(hooks, FakeClock()).ended(status=status, reason="rate_limited", bytes_received=0)
    assert [record.error_class for record in hooks.records] == [kind]
    assert hooks.measured["request_count"] == (1, {"status": str(status or 0), "error_class": kind})


@pytest.mark.requirement("SVC-23")
def test_a_hook_that_raises_disturbs_nothing() -> None:
    """Neither by a record nor by a measurement."""

    class Failing(SilentHooks):
        def record(self, record: ServiceRecord) -> NoReturn:
            raise RuntimeError("a hook that fails")

        def measure(self, name: str, value: float, labels: Mapping[str, str]) -> NoReturn:
            raise RuntimeError("a hook that fails")

    clock = FakeClock()
    tell(report(Failing(), clock), clock)


def test_for_nobody_no_record_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks that drop everything cost nothing."""
    monkeypatch.setattr(call_report, "ServiceRecord", None)
    clock = FakeClock()
    tell(report(SilentHooks(), clock), clock)
