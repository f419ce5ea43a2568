"""How long a caller waits for a shared request, and what its failure means to him."""

from __future__ import annotations

import pytest

from http_util.deadline import Deadline
from openai_client import CallOptions, ClientConfig, errors
from openai_client.patience import Patience, own_error

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key=None, timeout=60.0)
DEADLINE = errors.Timeout("the deadline passed", reason="deadline")


@pytest.mark.requirement("BAT-01", "CLI-11")
@pytest.mark.parametrize(
    ("options", "at"),
    [
        (CallOptions(), 70.0),
        (CallOptions(timeout=5.0), 15.0),
        (CallOptions(timeout=90.0), 100.0),
        (CallOptions(deadline=Deadline(12.0)), 12.0),
        (CallOptions(deadline=Deadline(99.0)), 70.0),
        (CallOptions(timeout=5.0, deadline=Deadline(12.0)), 12.0),
        (CallOptions(timeout=1.0, deadline=Deadline(12.0)), 11.0),
    ],
)
def test_a_caller_waits_as_long_as_the_client_would(options: CallOptions, at: float) -> None:
    """The client's timeout, unless the call has one of its own; the earliest bound counts."""
    patience = Patience.of(options, CONFIG, 10.0)
    assert patience == Patience(10.0, Deadline(at))
    assert (patience.left(10.5), patience.left(at + 1.0)) == (at - 10.5, 0.0)


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize(
    ("error", "now", "asks"),
    [
        (DEADLINE, 4.9, True),
        (DEADLINE, 5.0, False),
        (DEADLINE, 9.0, False),
        (errors.Timeout("no byte came", reason="first_byte_timeout"), 1.0, False),
        (errors.InternalServerError("500"), 1.0, False),
        (RuntimeError("deadline"), 1.0, False),
    ],
)
def test_only_another_ones_deadline_is_a_reason_to_ask_again(error: Exception, now: float, asks: bool) -> None:
    """And only with more time left than was waited."""
    assert Patience(0.0, Deadline(10.0)).asks_again(error, now) is asks


def test_each_caller_gets_an_error_of_his_own() -> None:
    """Equal, but not the same; what it came from is its cause."""
    own = own_error(DEADLINE)
    assert own == DEADLINE
    assert own is not DEADLINE
    assert own.__cause__ is DEADLINE


def test_a_foreign_error_is_passed_on_as_it_is() -> None:
    """It may not be copyable."""
    error = RuntimeError("no")
    assert own_error(error) is error
