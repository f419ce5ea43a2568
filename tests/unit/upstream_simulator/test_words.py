from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstream_simulator.words import STYLES, count_tokens, tokens, vector


@pytest.mark.requirement("SIM-02")
@given(st.text(max_size=40), st.integers(), st.integers(0, 60))
@settings(max_examples=50)
def test_the_same_prompt_and_seed_give_the_same_tokens(prompt: str, seed: int, count: int) -> None:
    """Tokens depend on nothing else, there are as many as asked for, and fewer are a prefix of more."""
    first = tokens(prompt, seed=seed, count=count)
    assert first == tokens(prompt, seed=seed, count=count + 5)[:count]
    assert len(first) == count


@pytest.mark.requirement("SIM-02")
def test_prompt_seed_choice_and_style_each_change_the_text() -> None:
    """Whatever may matter does."""
    usual = tokens("p", seed=1, count=30)
    others = [
        tokens("q", seed=1, count=30),
        tokens("p", seed=2, count=30),
        tokens("p", seed=1, count=30, choice=1),
        tokens("p", seed=1, count=30, style="unicode"),
    ]
    assert usual not in others


@pytest.mark.requirement("SIM-02")
def test_plain_text_reads_as_sentences() -> None:
    """Words are separated, sentences end with a full stop, all of it ASCII."""
    text = "".join(tokens("hello", seed=0, count=200))
    assert text.isascii()
    assert "  " not in text
    assert " ." not in text
    assert all(sentence.strip()[0].isupper() for sentence in text.split(". ") if sentence.strip())


@pytest.mark.requirement("SIM-02")
def test_the_other_styles_hold_what_their_names_say() -> None:
    """Unicode has characters of two, three and four bytes; hostile has line separators and control characters."""
    wide = "".join(tokens("x", seed=0, count=400, style="unicode"))
    assert {len(character.encode()) for character in wide} == {1, 2, 3, 4}
    hostile = "".join(tokens("x", seed=0, count=2000, style="hostile"))
    assert {"\u2028", "\u2029", "\x85", "\x00", "\r", "\n"} <= set(hostile)
    assert set(STYLES) == {"plain", "unicode", "hostile"}


def test_a_prompt_is_counted_by_words_and_marks_and_never_as_nothing() -> None:
    """Counting needs no tokenizer."""
    assert [count_tokens(text) for text in ("", "one", "one, two!")] == [1, 1, 4]
    assert count_tokens("x" * 4_000_000) == 1_000_000


@pytest.mark.requirement("SIM-02")
def test_a_very_long_text_repeats_itself_and_is_made_in_no_time() -> None:
    """A million tokens are there at once: the loop that makes them must go on noticing who leaves."""
    started = time.process_time()
    text = tokens("x", seed=0, count=1_000_000)
    assert time.process_time() - started < 0.5
    assert len(text) == 1_000_000
    assert text[:3000] == tokens("x", seed=0, count=3000)


@pytest.mark.requirement("SIM-04")
def test_a_vector_has_unit_length_and_depends_on_the_text() -> None:
    """The same text has the same direction, another text another."""
    first = vector("a", 32)
    assert math.isclose(sum(value * value for value in first), 1.0, rel_tol=1e-5)
    assert first == vector("a", 32) != vector("b", 32)
