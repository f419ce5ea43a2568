"""What hooks may answer, and which of several answers counts."""

from __future__ import annotations

import pytest

from http_util.rate_hooks import QUEUE, REJECT, RateLimitRecord, Wait, decide
from http_util.rate_limit import LimitType

RECORD = RateLimitRecord(
    request_id="r-1",
    limit_type=LimitType.TOKENS_PER_DAY,
    retry_after=2.0,
    endpoint="https://a:443",
    family="chat",
)


class Answering:
    """A hook with one answer."""

    def __init__(self, answer: object) -> None:
        self._answer = answer
        self.records: list[RateLimitRecord] = []

    def on_rate_limit(self, record: RateLimitRecord) -> object:
        self.records.append(record)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.requirement("RL-04")
@pytest.mark.parametrize(
    ("answers", "step"),
    [
        ([], "default"),
        ([None], "default"),
        ([QUEUE], QUEUE),
        ([REJECT], REJECT),
        ([Wait(2.0)], Wait(2.0)),
        ([Wait(2.0), QUEUE], QUEUE),
        ([QUEUE, Wait(2.0)], Wait(2.0)),
        ([QUEUE, None], QUEUE),
        ([REJECT, QUEUE], REJECT),
        ([QUEUE, REJECT, Wait(1.0)], REJECT),
        ([True, 7, "later"], "default"),
        ([QUEUE, "later"], QUEUE),
        ([ZeroDivisionError()], "default"),
        ([ZeroDivisionError(), QUEUE], QUEUE),
    ],
)
def test_the_last_answer_counts_and_a_refusal_always_does(answers: list[object], step: object) -> None:
    """No opinion, nonsense and a hook that raises leave it to the default."""
    hooks = [Answering(answer) for answer in answers]
    assert decide([object(), *hooks], RECORD, "default") == step
    assert all(hook.records == [RECORD] for hook in hooks)


@pytest.mark.requirement("RL-04")
@pytest.mark.parametrize("seconds", [-0.1, float("inf"), float("nan")])
def test_a_pause_that_is_none_is_refused(seconds: float) -> None:
    """Where it is made, so that the hook's author sees it."""
    with pytest.raises(ValueError, match=r"Wait\.seconds must be zero or more seconds"):
        Wait(seconds)


def test_there_is_a_type_for_every_limit() -> None:
    """By the names that the requirement gives them."""
    assert [kind.value for kind in LimitType] == [
        "requests_per_second",
        "requests_per_minute",
        "tokens_per_minute",
        "requests_per_day",
        "tokens_per_day",
        "server_enforced",
    ]
