"""Quotations of a prompt in a message: found however they are written, in one walk through the prompt."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.redact_quotes import MASK, WINDOW, without_quotes

if TYPE_CHECKING:
    from collections.abc import Callable

PROMPT = "pin: 4711\nname: Bo\nplace: \u043e\u0437\u0435\u0440\u043e \U0001f30a"


class Prompt(str):
    """A text that counts how often it is searched from end to end."""

    __slots__ = ("searches",)

    def __init__(self, _text: str) -> None:
        self.searches = 0

    def __contains__(self, part: str, /) -> bool:
        self.searches += 1
        return super().__contains__(part)

    def count(self, *given: Any) -> int:
        self.searches += 1
        return super().count(*given)

    def find(self, *given: Any) -> int:
        self.searches += 1
        return super().find(*given)


def one_by_one(message: str, text: str) -> str:
    """The same, found by looking every run up: right, and slow."""
    hidden = set[int]()
    for at in range(len(message) - WINDOW + 1):
        if message[at : at + WINDOW] in text:
            hidden.update(range(at, at + WINDOW))
    kept: list[str] = []
    for at, char in enumerate(message):
        if at not in hidden:
            kept.append(char)
        elif at - 1 not in hidden:
            kept.append(MASK)
    return "".join(kept)


@pytest.mark.requirement("SEC-16", "ADP-50")
@given(st.text("ab ", min_size=WINDOW, max_size=200), st.data())
def test_the_runs_are_those_that_are_found_one_by_one(text: str, data: st.DataObject) -> None:
    """Whatever stands before, between and behind them."""
    quotes = st.integers(0, len(text)).flatmap(lambda at: st.just(text[at : at + 25]))
    message = "".join(data.draw(st.lists(st.one_of(quotes, st.text("abc ", max_size=9)), max_size=8)))
    assert without_quotes(message, [text]) == one_by_one(message, text)


@pytest.mark.requirement("SEC-16", "ADP-50")
@pytest.mark.parametrize(
    "written",
    [json.dumps, lambda text: json.dumps(json.dumps(text)), repr, ascii, lambda text: text.replace("\n", "\\n")],
    ids=["json", "json-in-json", "repr", "ascii", "ours"],
)
def test_a_quotation_that_is_escaped_is_found(written: Callable[[str], str]) -> None:
    """Its lines may all be shorter than a run, and its letters not be there at all."""
    shown = without_quotes(f"bad input: {written(PROMPT)}!", [PROMPT])
    assert re.fullmatch(r"bad input: ['\"\\]*\*{4}['\"\\]*!", shown)


def test_a_short_text_is_masked_as_a_whole_from_six_characters_on() -> None:
    """Fewer occur by chance."""
    assert without_quotes("say: secret, secre", ["secret"]) == f"say: {MASK}, secre"
    assert without_quotes("say: a\\nb\\ncd", ["a\nb\ncd"]) == f"say: {MASK}"
    assert without_quotes("say: pin", ["pin"]) == "say: pin"


@pytest.mark.requirement("ADP-33")
def test_a_large_prompt_is_not_searched_for_every_piece_of_the_message() -> None:
    """A prompt may have 64 MiB, and while it is searched the event loop serves nobody."""
    prompt = Prompt("the quick brown fox jumps over the lazy dog " * 100)
    assert without_quotes("there is no such model as you have asked for " * 10, [prompt]).count(MASK) == 0
    assert without_quotes("quick brown fox jumps over the lazy cat " * 10, [prompt]).count(MASK) == 10
    assert prompt.searches == 0


@pytest.mark.requirement("ADP-33")
def test_a_few_words_of_our_own_are_looked_up_and_the_prompt_not_gone_through() -> None:
    """Which is what most failures come with; and what is a quotation is found all the same."""
    prompt = Prompt("the quick brown fox jumps over the lazy dog " * 100)
    assert without_quotes("the deadline passed", [prompt]) == "the deadline passed"
    assert prompt.searches == 3
    assert without_quotes("bad: quick brown fox", [prompt]) == f"bad:{MASK}"
