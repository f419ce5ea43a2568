"""Where a call goes next: the list, the table, the cooldown."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_api import Outcome
from http_util.errors import PolicyFailure, StatusFailure, TransportFailure
from http_util.failover import (
    MOVED_NOT_SENT,
    MOVED_REJECTED,
    MOVED_UNKNOWN,
    Endpoint,
    Failover,
    FailoverRecord,
)

A, B, C = "https://a:443", "https://b:443", "https://c:443"


def made(*urls: str, **settings: Any) -> Failover:
    """A list of endpoints beside the first one."""
    return Failover([Endpoint(base_url=url) for url in urls or ("https://b/v1", "https://c/v1")], **settings)


@pytest.mark.requirement("FO-01")
@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize(
    "reason", sorted(MOVED_NOT_SENT | MOVED_REJECTED | MOVED_UNKNOWN | {"tls_failed", "not_found"})
)
def test_a_call_moves_as_the_table_says(outcome: Outcome, reason: str) -> None:
    """Nothing sent, or refused; with consent also unknown; never once a part was handed out."""
    failure = TransportFailure("x", reason=reason, outcome=outcome)
    moves = {
        Outcome.NOT_SENT: reason in MOVED_NOT_SENT,
        Outcome.REJECTED: reason in MOVED_REJECTED,
        Outcome.UNKNOWN: False,
        Outcome.PARTIAL: False,
    }
    assert made().moves(failure, replay_safe=True) == moves[outcome]
    brave = made(after_unknown=True)
    if outcome is Outcome.UNKNOWN:
        assert brave.moves(failure, replay_safe=True) == (reason in MOVED_UNKNOWN)
        assert not brave.moves(failure, replay_safe=False)
    else:
        assert brave.moves(failure, replay_safe=True) == moves[outcome]


@pytest.mark.requirement("FO-01", "REL-08")
def test_an_endpoint_that_failed_is_asked_last_until_its_cooldown_is_over() -> None:
    """To the moment; one that answered is in its turn at once; when all have failed the order is the list's."""
    failover = made(cooldown=10.0)
    assert failover.route([A, B, C], 0.0) == [0, 1, 2]
    failover.failed(A, 5.0)
    assert failover.route([A, B, C], 14.9) == [1, 2, 0]
    assert failover.route([A, B, C], 15.0) == [0, 1, 2]
    failover.failed(A, 20.0)
    failover.failed(B, 20.0)
    assert failover.route([A, B, C], 21.0) == [2, 0, 1]
    failover.served(B)
    assert failover.route([A, B, C], 21.0) == [1, 2, 0]
    failover.failed(B, 21.0)
    failover.failed(C, 21.0)
    assert failover.route([A, B, C], 22.0) == [0, 1, 2]


@pytest.mark.requirement("FO-01")
def test_hops_are_bounded() -> None:
    """By default by the list itself."""
    assert made(max_hops=1).route([A, B, C], 0.0) == [0, 1]
    assert made().max_hops == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"endpoints": []}, "endpoints must hold at least one"),
        ({"endpoints": [Endpoint(base_url="https://b"), Endpoint(base_url="https://B/")]}, "same base_url twice"),
        ({"max_hops": 0}, "max_hops must be 1 or more, or None for all endpoints, not 0"),
        ({"cooldown": -1.0}, r"cooldown must be zero or more seconds, not -1\.0"),
        ({"cooldown": float("nan")}, "cooldown must be zero or more seconds, not nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    """Each with what would be accepted."""
    with pytest.raises(ValueError, match=message):
        Failover(**({"endpoints": [Endpoint(base_url="https://b/v1")]} | settings))


def test_an_endpoint_is_a_url_in_its_normal_form_and_shows_no_credential() -> None:
    """What cannot be called is refused by the name of the field."""
    assert Endpoint(base_url="HTTP://inner.example:8000/v1/").base_url == "http://inner.example:8000/v1"
    with pytest.raises(ValueError, match=r"failover\.base_url must not hold a user name"):
        Endpoint(base_url="https://user:hunter2@b.example")
    assert repr(made("https://b/v1")) == "Failover([https://b/v1], max_hops=1, cooldown=30)"


def test_hooks_hear_of_a_move_and_break_nothing() -> None:
    """A hook that raises is skipped."""
    seen: list[Any] = []

    class Hook:
        def on_failover(self, record: FailoverRecord) -> None:
            seen.append((record.endpoint, record.next_endpoint, record.failure.reason, record.request_id))
            raise RuntimeError("a hook that fails")

    failure = StatusFailure("x", reason="overloaded", outcome=Outcome.REJECTED)
    record = FailoverRecord(endpoint=A, next_endpoint=B, failure=failure, request_id="r")
    made(hooks=(Hook(),)).tell(record)
    assert seen == [(A, B, "overloaded", "r")]


@pytest.mark.requirement("FO-01")
def test_an_open_circuit_leads_on() -> None:
    """It is a refusal of this side, and nothing was sent."""
    refusal = PolicyFailure("x", reason="circuit_open", outcome=Outcome.NOT_SENT)
    assert made().moves(refusal, replay_safe=False)
