"""What an upstream calls things: shown safe, remembered, forgotten when the credentials change."""

from __future__ import annotations

from typing import Any

import pytest

from http_util import Secret
from worker_adapters.openai_http import upstream_words
from worker_adapters.openai_http.upstream_words import LONGEST, UpstreamWords

KEY = Secret("hunter2-hunter2")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that were made safe, one by one."""
    seen: list[str] = []
    real: Any = upstream_words.shown_word

    def shown_word(told: str, secrets: Any) -> str:
        seen.append(told)
        return str(real(told, secrets))

    monkeypatch.setattr(upstream_words, "shown_word", shown_word)
    return seen


@pytest.mark.requirement("HTU-1004", "HTU-11")
def test_a_word_is_made_safe_once(looked_at: list[str]) -> None:
    """Without the key, without control characters, short; the second time it is known."""
    words = UpstreamWords()
    for _ in range(3):
        assert words.shown("m\x1b[2J/hunter2-hunter2", (KEY,)) == "m\\u001b[2J/****"
        assert words.shown("stop", (KEY,)) == "stop"
        assert len(words.shown("x" * 10_000, (KEY,))) == LONGEST
    assert len(looked_at) == 3
    assert repr(words) == "UpstreamWords(<3 words>)"


@pytest.mark.requirement("HTU-1004")
def test_with_another_key_every_word_is_looked_at_anew(looked_at: list[str]) -> None:
    """A word that held no secret may hold one now; an equal key in another object is the same key."""
    words = UpstreamWords()
    assert words.shown("hunter3-hunter3", (KEY,)) == "hunter3-hunter3"
    assert words.shown("hunter3-hunter3", (Secret("hunter2-hunter2"),)) == "hunter3-hunter3"
    assert looked_at == ["hunter3-hunter3"]
    assert words.shown("hunter3-hunter3", (Secret("hunter3-hunter3"),)) == "****"


def test_an_upstream_with_ever_new_words_is_remembered_in_part() -> None:
    """Memory is bounded, and what is shown is right all the same."""
    words = UpstreamWords()
    for number in range(1000):
        assert words.shown(f"model-{number}", ()) == f"model-{number}"
    assert len(words._shown) <= 64


def test_a_word_of_a_mebibyte_is_shown_and_not_remembered() -> None:
    """An upstream that names another such model each time holds no memory."""
    words = UpstreamWords()
    for number in range(5):
        assert len(words.shown(f"model-{number} " * 2**17, ())) == LONGEST
    assert words._shown == {}
