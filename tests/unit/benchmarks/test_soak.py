from __future__ import annotations

import argparse
from random import Random

import pytest

from adapter_api import TokenEvent
from benchmarks.answers import STAMP, Ask
from benchmarks.soak.__main__ import reasons, share
from benchmarks.soak.streams import MARGIN, OrderedText, Violation, check_cancelled, plan

ASK = Ask(slot=3, tokens=2, rate=50)


def stamped(slot: int, index: int) -> str:
    """A paced token."""
    return STAMP.format(slot=slot, index=index, micros=0)


def end(finish_reason: str = "stop", completion_tokens: int = 2) -> TokenEvent:
    """The terminal event of an answer."""
    return TokenEvent("end", {"finish_reason": finish_reason, "usage": {"completion_tokens": completion_tokens}})


@pytest.fixture
def whole():
    """A stream that has had both its tokens."""
    text = OrderedText(ASK)
    text.take(stamped(3, 0))
    text.take(stamped(3, 1))
    return text


def test_a_whole_stream_passes(whole):
    """All tokens in order, the right end."""
    whole.check_end(end())


@pytest.mark.parametrize("text", [stamped(3, 1), stamped(3, 3), stamped(4, 2)], ids=["again", "too far", "another's"])
def test_a_token_that_is_not_the_next_is_a_violation(whole, text):
    """Order, completeness, and no stream's text in another's."""
    with pytest.raises(Violation, match="expected token 2"):
        whole.take(text)


def test_a_token_behind_a_cancel_is_a_violation():
    """Cancel means stop."""
    text = OrderedText(ASK)
    text.is_over = True
    with pytest.raises(Violation, match="behind a cancel"):
        text.take(stamped(3, 0))


@pytest.mark.parametrize("terminal", [None, TokenEvent("error", {}), end("length"), end(completion_tokens=1)])
def test_an_end_that_is_not_the_right_one_is_a_violation(whole, terminal):
    """Also one that never came."""
    with pytest.raises(Violation):
        whole.check_end(terminal)


def test_a_stream_that_ends_early_is_a_violation():
    """Though its end looks right."""
    text = OrderedText(ASK)
    text.take(stamped(3, 0))
    with pytest.raises(Violation, match="expected 2 tokens"):
        text.check_end(end())


def test_a_cancelled_stream_says_that_it_was():
    """An end with finish_reason `cancelled`, nothing else."""
    check_cancelled(ASK, end("cancelled"))
    for terminal in (None, end("stop"), TokenEvent("error", {})):
        with pytest.raises(Violation, match="cancelled"):
            check_cancelled(ASK, terminal)


def test_plans_cancel_the_share_that_is_asked_for_well_before_the_end():
    """So that the upstream must see every cancel."""
    rng = Random(1)
    plans = [plan(0, serial, 0.05, rng) for serial in range(4000)]
    cancelled = [each for each in plans if each.way]
    assert 0.04 < len(cancelled) / len(plans) < 0.06
    assert all(each.after <= max(0, each.ask.tokens - MARGIN) for each in cancelled)


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), ("0.05", 0.05), ("0", 0.0), ("100%", 1.0)])
def test_a_share_is_written_as_percent_or_as_a_number(text, value):
    """As the command line takes it."""
    assert share(text) == value


def test_more_than_all_is_no_share():
    """`5` is not 5 %."""
    with pytest.raises(argparse.ArgumentTypeError, match="0% to 100%"):
        share("5")


def test_what_failed_is_told_out_of_the_groups_of_tasks():
    """However deep."""
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [Violation("first")]), Violation("second")])
    assert reasons(group) == ["Violation: first", "Violation: second"]
