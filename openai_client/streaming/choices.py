"""
What chat and legacy completions have in common when they stream: choices that grow, and facts about the whole answer.

Pure; the two endpoints only say where the text of a choice is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai_client.streaming.merging import Text, check_room, merge_piece, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai_client.streaming.accumulator import EventReader


class Choices:
    """Collects chunks of choices. Deltas that come after a choice was finished are dropped: they are no part of it."""

    def __init__(self, chunks: EventReader[Any], take_piece: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        """
        Start with nothing.

        Args:
            chunks: Reads those of a raw stream.
            take_piece: Turns one choice of a chunk into the piece of the whole choice that it stands for.
        """
        self._chunks = chunks
        self._take_piece = take_piece
        self._answer: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Any) -> None:
        """Add one chunk."""
        fields = self._chunks.fields_of(chunk) or {}
        choices = fields.pop("choices", None) or []
        # what pads a chunk is no part of the answer
        fields.pop("obfuscation", None)
        for name, value in fields.items():
            # facts are repeated, and an empty one never takes back what was said before
            if value not in (None, "") or name not in self._answer:
                self._answer[name] = value
        for choice in choices:
            self._add_choice(choice)

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index") or 0
        if index not in self._choices:
            check_room(self._choices)
        whole = self._choices.setdefault(index, {"index": index})
        if whole.get("finish_reason"):
            return
        piece = self._take_piece(choice)
        reason = piece.pop("finish_reason", None)
        merge_piece(whole, piece)
        whole["finish_reason"] = reason

    def missing(self) -> str | None:
        """Return what has to come before every choice is whole, None when nothing has to."""
        if not self._choices:
            return "no choice came"
        open_ones = [str(index) for index, choice in sorted(self._choices.items()) if not choice.get("finish_reason")]
        return f"no finish reason came for choice {', '.join(open_ones)}" if open_ones else None

    def text(self, index: int, *where: str) -> str:
        """Return the text of choice *index* at the path *where*, empty when there is none."""
        value: Any = self._choices.get(index, {})
        for name in where:
            value = value.get(name) if isinstance(value, dict) else None
        return str(value) if isinstance(value, Text) else ""

    def answer(self, kind: str, blank: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the answer so far as the endpoint would have given it.

        Args:
            kind: The `object` of an unstreamed answer.
            blank: What a choice has at least.
        """
        choices = [{**blank, **plain(choice)} for _, choice in sorted(self._choices.items())]
        return {**self._answer, "object": kind, "choices": choices}
