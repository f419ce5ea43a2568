from __future__ import annotations

import time

import pytest

from benchmarks.answers import STAMP, Ask, WrongAnswer, words
from benchmarks.board import Board
from benchmarks.readings import Counted, InStep, Paced, Reading, Steps

ASK = Ask(slot=3, tokens=40)


@pytest.fixture
def board(tmp_path):
    """An empty board."""
    Board.make(tmp_path / "board")
    with Board(tmp_path / "board") as made:
        yield made


def read(reading: Reading, texts: list[str], finish_reason: str | None = "stop", usage=(21, 40, 61)) -> Reading:
    """Do what a client does."""
    for text in texts:
        reading.take(text)
    reading.finish_reason = finish_reason
    reading.usage = usage
    return reading


@pytest.mark.parametrize("kind", [Reading, Counted])
def test_the_right_answer_passes_and_the_board_says_how_much_of_it_is_taken(board, kind):
    """Every client's work is checked so, in every round."""
    read(kind(ASK, board), words(40)).check()
    assert board.taken[3] == 40


def test_a_new_reading_clears_its_slot(board):
    """Else the upstream would take the last stream's tokens for this one's."""
    read(Reading(ASK, board), words(40))
    Reading(ASK, board)
    assert board.taken[3] == 0


WRONG_TEXTS = {
    "one is missing": words(40)[:-1],
    "one is too many": words(41),
    "two are swapped": [words(40)[1], words(40)[0], *words(40)[2:]],
    "one is lost and one is doubled": [*words(40)[:20], words(40)[19], *words(40)[21:]],
    "two are joined": [words(40)[0] + words(40)[1], *words(40)[2:]],
}


@pytest.mark.parametrize("kind", [Reading, Counted])
@pytest.mark.parametrize("texts", WRONG_TEXTS.values(), ids=WRONG_TEXTS)
def test_a_wrong_text_is_found(board, kind, texts):
    """A client cannot be fast by doing less, or something else."""
    with pytest.raises(WrongAnswer):
        read(kind(ASK, board), texts).check()


@pytest.mark.parametrize(
    "end", [(None, (21, 40, 61)), ("length", (21, 40, 61)), ("stop", None), ("stop", (21, 39, 60))]
)
def test_a_wrong_end_is_found(board, end):
    """Finish reason and usage belong to the work."""
    with pytest.raises(WrongAnswer):
        read(Reading(ASK, board), words(40), *end).check()


def stamped(slot: int, index: int, late: float = 0.0) -> str:
    """A paced token that was written *late* seconds ago."""
    return STAMP.format(slot=slot, index=index, micros=round((time.monotonic() - late) * 1e6))


def test_a_paced_token_is_as_late_as_its_time_is_old(board):
    """The clock is the same in both processes."""
    reading = Paced(ASK, board)
    reading.take(stamped(3, 0, late=0.25))
    assert reading.lateness[0] == pytest.approx(0.25, abs=0.2)


@pytest.mark.parametrize("text", [stamped(3, 1), stamped(4, 0)], ids=["a later one", "another stream's"])
def test_a_paced_token_that_is_not_the_next_of_its_stream_is_found(board, text):
    """Order and ownership."""
    with pytest.raises(WrongAnswer):
        Paced(ASK, board).take(text)


def test_a_paced_stream_that_stops_early_is_found(board):
    """Late tokens must not be left out of the percentile."""
    reading = Paced(Ask(slot=3, tokens=2), board)
    reading.take(stamped(3, 0))
    with pytest.raises(WrongAnswer, match="expected 2, got 1"):
        reading.check()


def test_the_last_token_of_a_round_waits_for_the_next_round(board):
    """Two streams of two tokens: a wait behind every second token, and none behind the round that ends the answers."""
    ask = Ask(slot=0, tokens=2)
    steps = Steps(board, ask, streams=2)
    waits = []
    steps.on_taken = lambda: waits.append(tuple(board.taken[:2])) or _write_a_round(board)
    steps.wait()
    one, two = InStep(ask, board, steps), InStep(Ask(slot=1, tokens=2), board, steps)
    for _ in range(2):
        one.take("a")
        two.take("b")
    assert waits == [(0, 0), (1, 1), (2, 2)]
    assert steps.waited > 0


def _write_a_round(board: Board) -> None:
    board.rounds += 1
