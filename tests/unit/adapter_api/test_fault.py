from __future__ import annotations

import gc
import weakref

import pytest

from adapter_api import Fault

pytestmark = pytest.mark.requirement("ADP-08", "AH-1005")


class Prompt:
    """Something that a frame may hold."""


def raising(held: object) -> None:
    """Fail with a cause, and with something in the frame."""
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise RuntimeError("sk-abcdefgh12345678") from error


def caught(held: object) -> BaseException:
    """The failure, frames and all."""
    try:
        raising(held)
    except RuntimeError as error:
        return error
    raise AssertionError


def test_a_fault_says_where_it_came_from_and_what_caused_it() -> None:
    """File, line and function of each frame, of causes too; the repr shows the class alone."""
    fault = Fault.of(caught(None))
    places = [frame.rpartition(" in ")[2] for frame in fault.frames]
    assert places == ["caught", "raising", "caused by KeyError", "raising"]
    assert f"{__file__}:" in fault.frames[0]
    assert (fault.error_class, fault.text) == ("RuntimeError", "sk-abcdefgh12345678")
    assert repr(fault) == "Fault(error_class='RuntimeError')"


def test_a_fault_keeps_nothing_alive() -> None:
    """What stood in the frames is gone with the exception."""
    held = Prompt()
    gone = weakref.ref(held)
    fault = Fault.of(caught(held))
    del held
    gc.collect()
    assert gone() is None
    assert fault.frames


def test_what_is_hidden_stays_hidden_and_what_is_long_is_cut() -> None:
    """`from None`, a text of a mebibyte, a `__str__` that fails, a hundred frames."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        try:
            raise KeyError("inner")
        except KeyError:
            raise Mute from None

    with pytest.raises(Mute) as caught_mute:
        deep(100)
    fault = Fault.of(caught_mute.value)
    assert (fault.text, len(fault.frames)) == ("", 24)
    assert not any("caused" in frame for frame in fault.frames)
    assert len(Fault.of(RuntimeError("x" * 1_000_000)).text) == 4096
