from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_api import TRANSITIONS, OrderGuard, OrderState, OrderViolation, TokenEvent, WorkerError, token
from adapter_api.token_event import Kind
from adapter_api.token_order import REQUIRED_FIELDS

KINDS = get_args(Kind)
# The table once more, written by hand: every cell, legal and illegal.
CELLS = {
    (OrderState.NEW, "started"): OrderState.RUNNING,
    (OrderState.NEW, "token"): None,
    (OrderState.NEW, "metrics"): None,
    (OrderState.NEW, "end"): None,
    (OrderState.NEW, "error"): None,
    (OrderState.RUNNING, "started"): None,
    (OrderState.RUNNING, "token"): OrderState.RUNNING,
    (OrderState.RUNNING, "metrics"): OrderState.RUNNING,
    (OrderState.RUNNING, "end"): OrderState.ENDED,
    (OrderState.RUNNING, "error"): OrderState.ENDED,
    (OrderState.ENDED, "started"): None,
    (OrderState.ENDED, "token"): None,
    (OrderState.ENDED, "metrics"): None,
    (OrderState.ENDED, "end"): None,
    (OrderState.ENDED, "error"): None,
}
END = {
    "tokens_out": 0,
    "decode_ms": 1,
    "finish_reason": "stop",
    "evidence": "finish_reason",
    "usage": {"source": "none"},
}
ERROR = WorkerError("reset", "cut", streaming=True).payload()
PAYLOADS = {"started": {}, "metrics": {}, "token": {"t": "a", "i": 0}, "end": END, "error": ERROR}
WAY_TO = {
    OrderState.NEW: [],
    OrderState.RUNNING: [TokenEvent("started", {})],
    OrderState.ENDED: [TokenEvent("started", {}), TokenEvent("end", END)],
}


def guard_in(state: OrderState) -> OrderGuard:
    """A guard that has come to *state*."""
    guard = OrderGuard("x")
    guard.check(WAY_TO[state])
    assert guard.state is state
    return guard


def event_of(kind: str) -> TokenEvent:
    """An event that is right in all but its place."""
    return TokenEvent(kind, PAYLOADS[kind])


def test_every_cell_of_the_table_is_tested() -> None:
    """The cells above are all states by all kinds."""
    assert set(CELLS) == {(state, kind) for state in OrderState for kind in KINDS}
    assert set(TRANSITIONS) == set(OrderState)


