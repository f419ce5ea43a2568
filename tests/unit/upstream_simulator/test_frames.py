from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream_simulator.frames import HOLE, comment, encoder, event, template


@pytest.mark.requirement("SIM-04")
@given(st.text(alphabet=st.characters(codec="utf-8")), st.booleans())
def test_a_filled_template_equals_the_encoded_document(text: str, spaced: bool) -> None:
    """The shortcut writes the very bytes that encoding the whole document would."""
    fill = template({"a": 1, "delta": {"content": HOLE}, "z": None}, spaced=spaced)
    document = encoder(spaced=spaced)({"a": 1, "delta": {"content": text}, "z": None})
    assert fill(text) == event(document)
    assert json.loads(fill(text).removeprefix(b"data: "))["delta"]["content"] == text


@pytest.mark.requirement("SIM-04")
def test_an_event_is_one_line_of_data_with_or_without_a_name() -> None:
    """Lines of an event, and a comment."""
    assert event("{}", "x") == b"event: x\ndata: {}\n\n"
    assert event("{}") == b"data: {}\n\n"
    assert comment("ping").data == b": ping\n\n"
