"""The plan of waiting, step by step, without a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from http_util.call import ReplyHead
from openai_client import CallOptions, InvalidFieldValue, NotFound, Pace, Progress, Timeout, WorkFailed, WorkUnfinished
from openai_client._generated.operations.batches import retrieve_batch
from openai_client.plans.steps import Pause, Seen
from openai_client.polling.lifecycle import BATCH
from openai_client.polling.plan import asking, split_keywords, until_done
from openai_client.remembering import Heard, remember
from openai_client.types import Batch

if TYPE_CHECKING:
    from openai_client.plans.steps import Steps

ASK = retrieve_batch("b")


def batch(state: str, poll_after_ms: str | None = None) -> Batch:
    """A batch as a call returned it."""
    headers = {} if poll_after_ms is None else {"openai-poll-after-ms": poll_after_ms}
    head = ReplyHead(status=200, headers=headers, http_version="HTTP/1.1", attempts=(), upstream_request_id=None)
    return remember(Batch.model_validate({"id": "b", "status": state}), Heard(head, 0.0))


def play(steps: Steps[Any], *states: Batch, began: float = 0.0, slow: float = 0.0) -> tuple[Any, list[Pause]]:
    """Answer the plan's calls one after another, let its pauses pass, and return its end and its pauses."""
    answers, now, pauses = list(states), began, []
    step = next(steps)
    try:
        while True:
            if isinstance(step, Pause):
                pauses.append(step)
                now += step.seconds + step.spread
                step = steps.send(Seen(None, now))
            else:
                now += slow
                step = steps.send(Seen(answers.pop(0), now))
    except StopIteration as end:
        assert not answers
        return end.value, pauses


@pytest.mark.requirement("CLI-20")
def test_work_that_is_done_is_asked_for_once() -> None:
    """No pause before, none after."""
    done = batch("completed")
    assert play(until_done(ASK, BATCH, {}), done) == (done, [])


@pytest.mark.requirement("CLI-20")
def test_pauses_grow_to_a_bound_and_have_a_random_part() -> None:
    """A tenth of each, by default."""
    states = [batch("in_progress")] * 12
    _, pauses = play(until_done(ASK, BATCH, {}), *states, batch("completed"))
    assert [pause.seconds for pause in pauses[:4]] == [1.0, 1.5, 2.25, 3.375]
    assert pauses[-1].seconds == 30.0
    assert all(pause.spread == pytest.approx(pause.seconds / 10) for pause in pauses)


@pytest.mark.requirement("CLI-20")
def test_the_upstreams_wish_goes_before_the_pace_and_the_callers_before_both() -> None:
    """A wish is the least; an interval that the caller fixed is exact."""
    states = [batch("validating", "4000"), batch("in_progress"), batch("completed")]
    pace = Pace(first=2.0, growth=1.0, jitter=0.0)
    assert play(until_done(ASK, BATCH, {"pace": pace}), *states)[1] == [Pause(4.0), Pause(2.0)]
    assert play(until_done(ASK, BATCH, {"pace": Pace(jitter=0.5)}), *states)[1][0] == Pause(4.0, 2.0)
    assert play(until_done(ASK, BATCH, {"poll_interval_ms": 250}), *states)[1] == [Pause(0.25), Pause(0.25)]
    # nobody is asked without end
    states[0] = batch("validating", "0")
    assert play(until_done(ASK, BATCH, {"pace": pace}), *states)[1] == [Pause(2.0), Pause(2.0)]


@pytest.mark.requirement("CLI-20")
def test_progress_is_told_each_time_and_ends_the_waiting_when_it_raises() -> None:
    """With the object, its state, how often and how long."""
    seen: list[Progress[Batch]] = []
    states = [batch("validating"), batch("in_progress"), batch("completed")]
    play(until_done(ASK, BATCH, {"on_poll": seen.append, "poll_interval_ms": 2000}), *states, began=100.0)
    assert [(one.state, one.asked, one.waited) for one in seen] == [
        ("validating", 1, 0.0),
        ("in_progress", 2, 2.0),
        ("completed", 3, 4.0),
    ]
    assert seen[0].result is states[0]

    def enough(progress: Progress[Batch]) -> None:
        raise KeyError(progress.state)

    with pytest.raises(KeyError, match="validating"):
        play(until_done(ASK, BATCH, {"on_poll": enough}), *states)


@pytest.mark.requirement("CLI-20")
def test_the_time_to_wait_ends_with_one_last_look() -> None:
    """Pauses are cut to what is left, their random part too; the error has the object as it was last seen."""
    last = batch("finalizing")
    steps = until_done(ASK, BATCH, {"max_wait_seconds": 2.0})
    with pytest.raises(WorkUnfinished, match="still finalizing after 2 s") as caught:
        play(steps, batch("validating"), batch("in_progress"), last)
    assert caught.value.result is last
    steps = until_done(ASK, BATCH, {"max_wait_seconds": 1.05})
    assert next(steps)
    assert steps.send(Seen(batch("validating"), 0.0)) == Pause(1.0, pytest.approx(0.05))