def test_the_documents_show_the_table_as_it_is() -> None:
    """docs/contract.md draws the same cells."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "contract.md").read_text("utf-8")
    for state in OrderState:
        cells = ("" if (after := TRANSITIONS[state].get(kind)) is None else after.value for kind in KINDS)
        row = " | ".join([f"| {state.value}", *cells]) + " |"
        assert " ".join(row.split()) in text


@pytest.mark.requirement("ADP-20", "OC-CTRL-2029")
@pytest.mark.parametrize(("state", "kind"), CELLS)
def test_each_event_leads_where_the_table_says_or_is_refused(state: OrderState, kind: Kind) -> None:
    """A legal event moves the guard on; an illegal one raises, names kind and state, and moves nothing."""
    guard = guard_in(state)
    after = CELLS[state, kind]
    if after is None:
        with pytest.raises(OrderViolation, match=f"^x: {kind} is out of order in a stream that is {state.value}$"):
            guard.check([event_of(kind)])
        assert guard.state is state
    else:
        guard.check([event_of(kind)])
        assert guard.state is after


@pytest.mark.requirement("WA-INT-3001", "ADP-20")
def test_indices_start_at_zero_and_rise_by_one_across_batches() -> None:
    """However the tokens are cut into batches, their indices are one row."""
    guard = OrderGuard("x")
    guard.check([TokenEvent("started", {}), token("a", 0)])
    guard.check([])
    guard.check([TokenEvent("metrics", {}), token("b", 1), token("c", 2)])
    guard.check([TokenEvent("end", END)])
    assert (guard.state, guard.tokens) == (OrderState.ENDED, 3)


@pytest.mark.requirement("WA-INT-3001")
@pytest.mark.parametrize("index", [0, 2, -1, None, "1"])
def test_an_index_that_is_not_the_next_is_refused(index: object) -> None:
    """A repeated, skipped, missing or wrongly typed index is a violation that names both numbers."""
    guard = OrderGuard("plugin-7")
    guard.check([TokenEvent("started", {}), token("a", 0)])
    with pytest.raises(OrderViolation, match=r"^plugin-7: expected token 1, got token "):
        guard.check([TokenEvent("token", {"t": "b", "i": index})])


@pytest.mark.requirement("WA-INT-3001")
def test_a_token_without_an_index_is_refused() -> None:
    """A payload that lacks `i` cannot be placed."""
    guard = guard_in(OrderState.RUNNING)
    with pytest.raises(OrderViolation, match="expected token 0, got token -1"):
        guard.check([TokenEvent("token", {"t": "b"})])


@pytest.mark.requirement("ADAPT-3001")
def test_a_kind_that_does_not_exist_is_refused() -> None:
    """There are no kinds beside the five."""
    with pytest.raises(OrderViolation, match="usage is out of order"):
        guard_in(OrderState.RUNNING).check([TokenEvent("usage", {})])


def test_a_batch_that_breaks_the_order_leaves_the_guard_where_it_was() -> None:
    """A violation in the middle of a batch counts none of it."""
    guard = guard_in(OrderState.RUNNING)
    with pytest.raises(OrderViolation):
        guard.check([token("a", 0), token("b", 1), token("c", 1)])
    assert (guard.state, guard.tokens) == (OrderState.RUNNING, 0)


@pytest.mark.requirement("ADP-20", "ADP-23")
@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, held in REQUIRED_FIELDS.items() for field in held])
def test_a_last_event_that_lacks_a_field_is_refused(kind: Kind, field: str) -> None:
    """Each of them is named, alone and together with the others; nothing has ended then."""
    guard = guard_in(OrderState.RUNNING)
    payload = {name: value for name, value in PAYLOADS[kind].items() if name != field}
    with pytest.raises(OrderViolation, match=rf"^x: {kind} lacks {field}$"):
        guard.check([token("a", 0), TokenEvent(kind, payload)])
    assert (guard.state, guard.tokens) == (OrderState.RUNNING, 0)
    with pytest.raises(OrderViolation, match=rf"^x: {kind} lacks {', '.join(REQUIRED_FIELDS[kind])}$"):
        guard.check([TokenEvent(kind, {})])


@pytest.mark.requirement("ADP-23")
@pytest.mark.parametrize("evidence", [None, "", True, ["done"]])
def test_evidence_that_names_nothing_is_none(evidence: object) -> None:
    """An end says what proves it."""
    with pytest.raises(OrderViolation, match=r"^x: evidence of the end must be a text that names it$"):
        guard_in(OrderState.RUNNING).check([TokenEvent("end", {**END, "evidence": evidence})])


def test_the_documents_promise_what_the_guard_holds() -> None:
    """docs/contract.md lists the same fields as held by every last event."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "contract.md").read_text("utf-8")
    for kind, held in REQUIRED_FIELDS.items():
        assert f"| `{kind}` | {', '.join(held)} " in text


@pytest.mark.requirement("OC-CTRL-2029")
@pytest.mark.parametrize("kind", KINDS)
def test_a_guard_that_was_ended_from_outside_lets_nothing_pass(kind: Kind) -> None:
    """After an `error` that the stream itself made, nothing follows; the count of tokens is kept."""
    guard = OrderGuard.ended("x", tokens=5)
    assert (guard.state, guard.tokens) == (OrderState.ENDED, 5)
    with pytest.raises(OrderViolation):
        guard.check([event_of(kind)])


def test_the_repr_of_a_guard_tells_where_it_stands() -> None:
    """Origin, state and next index."""
    assert repr(guard_in(OrderState.RUNNING)) == "OrderGuard('x', running, next_index=0)"


@pytest.mark.requirement("ADP-20", "WA-INT-3001", "OC-CTRL-2029")
@settings(deadline=None)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=8), cut=st.integers(0, 8))
def test_exactly_the_grammar_passes(kinds: list[Kind], cut: int) -> None:
    """A sequence passes if and only if it begins `started (token | metrics)* (end | error)`, however it is cut."""
    count = iter(range(len(kinds)))
    events = [token("a", next(count)) if kind == "token" else event_of(kind) for kind in kinds]
    inner = kinds[1:-1] if kinds and kinds[-1] in ("end", "error") else kinds[1:]
    lawful = not kinds or (kinds[0] == "started" and all(kind in ("token", "metrics") for kind in inner))
    guard = OrderGuard("x")
    try:
        guard.check(events[:cut])
        guard.check(events[cut:])
    except OrderViolation:
        assert not lawful
    else:
        assert lawful
