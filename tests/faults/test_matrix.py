"""The matrix as a whole: large enough, every group there, no name twice, every row complete."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from adapter_api import REASONS
from tests.faults.case import BOTH, CANCELLED, RAISED
from tests.faults.matrix import CASES

if TYPE_CHECKING:
    from tests.faults.case import Case

GROUPS: Final = {
    "connect": 5,
    "dns": 8,
    "tls": 10,
    "request": 40,
    "status": 100,
    "retry-after": 30,
    "stream": 100,
    "http2": 60,
    "cancel": 30,
    "deadline": 15,
    "neighbours": 8,
    "input": 25,
    "breaker": 12,
    "limiter": 10,
    "failover": 15,
}
"""The groups, and how many cases each has at least."""


def test_every_group_has_its_cases() -> None:
    """No group is lost, and none shrinks unseen."""
    counted = Counter(case.group for case in CASES)
    assert set(counted) >= set(GROUPS)
    assert {name: counted[name] for name, least in GROUPS.items() if counted[name] < least} == {}


def test_no_name_stands_twice() -> None:
    """A name is what a failure is reported by."""
    counted = Counter(str(case) for case in CASES)
    assert [name for name, count in counted.items() if count > 1] == []


def test_every_row_is_complete() -> None:
    """A sequence that can come, a failure exactly where it says so, a known reason, a bound, a protocol."""
    assert [str(case) for case in CASES if not _is_complete(case)] == []


def _is_complete(case: Case) -> bool:
    """Whether a row states what it must, and nothing that cannot be."""
    return all(
        (
            set(case.protocols) <= set(BOTH) and case.protocols,
            0 <= case.after <= case.within,
            case.sequence in (RAISED, CANCELLED, "") or case.sequence.startswith("started"),
            (case.failure is not None) == (case.sequence == RAISED or case.sequence.endswith("error")),
            case.failure is None or case.failure.reason in REASONS,
            case.leaf is None or case.failure is not None,
        )
    )


def test_most_cases_play_over_both_protocols() -> None:
    """Only what one protocol has no way to do is left to the other."""
    both = sum(case.protocols == BOTH for case in CASES)
    assert both > 200
    assert sum(len(case.protocols) for case in CASES) > 600
