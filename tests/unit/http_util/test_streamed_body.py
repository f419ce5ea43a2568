"""Bodies that are read while they are sent, and how far they have come."""

from __future__ import annotations

import pytest

from http_util.errors import PolicyFailure
from http_util.streamed_body import STEP_BYTES, Progress, StreamedBody

pytestmark = [pytest.mark.requirement("HTU-19")]


def body(*, can_rewind: bool) -> StreamedBody:
    """Return a body of two pieces."""
    return StreamedBody(lambda: iter((b"ti", b"de")), length=4, can_rewind=can_rewind)


def test_a_body_that_can_be_rewound_begins_as_often_as_it_is_asked_to() -> None:
    """Always from its first piece."""
    streamed = body(can_rewind=True)
    assert [b"".join(streamed.begin()) for _ in range(3)] == [b"tide"] * 3
    assert streamed.can_begin


def test_a_body_that_cannot_be_rewound_begins_once() -> None:
    """The second time is a failure that says what would do; nothing is sent."""
    streamed = body(can_rewind=False)
    assert streamed.can_begin
    streamed.begin()
    assert not streamed.can_begin
    with pytest.raises(PolicyFailure, match="give a path, bytes or a seekable file") as caught:
        streamed.begin()
    assert caught.value.reason == "serialization"


def test_its_repr_shows_nothing_of_its_content() -> None:
    """The length, and whether it can be sent twice."""
    assert repr(body(can_rewind=True)) == "StreamedBody(length=4, can_rewind=True)"


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([], [0]),
        ([10], [10]),
        ([STEP_BYTES], [STEP_BYTES]),
        ([STEP_BYTES - 1, 1, 1], [STEP_BYTES, STEP_BYTES + 1]),
        ([3 * STEP_BYTES, 5, STEP_BYTES], [3 * STEP_BYTES, 4 * STEP_BYTES + 5]),
    ],
)
def test_progress_is_told_once_a_step_and_once_at_the_end(pieces: list[int], told: list[int]) -> None:
    """Never twice the same."""
    heard: list[int] = []
    progress = Progress(lambda count, _: heard.append(count), None)
    for size in pieces:
        progress.add(size)
    progress.end()
    assert heard == told
    assert progress.count == sum(pieces)


def test_progress_without_a_listener_counts() -> None:
    """And is told to nobody."""
    progress = Progress(None, 5)
    progress.add(5)
    progress.end()
    assert progress.count == 5
