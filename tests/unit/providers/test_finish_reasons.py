from __future__ import annotations

import pytest

from openai_client import StreamInterrupted
from providers.finish_reasons import CHAT_REASONS, COMPLETION_REASONS, normal_finish_reason

pytestmark = pytest.mark.requirement("PRV-04")


@pytest.mark.parametrize("known", [CHAT_REASONS, COMPLETION_REASONS])
def test_words_of_the_enumeration_stay(known):
    """What is right is not touched."""
    assert {normal_finish_reason(word, known=known) for word in known} == known


@pytest.mark.parametrize(
    ("given", "chat", "completion"),
    [
        ("eos_token", "stop", "stop"),
        ("end_turn", "stop", "stop"),
        ("stop_sequence", "stop", "stop"),
        ("max_tokens", "length", "length"),
        (" MAX_TOKENS ", "length", "length"),
        ("model_length", "length", "length"),
        ("SAFETY", "content_filter", "content_filter"),
        ("tool_use", "tool_calls", "stop"),
        ("function_call", "function_call", "stop"),
        ("because", "stop", "stop"),
        ("", "stop", "stop"),
        (None, "stop", "stop"),
    ],
)
@pytest.mark.requirement("PRV-08")
def test_other_words_are_mapped_to_the_enumeration_of_the_method(given, chat, completion):
    """The two ways to generate have different enumerations."""
    assert normal_finish_reason(given, known=CHAT_REASONS) == chat
    assert normal_finish_reason(given, known=COMPLETION_REASONS) == completion


@pytest.mark.parametrize("given", ["error", "abort", "aborted", "cancelled", "canceled", "ERROR"])
def test_an_answer_that_the_upstream_gave_up_is_no_answer(given):
    """It would otherwise pass for a whole one."""
    with pytest.raises(StreamInterrupted):
        normal_finish_reason(given, known=CHAT_REASONS)
