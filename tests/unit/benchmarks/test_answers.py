from __future__ import annotations

import json

from benchmarks.answers import (
    MIDDLE,
    MIDDLE_SIZE,
    OPENING,
    WORD_EVENTS,
    WORDS,
    Ask,
    asked,
    closing,
    paced_parts,
    token_event,
    word_events,
    words,
)


def test_an_ask_is_found_again_in_the_body_that_carries_it():
    """Whoever writes the JSON."""
    ask = Ask(slot=17, serial=4, tokens=200, burst=32, rate=50, gate=64)
    assert asked(json.dumps(ask.body(), indent=2).encode()) == ask


def test_a_body_without_an_ask_has_none():
    """The upstream answers it with 404."""
    assert asked(b'{"messages":[]}') is None


def test_words_and_their_chunks_agree():
    """The chunks from any number on carry the words from that number on."""
    told = [json.loads(event[6:])["choices"][0]["delta"]["content"] for event in word_events(5, 40)]
    assert told == words(45)[5:]


def test_chunks_are_as_large_as_those_of_the_real_api():
    """A little above 300 bytes."""
    assert all(300 <= len(event) <= 340 for event in WORD_EVENTS)
    assert len(set(WORDS)) > 20


def test_an_answer_ends_in_finish_reason_usage_and_done():
    """In this order; the opening has a role and no text."""
    finish, usage, done = closing(Ask(slot=0, tokens=9))
    assert json.loads(finish[6:])["choices"][0]["finish_reason"] == "stop"
    assert json.loads(usage[6:])["usage"] == {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}
    assert done == b"data: [DONE]\n\n"
    assert json.loads(OPENING[6:])["choices"][0]["delta"]["content"] == ""


def test_a_paced_chunk_is_put_together_as_any_other():
    """Number and time between two constant parts."""
    before, after = paced_parts(7)
    assert before + MIDDLE % (12, 345) + after == token_event("00007 0000012 0000000000000345;")
    assert len(MIDDLE % (12, 345)) == MIDDLE_SIZE


def test_an_answer_of_single_tokens_takes_one_round_more_than_it_has_tokens():
    """What ends it comes alone; behind a burst it comes with the burst."""
    assert (Ask(slot=0, tokens=5).rounds, Ask(slot=0, tokens=65, burst=32).rounds) == (6, 3)
