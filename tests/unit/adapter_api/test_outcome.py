import dataclasses

import pytest

from adapter_api import Attempt, Outcome


def attempt(**changes: object) -> Attempt:
    """A failed first attempt with any field replaced."""
    facts = {
        "number": 1,
        "outcome": Outcome.REJECTED,
        "reason": "rate_limited",
        "http_status": 429,
        "delay": 0.0,
        "elapsed": 0.25,
        "endpoint": "https://127.0.0.1:8443",
        "upstream_request_id": "req-1",
    }
    return Attempt(**(facts | changes))


def test_there_are_four_outcomes() -> None:
    """What may have happened upstream is one of four, written as it is named."""
    assert [outcome.value for outcome in Outcome] == ["NOT_SENT", "REJECTED", "UNKNOWN", "PARTIAL"]


@pytest.mark.requirement("HTU-05")
def test_an_attempt_that_failed_is_a_line_with_all_it_knows() -> None:
    """The wire form counts in whole milliseconds and names outcome, reason, status and upstream id."""
    assert attempt(number=2, delay=0.0996, elapsed=0.0126).as_dict() == {
        "number": 2,
        "endpoint": "https://127.0.0.1:8443",
        "delay_ms": 100,
        "elapsed_ms": 13,
        "http_status": 429,
        "outcome": "REJECTED",
        "reason": "rate_limited",
        "upstream_request_id": "req-1",
    }


@pytest.mark.requirement("HTU-05")
def test_an_attempt_that_succeeded_leaves_absent_values_out() -> None:
    """Absent values are left out of the wire form, never null."""
    line = attempt(outcome=None, reason=None, http_status=None, upstream_request_id=None).as_dict()
    assert line == {"number": 1, "endpoint": "https://127.0.0.1:8443", "delay_ms": 0, "elapsed_ms": 250}


@pytest.mark.parametrize(
    "given", [attempt(), attempt(outcome=None, reason=None, http_status=None, upstream_request_id=None)]
)
def test_an_attempt_survives_the_wire(given: Attempt) -> None:
    """`from_dict` gives back what `as_dict` wrote."""
    assert Attempt.from_dict(given.as_dict()) == given


def test_an_attempt_cannot_be_changed() -> None:
    """A line of the ledger is frozen and takes no further fields."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        attempt().number = 2
    assert not hasattr(attempt(), "__dict__")
