import copy
import pickle
from collections.abc import Callable
from typing import get_args

import pytest

from adapter_api import TokenEvent, token
from adapter_api.token_event import Channel, Kind


@pytest.mark.requirement("ADAPT-3001")
def test_the_kinds_are_exactly_five() -> None:
    """An event is one of five kinds."""
    assert get_args(Kind) == ("started", "token", "metrics", "end", "error")


@pytest.mark.requirement("ADAPT-3001", "ADP-05")
def test_a_token_carries_its_text_and_its_index() -> None:
    """The payload is `t` and `i`; the text channel is left out on the wire."""
    event = token("Hi", 3)
    assert (event.kind, event.data) == ("token", {"t": "Hi", "i": 3})
    assert (event.text, event.index, event.channel) == ("Hi", 3, "text")


@pytest.mark.requirement("ADP-05")
@pytest.mark.parametrize("channel", get_args(Channel))
def test_a_token_may_belong_to_another_channel(channel: Channel) -> None:
    """Reasoning, refusals and tool calls are told by `channel`."""
    assert TokenEvent("token", {"t": "x", "i": 0, "channel": channel}).channel == channel


@pytest.mark.requirement("ADAPT-3001")
@pytest.mark.parametrize("kind", ["started", "metrics", "end", "error"])
def test_an_event_that_is_no_token_has_neither_text_nor_index(kind: Kind) -> None:
    """Asking any event for its text is safe."""
    event = TokenEvent(kind, {"tokens_out": 4})
    assert (event.text, event.index, event.channel) == ("", -1, "text")
    assert event.data == {"tokens_out": 4}


@pytest.mark.parametrize(
    ("kind", "expected"), [("started", False), ("token", False), ("metrics", False), ("end", True), ("error", True)]
)
def test_end_and_error_are_terminal(kind: Kind, expected: bool) -> None:
    """Nothing follows an `end` or an `error`."""
    assert TokenEvent(kind, {}).is_terminal is expected


@pytest.mark.requirement("ADAPT-3001")
@pytest.mark.parametrize("name", ["kind", "data", "extra"])
def test_an_event_cannot_be_changed(name: str) -> None:
    """Fields are neither replaced, added nor deleted, and there is no dictionary to do it by."""
    event = token("Hi", 0)
    with pytest.raises(AttributeError):
        setattr(event, name, "x")
    with pytest.raises(AttributeError):
        delattr(event, name)
    assert event == token("Hi", 0)
    assert not hasattr(event, "__dict__")


def test_events_are_equal_by_value() -> None:
    """Kind and payload count, and nothing that is no event is equal to one."""
    assert token("a", 0) == token("a", 0)
    assert token("a", 0) != token("a", 1)
    assert TokenEvent("end", {}) != TokenEvent("error", {})
    assert TokenEvent("end", {}) != ("end", {})


def test_an_event_is_no_key() -> None:
    """Its payload is a mapping, so it has no hash."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(token("a", 0))


def test_the_repr_of_an_event_shows_no_content() -> None:
    """What an engine generated may be private."""
    assert repr(token("secret", 7)) == "TokenEvent('token', i=7)"
    assert repr(TokenEvent("end", {"text": "secret"})) == "TokenEvent('end')"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda event: pickle.loads(pickle.dumps(event))])
def test_an_event_pickles_and_copies(again: Callable[[TokenEvent], TokenEvent]) -> None:
    """An event crosses a process border by value."""
    event = TokenEvent("end", {"usage": {"total_tokens": 3}})
    assert again(event) == event
