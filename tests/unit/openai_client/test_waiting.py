"""What blocking code waits for."""

from __future__ import annotations

import threading

import pytest

from openai_client.waiting import Signal


@pytest.mark.requirement("REL-08")
def test_an_event_of_the_standard_library_is_a_signal() -> None:
    """It is given once, and tells whoever waits."""
    signal = threading.Event()
    assert isinstance(signal, Signal)
    assert (signal.is_set(), signal.wait(0.0)) == (False, False)
    signal.set()
    assert (signal.is_set(), signal.wait(0.0), signal.wait()) == (True, True, True)
