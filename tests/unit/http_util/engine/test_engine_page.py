"""The page about the engine says what the code does."""

from __future__ import annotations

from pathlib import Path

from http_util.engine.http2_streams import TRANSITIONS, Happening, Refusal, State

PAGE = Path(__file__).parents[4] / "docs" / "engine.md"
SHOWN = {
    Refusal.UNUSED: "✗ connection",
    Refusal.MALFORMED: "✗ malformed",
    Refusal.OVER: "✗ closed",
    Refusal.MISUSE: "-",
}


def test_the_table_of_streams_on_the_page_is_the_one_in_the_code() -> None:
    """Row by row, cell by cell."""
    lines = [f"| what happens | {' | '.join(State)} |", "|---" * (len(State) + 1) + "|"]
    for happening in Happening:
        cells = [TRANSITIONS[state][happening] for state in State]
        shown = [SHOWN[cell] if isinstance(cell, Refusal) else cell.value for cell in cells]
        lines.append(f"| {happening} | {' | '.join(shown)} |")
    assert "\n".join(lines) in PAGE.read_text("utf-8")
