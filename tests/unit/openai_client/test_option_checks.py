"""What the options of one call may be."""

from __future__ import annotations

from typing import Any

import pytest

from http_util.retry import AVAILABLE, BILLING_SAFE
from openai_client.operation import CallOptions


@pytest.mark.requirement("CLI-11", "RTY-05")
def test_a_retry_policy_may_be_given_by_its_name() -> None:
    """As for the client; the options then hold the policy."""
    assert CallOptions(retry="billing_safe").retry is BILLING_SAFE
    assert CallOptions(retry=AVAILABLE).retry is AVAILABLE
    assert CallOptions().retry is None


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize(("retry", "kind"), [("bogus", ValueError), (3, TypeError), (True, TypeError)])
def test_what_is_no_retry_policy_is_refused_with_the_names_that_are(retry: Any, kind: type[Exception]) -> None:
    """Before the call, and not as an attribute error in the middle of it."""
    with pytest.raises(kind, match=r"retry must be .*available, billing_safe"):
        CallOptions(retry=retry)


@pytest.mark.requirement("FWD-11")
@pytest.mark.parametrize(
    ("extra", "place"),
    [
        ({"top_k": float("nan")}, r"extra_body\.top_k"),
        ({"a": {"b": [1, float("inf")]}}, r"extra_body\.a\.b\[1\]"),
        ({"a": ({"b": float("-inf")},)}, r"extra_body\.a\[0\]\.b"),
    ],
)
def test_a_number_that_json_lacks_is_refused_where_it_is(extra: dict[str, Any], place: str) -> None:
    """Written out it would make the whole body invalid."""
    with pytest.raises(ValueError, match=f"^{place} must be a finite number"):
        CallOptions(extra_body=extra)


def test_extra_fields_that_contain_themselves_are_refused() -> None:
    """They have no end that could be written."""
    endless: dict[str, Any] = {}
    endless["again"] = [endless]
    with pytest.raises(ValueError, match="extra_body is nested too deeply"):
        CallOptions(extra_body=endless)


def test_finite_numbers_and_all_else_pass() -> None:
    """Only numbers are looked at."""
    extra = {"a": 1.5, "b": [True, None, "NaN", 10**400], "c": {"d": -0.0}}
    assert CallOptions(extra_body=extra).extra_body == extra
