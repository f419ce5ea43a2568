"""An error that becomes a cause keeps its class and its words and loses its frames."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import pytest

from http_util.frames import made_unseen, shows_no_arguments, without_frames
from tests.shown_errors import chain


def failing(depth: int) -> None:
    """Fail at the end of a chain of causes and hidden contexts."""
    if depth == 0:
        raise OSError("the first")
    try:
        failing(depth - 1)
    except Exception as error:
        if depth % 2:
            raise ValueError(f"at {depth}") from error
        raise TypeError(f"at {depth}") from None


@pytest.mark.requirement("SEC-01", "SEC-16")
def test_the_whole_chain_loses_its_frames_and_nothing_else() -> None:
    """Causes, contexts and members of groups; class, order and words stay."""
    with pytest.raises(ValueError, match="at 3") as caught:
        failing(3)
    error = caught.value
    group = ExceptionGroup("several", [error, OSError("alone")])
    assert without_frames(group) is group
    assert [link.__traceback__ for link in chain(group)] == [None] * len(list(chain(group)))
    assert [str(link) for link in chain(error)] == ["at 3", "at 2"]
    assert isinstance(error.__cause__, TypeError)


@pytest.mark.requirement("SEC-16")
def test_what_was_hidden_is_dropped_and_what_led_there_openly_stays() -> None:
    """`from None` says that nobody should see the context; without it the context is a part of the story."""
    with pytest.raises(TypeError, match="at 2") as caught:
        failing(2)
    assert [str(link) for link in chain(caught.value)] == ["at 2", "at 1", "the first"]
    assert [str(link) for link in chain(without_frames(caught.value))] == ["at 2"]
    open_context = TypeError("outer")
    open_context.__context__ = OSError("inner")
    assert [str(link) for link in chain(without_frames(open_context))] == ["outer", "inner"]


@pytest.mark.requirement("SEC-01")
def test_a_border_keeps_its_own_frames() -> None:
    """Only what lies below it is gone."""

    def border() -> None:
        try:
            failing(0)
        except OSError as error:
            raise LookupError("no") from without_frames(error)

    with pytest.raises(LookupError) as caught:
        border()
    assert [entry.name for entry in caught.traceback] == ["test_a_border_keeps_its_own_frames", "border"]
    assert caught.value.__cause__.__traceback__ is None


def test_a_cycle_ends() -> None:
    """Errors that are raised again by hand may lead to themselves."""
    one, two = OSError("one"), OSError("two")
    one.__cause__, two.__cause__ = two, one
    assert without_frames(one) is one


@shows_no_arguments
def divided(number: int, *, by: int) -> float:
    """A number and a part of it."""
    return number / by


@made_unseen
@dataclass(frozen=True, slots=True)
class Door:
    """What refuses a password."""

    password: str

    def __post_init__(self) -> None:
        """Refuse it."""
        raise ValueError("too short")


@pytest.mark.requirement("SEC-01")
def test_what_shows_no_arguments_does_what_it_did() -> None:
    """With name, text and result; what it raises has lost the frames that held the arguments."""
    assert (divided(6, by=3), divided.__name__, divided.__doc__) == (2.0, "divided", "A number and a part of it.")
    with pytest.raises(ZeroDivisionError) as caught:
        divided(6, by=0)
    assert [(entry.name, sorted(entry.frame.f_locals)) for entry in caught.traceback[1:]] == [
        ("call", ["function", "refusal"])
    ]


@pytest.mark.requirement("SEC-01")
def test_an_object_that_cannot_be_made_is_in_no_frame_either() -> None:
    """It is half made and shows what it was given."""
    with pytest.raises(ValueError, match="too short") as caught:
        Door(password="hunter2")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    held = [frame.locals for frame in frames.stack][1:]
    assert held
    assert "hunter2" not in str(held)