@pytest.mark.requirement("CLI-20")
def test_work_that_is_done_at_the_last_look_is_returned() -> None:
    """The time is up, and it does not matter."""
    done = batch("completed")
    result, pauses = play(until_done(ASK, BATCH, {"max_wait_seconds": 0.5}), batch("validating"), done)
    assert (result, pauses) == (done, [Pause(0.5)])
    with pytest.raises(WorkUnfinished):
        play(until_done(ASK, BATCH, {"max_wait_seconds": 0}), batch("validating"))


@pytest.mark.requirement("CLI-20")
def test_without_a_word_the_kind_of_work_says_how_long() -> None:
    """A batch has its day."""
    states = [batch("in_progress")] * 26
    with pytest.raises(WorkUnfinished, match="after 90000 s"):
        play(until_done(ASK, BATCH, {"poll_interval_ms": 3_600_000}), *states)


@pytest.mark.requirement("CLI-20", "CLI-11")
def test_a_deadline_of_the_callers_is_the_same_kind_of_end() -> None:
    """If the work was seen before; else there is nothing to tell."""
    last = batch("in_progress")
    steps = until_done(ASK, BATCH, {})
    next(steps)
    steps.send(Seen(last, 0.0))
    steps.send(Seen(None, 1.0))
    gone = Timeout("too late", reason="deadline")
    with pytest.raises(WorkUnfinished) as caught:
        steps.throw(gone)
    assert (caught.value.result, caught.value.__cause__) == (last, gone)
    for error in (gone, NotFound("gone")):
        steps = until_done(ASK, BATCH, {})
        next(steps)
        with pytest.raises(type(error)) as raised:
            steps.throw(error)
        assert raised.value is error


@pytest.mark.requirement("CLI-20")
def test_failed_work_is_an_error_after_its_progress() -> None:
    """Whoever shows a bar sees the last state too."""
    seen: list[str | None] = []
    steps = until_done(ASK, BATCH, {"on_poll": lambda progress: seen.append(progress.state)})
    with pytest.raises(WorkFailed, match="batch b is cancelled"):
        play(steps, batch("cancelling"), batch("cancelled"))
    assert seen == ["cancelling", "cancelled"]


@pytest.mark.requirement("CLI-20")
def test_work_that_was_just_begun_is_not_asked_for_at_once() -> None:
    """Its first answer counts as the first look."""
    done = batch("completed")
    with pytest.raises(StopIteration) as ended:
        next(until_done(ASK, BATCH, {}, Seen(done, 5.0)))
    assert ended.value.value is done
    steps = until_done(ASK, BATCH, {}, Seen(batch("validating"), 5.0))
    assert isinstance(next(steps), Pause)
    assert steps.send(Seen(None, 6.0)).operation_id == "retrieveBatch"


@pytest.mark.requirement("CLI-20", "CCH-01")
def test_answers_out_of_a_store_are_not_wanted() -> None:
    """They would never change."""
    step = next(until_done(ASK, BATCH, {}))
    assert step.headers == {"cache-control": "no-cache"}
    assert ASK.headers == {}


@pytest.mark.requirement("CLI-20", "CF-06")
def test_what_belongs_to_the_first_call_stays_with_it() -> None:
    """A key against repeating it, and what was added to its body, are not sent with the calls that ask."""
    options = CallOptions(idempotency_key="k", extra_body={"a": 1}, timeout=3.0)
    given = {"model": "m", "timeout": 2.0, "extra_headers": {"x": "y"}, "idempotency_key": "i", "options": options}
    begin, how = split_keywords({**given, "poll_interval_ms": 5, "max_wait_seconds": 7})
    assert begin == given
    assert asking(how) == {"timeout": 2.0, "extra_headers": {"x": "y"}, "options": CallOptions(timeout=3.0)}
    assert (how["poll_interval_ms"], how["max_wait_seconds"]) == (5, 7)


@pytest.mark.requirement("CLI-20")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"poll_interval_ms": 0}, "poll_interval_ms: must be milliseconds above 0"),
        ({"poll_interval_ms": "5"}, "poll_interval_ms: must be milliseconds above 0"),
        ({"poll_interval_ms": True}, "poll_interval_ms: must be milliseconds above 0"),
        ({"max_wait_seconds": -1}, "max_wait_seconds: must be seconds, 0 or more"),
        ({"max_wait_seconds": float("nan")}, "max_wait_seconds: must be seconds, 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_asked(how: Any, said: str) -> None:
    """By name."""
    with pytest.raises(InvalidFieldValue, match=said):
        next(until_done(ASK, BATCH, how))


@pytest.mark.requirement("CLI-20")
@pytest.mark.parametrize("field", [{"first": 0.0}, {"first": 31.0}, {"growth": 0.9}, {"jitter": -0.1}])
def test_a_pace_that_makes_no_sense_is_refused(field: Any) -> None:
    """The text names the field."""
    with pytest.raises(ValueError, match=f"{next(iter(field))} must be"):
        Pace(**field)
